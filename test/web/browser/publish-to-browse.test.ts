import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { buildProgram, PROGRAMS } from '../../../tools/build-programs.ts'
import { BINARY, hookline, type Run, scratch } from '../../cli/hookline.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, type TestBrowser } from '../../support/browser.ts'

/** Clicks from the first page to a command that is copied. */
const CLICKS = 4

const home = await scratch()
let registry: RunningRegistry
let browser: TestBrowser
let settings: Record<string, string>

const cli = (...args: string[]): Promise<Run> => hookline(home, args, settings)

beforeAll(async () => {
  ;[registry, browser] = await Promise.all([startRegistry(), openBrowser()])
  settings = { HOOKLINE_URL: registry.url, HOOKLINE_TOKEN: registry.admin }
  for (const args of [
    ['keygen', '--out', 'publisher'],
    ['keygen', '--out', 'stranger'],
    ['namespace', 'create', 'hookline'],
    ['key', 'add', 'publisher.pub.pem', '--namespace', 'hookline'],
  ])
    expect(await cli(...args)).toMatchObject({ code: 0 })
}, 120_000)
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await registry?.close()
})

const programs = '.programs h3 a'

test('what is published by the command line is found, shown and compared at once', async () => {
  const { page, complaints } = await browser.visitor()
  await page.goto(registry.url)
  expect(await page.locator(programs).count()).toBe(0)
  const publish = async (version: string, rate: number): Promise<void> => {
    const outDir = join(home, `ratelimit-${version}`)
    buildProgram(join(PROGRAMS, 'ratelimit'), { version, outDir, defines: { DEFAULT_RATE: rate } })
    const run = await cli('publish', outDir, '--key', 'publisher.pem')
    expect(run, run.stderr).toMatchObject({ code: 0 })
  }
  await publish('1.0.0', 1000)
  await page.reload()
  expect(await page.locator(programs).first().innerText()).toBe('hookline/ratelimit')
  await page.locator('#home-find').fill('token bucket')
  await page.locator('#home-find').press('Enter')
  await page.waitForURL(/\/search/)
  await page.locator(programs, { hasText: 'ratelimit' }).click()
  await page.waitForURL(`${registry.url}/programs/hookline/ratelimit`)
  const main = () => page.locator('main').innerText()
  for (const part of ['1.0.0', 'token bucket', 'XDP', 'BSD-2-Clause OR GPL-2.0-only'])
    expect(await main()).toContain(part)
  await publish('1.1.0', 2000)
  await page.reload()
  expect(await main()).toContain('1.1.0')
  await page.goto(`${registry.url}/programs/hookline/ratelimit/versions`)
  expect(await main()).toContain('1.0.0')
  expect(await cli('yank', 'hookline/ratelimit@1.1.0', '--message', 'the rate is wrong')).toMatchObject({
    code: 0,
  })
  await page.reload()
  expect(await main()).toContain('the rate is wrong')
  await page.goto(`${registry.url}/programs/hookline/ratelimit`)
  expect(await page.locator('main header, main h1').first().innerText()).toContain('1.0.0')
  expect(complaints).toEqual([])
}, 120_000)

/** Runs what was pasted, in a shell in a folder where `hookline` is the real binary. */
async function paste(text: string, folder: string): Promise<Run> {
  const bin = join(folder, 'bin')
  await mkdir(bin, { recursive: true })
  await writeFile(join(bin, 'hookline'), `#!/bin/sh\nexec "${process.execPath}" "${BINARY}" "$@"\n`)
  await chmod(join(bin, 'hookline'), 0o755)
  const child = spawn('sh', ['-e'], {
    cwd: folder,
    env: { PATH: `${bin}:${process.env['PATH']}`, HOME: folder },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  child.stdin.end(`${text}\n`)
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

/** A folder of somebody who heard from a publisher by another way what its key is. */
async function newcomer(name: string, key: string): Promise<string> {
  const folder = join(home, name)
  await mkdir(folder)
  const shown = await cli('keygen', '--out', join(folder, 'own'), '--json')
  expect(shown.code).toBe(0)
  await writeFile(join(folder, 'publisher.pub.pem'), await readKey(key))
  const fingerprint = await fingerprintOf(key)
  await writeFile(
    join(folder, 'trust.yaml'),
    `operators: []\nprograms:\n  - match: "hookline/*"\n    signers: [{ key: "${fingerprint}" }]\n`,
  )
  return folder
}

const readKey = async (name: string): Promise<Buffer> =>
  (await import('node:fs/promises')).readFile(join(home, `${name}.pub.pem`))

const fingerprintOf = async (name: string): Promise<string> =>
  (await import('../../../src/attest/keys.ts')).parsePublicKey((await readKey(name)).toString()).fingerprint

test('a newcomer comes from the first page to a pulled and verified release in few clicks and one paste', async () => {
  const { page, context } = await browser.visitor()
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: registry.url })
  let clicks = 0
  const click = async (what: ReturnType<typeof page.locator>): Promise<void> => {
    await what.click()
    clicks++
  }
  await page.goto(registry.url)
  await click(page.locator(programs, { hasText: 'ratelimit' }).first())
  await page.waitForURL(/\/programs\/hookline\/ratelimit$/)
  const snippet = page.locator('[data-copy]', { hasText: 'hookline pull' }).first()
  await click(snippet.getByRole('button', { name: 'Copy' }))
  const copied = await page.evaluate<string>('navigator.clipboard.readText()')
  expect(copied).toContain('hookline pull hookline/ratelimit')
  expect(clicks).toBeLessThanOrEqual(CLICKS)
  console.log(`newcomer: ${clicks} clicks, one paste:\n${copied}`)

  const folder = await newcomer('newcomer', 'publisher')
  const run = await paste(copied, folder)
  expect(run, run.stderr).toMatchObject({ code: 0 })
  expect(run.stdout).toContain('signed by')
  const made = (await readdir(folder)).find((name) => name.includes('ratelimit')) ?? 'nothing was made'
  const verified = await hookline(folder, ['verify', made, '--signer', 'publisher.pub.pem'])
  expect(verified, verified.stderr).toMatchObject({ code: 0 })

  // whoever believes somebody else gets nothing by the same paste
  const wary = await newcomer('wary', 'stranger')
  const refused = await paste(copied, wary)
  expect(refused.code).not.toBe(0)
  expect((await readdir(wary)).filter((name) => name.includes('ratelimit'))).toEqual([])
}, 120_000)
