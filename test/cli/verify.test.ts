import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parsePrivateKey } from '../../src/attest/keys.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { hookline, scratch } from './hookline.ts'

const folder = await scratch()
const MANIFEST = `name: acme/limit
version: 1.4.0
summary: Limits
license: GPL-2.0-only
readme: README.md
programs: [{ object: limit.bpf.o, entry: xdp_limit, hook: xdp }]
`

/** A release in a folder of its own, signed by `key`, with its bundle next to it. */
async function releaseIn(name: string, key: string, changes: Record<string, string> = {}): Promise<string> {
  const directory = join(folder, name)
  await mkdir(directory)
  const signed = { 'hookline.yaml': MANIFEST, 'limit.bpf.o': 'object', 'README.md': '# limit' }
  const files = new Map(Object.entries(signed).map(([file, text]) => [file, Buffer.from(text)]))
  const privateKey = parsePrivateKey(await readFile(join(folder, key), 'utf8'))
  const bundle = await signRelease({ program: 'acme/limit', version: '1.4.0', files }, privateKey)
  for (const [file, text] of Object.entries({ ...signed, 'bundle.json': bundle, ...changes }))
    await writeFile(join(directory, file), text)
  return directory
}
const made = await hookline(folder, ['keygen', '--out', 'signer', '--json'])
const { fingerprint } = JSON.parse(made.stdout)
await hookline(folder, ['keygen', '--out', 'other', '--algorithm', 'ed25519'])
const check = (directory: string, ...trust: string[]) =>
  hookline(folder, ['verify', directory, '--bundle', join(directory, 'bundle.json'), ...trust])

describe('keygen', () => {
  test('writes a private key for its owner only, and a public one', async () => {
    expect((await stat(join(folder, 'signer.pem'))).mode & 0o777).toBe(0o600)
    expect(await readFile(join(folder, 'signer.pub.pem'), 'utf8')).toContain('BEGIN PUBLIC KEY')
    const key = parsePrivateKey(await readFile(join(folder, 'signer.pem'), 'utf8'))
    expect([key.fingerprint, key.publicKey.algorithm]).toEqual([fingerprint, 'p256'])
  })

  test('names them hookline in a folder, and overwrites neither', async () => {
    await mkdir(join(folder, 'keys'))
    expect((await hookline(folder, ['keygen', '--out', 'keys'])).code).toBe(0)
    const before = await readFile(join(folder, 'keys', 'hookline.pub.pem'), 'utf8')
    await mkdir(join(folder, 'half'))
    await writeFile(join(folder, 'half', 'hookline.pub.pem'), 'mine')
    for (const out of ['keys', 'half'])
      expect((await hookline(folder, ['keygen', '--out', out])).code).toBe(1)
    expect(await readFile(join(folder, 'keys', 'hookline.pub.pem'), 'utf8')).toBe(before)
    await expect(stat(join(folder, 'half', 'hookline.pem'))).rejects.toThrow('ENOENT')
  })
})

describe('npm run hookline', () => {
  const away = async (event: string): Promise<string> => {
    const called = join(folder, `called-for-${event}`)
    await mkdir(called)
    const run = await hookline(folder, ['keygen', '--out', event], {
      npm_lifecycle_event: event,
      INIT_CWD: called,
    })
    expect(run).toMatchObject({ code: 0 })
    return called
  }

  test('means paths from the folder that npm was called in', async () => {
    expect((await stat(join(await away('hookline'), 'hookline.pem'))).isFile()).toBe(true)
    await expect(stat(join(folder, 'hookline.pem'))).rejects.toThrow('ENOENT')
  })

  test('and another script of npm means its own folder', async () => {
    await expect(stat(join(await away('demo'), 'demo.pem'))).rejects.toThrow('ENOENT')
    expect((await stat(join(folder, 'demo.pem'))).isFile()).toBe(true)
  })
})

describe('verify of a directory', () => {
  test('says what holds, and by whom', async () => {
    const directory = await releaseIn('good', 'signer.pem')
    const run = await check(directory, '--signer', 'signer.pub.pem')
    expect([run.code, run.stderr]).toEqual([0, ''])
    expect(run.stdout).toContain(`acme/limit@1.4.0 holds:\n- signed by ${fingerprint}, accepted by --signer`)
    for (const file of ['hookline.yaml', 'limit.bpf.o', 'README.md']) expect(run.stdout).toContain(file)
  })

  test('uses the bundle.json in it, and asks for a bundle where there is none', async () => {
    const run = await hookline(folder, ['verify', 'good', '--signer', 'signer.pub.pem'])
    expect([run.code, run.stderr]).toEqual([0, ''])
    await mkdir(join(folder, 'bare'))
    const bare = await hookline(folder, ['verify', 'bare', '--signer', 'signer.pub.pem'])
    expect(bare).toMatchObject({ code: 2, stdout: '' })
    expect(bare.stderr).toMatch(/--bundle <file> \[usage\]/)
  })

  test('refuses a part of a fingerprint, which would be read as a file', async () => {
    const run = await check(join(folder, 'good'), '--signer', fingerprint.slice(0, 11))
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain('a fingerprint has 64 hexadecimal digits')
  })

  test('takes a fingerprint next to the key it names', async () => {
    const run = await check(join(folder, 'good'), '--json', '--signer', fingerprint, 'signer.pub.pem')
    expect(JSON.parse(run.stdout)).toMatchObject({
      program: 'acme/limit',
      version: '1.4.0',
      signer: fingerprint,
    })
  })

  test.each<[string, string, Record<string, string>, string[], number, string]>([
    [
      'a changed object',
      'object',
      { 'limit.bpf.o': 'Object' },
      ['--signer', 'signer.pub.pem'],
      3,
      'subject_mismatch',
    ],
    [
      'a changed manifest',
      'manifest',
      { 'hookline.yaml': MANIFEST.replace('1.4.0', '1.4.1') },
      ['--signer', 'signer.pub.pem'],
      3,
      'release_mismatch',
    ],
    ['another signer', 'signer', {}, ['--signer', 'other.pub.pem'], 3, 'signer_not_allowed'],
    ['an empty bundle', 'empty', { 'bundle.json': '' }, ['--signer', 'signer.pub.pem'], 3, 'bundle_missing'],
    [
      'half a bundle',
      'half-bundle',
      { 'bundle.json': '{' },
      ['--signer', 'signer.pub.pem'],
      3,
      'bundle_invalid',
    ],
  ])('refuses %s', async (_, name, changes, trust, exit, code) => {
    const run = await check(await releaseIn(name, 'signer.pem', changes), ...trust)
    expect(run).toMatchObject({ code: exit, stdout: '' })
    expect(run.stderr).toContain(`[${code}]`)
  })

  test.each([
    ['no rule', 'programs: []', 3, 'policy_denied'],
    [
      'a rule for another program',
      `programs: [{ match: acme/other, signers: [{ key: "sha256:${'0'.repeat(64)}" }] }]`,
      3,
      'policy_denied',
    ],
    [
      'a rule with another signer',
      `programs: [{ match: acme/*, signers: [{ key: "sha256:${'0'.repeat(64)}" }] }]`,
      2,
      'no_registry',
    ],
    [
      'a minimum version above',
      `programs: [{ match: acme/*, signers: [{ key: "${fingerprint}" }], minVersion: { acme/limit: 1.5.0 } }]`,
      3,
      'below_min_version',
    ],
    ['no policy at all', 'hello', 1, 'invalid_policy'],
  ])('by a policy refuses with %s', async (name, policy, exit, code) => {
    const path = join(folder, `${name}.yaml`)
    await writeFile(path, policy)
    const run = await check(join(folder, 'good'), '--policy', path)
    expect(run).toMatchObject({ code: exit, stdout: '' })
    expect(run.stderr).toContain(`[${code}]`)
  })
})
