import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_IDENTITIES } from '../../src/bin/identity-settings.ts'
import { type Registry, serve } from '../../src/bin/serve.ts'
import { callAt } from '../http/running-registry.ts'
import { Browser, type OidcProvider, startOidcProvider } from '../support/oidc-provider.ts'
import { BINARY, hookline, type Run, scratch } from './hookline.ts'

const folder = await scratch()
/** A registry whose provider lets anybody in, and one where an administrator links accounts. */
let open: Registry
let closed: Registry
let providers: OidcProvider[] = []

async function start(name: string, signup: boolean): Promise<Registry> {
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  const provider = await startOidcProvider(() => `http://127.0.0.1:${port}/auth/callback`)
  providers.push(provider)
  const oidc = { issuer: provider.url, clientId: 'hookline', clientSecret: 'a secret of the client', signup }
  return serve({ dataDir: join(folder, name), port, identity: { ...NO_IDENTITIES, oidc } })
}
beforeAll(async () => {
  await chmod(folder, 0o711)
  open = await start('open', true)
  closed = await start('closed', false)
}, 120_000)
afterAll(async () => {
  await Promise.all([open?.close(), closed?.close()])
  await Promise.all(providers.map((provider) => provider.close()))
  providers = []
})

const home = async (name: string): Promise<string> => {
  const path = join(folder, 'home', name)
  await mkdir(path, { recursive: true })
  return path
}

/** Runs `hookline login`, and a browser that opens what it says. */
async function login(at: string, url: string, as: string, ...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [BINARY, 'login', '--url', url, ...args], {
    cwd: at,
    env: { PATH: process.env['PATH'] ?? '', HOME: at },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => {
    stdout += text
  })
  const address = new Promise<string>((found) =>
    child.stderr.on('data', (text) => {
      stderr += text
      const match = /^ {2}(http\S+)$/m.exec(stderr)?.[1]
      if (match !== undefined) found(match)
    }),
  )
  const ended = new Promise<number | null>((end) => child.on('close', end))
  const opened = await Promise.race([address, ended.then(() => '')])
  if (opened !== '') {
    const port = new URL(opened).searchParams.get('port') ?? ''
    const back = await new Browser().walk(opened, as, (url) => url.port === port)
    // what does not know the state is not heard
    expect((await fetch(`http://127.0.0.1:${port}/?code=${'A'.repeat(43)}&state=wrong`)).status).toBe(404)
    await fetch(back)
  }
  return { code: await ended, stdout, stderr }
}

describe('login', () => {
  test('by a browser makes an account at the first time, and finds it again', async () => {
    const ada = await home('ada')
    const first = await login(ada, open.url, 'Ada.Lovelace@example.org')
    expect(first, first.stderr).toMatchObject({ code: 0 })
    expect(first.stdout).toContain(`logged in to ${open.url} as ada-lovelace`)
    const path = join(ada, '.config', 'hookline', 'config.json')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const me = JSON.parse((await hookline(ada, ['whoami', '--json'])).stdout)
    expect(me).toMatchObject({ account: 'ada-lovelace', kind: 'person', admin: false, fleet: 'none' })
    expect(me.token.scopes).not.toContain('admin')
    const kept = await readFile(path, 'utf8')

    const again = await login(ada, open.url, 'Ada.Lovelace@example.org', '--scope', 'read')
    expect(again.stdout).toContain('as ada-lovelace')
    expect(JSON.parse((await hookline(ada, ['whoami', '--json'])).stdout).token.scopes).toEqual(['read'])
    // another person of that name does not become her
    const other = await login(await home('other'), open.url, 'ada-lovelace')
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('[account_exists]')])
    const named = await login(await home('other'), open.url, 'ada-lovelace', '--name', 'ada-two')
    expect(named.stdout).toContain('as ada-two')

    const out = await hookline(ada, ['logout'])
    expect(out.stdout).toBe(`logged out of ${open.url}\n`)
    expect(await readFile(path, 'utf8')).not.toContain('hlt_')
    expect((await hookline(ada, ['whoami'])).stderr).toContain('[no_token]')
    await writeFile(path, kept)
    expect((await hookline(ada, ['whoami'])).code).toBe(0) // the token of the first login is another one
    expect((await hookline(ada, ['logout'])).code).toBe(0)
    await writeFile(path, kept)
    expect((await hookline(ada, ['whoami'])).stderr).toContain('[token_revoked]')
  })

  test('where accounts are linked is for those who are', async () => {
    const grace = await home('grace')
    const admin = { HOOKLINE_URL: closed.url, HOOKLINE_TOKEN: closed.adminToken ?? '' }
    expect((await login(grace, closed.url, 'subject-7')).stderr).toContain('[login_unknown]')
    await hookline(grace, ['account', 'create', 'grace'], admin)
    const link = await hookline(grace, ['account', 'link', 'grace', '--subject', 'subject-7'], admin)
    expect(link.stdout).toBe('"subject-7" logs in as grace\n')
    expect((await login(grace, closed.url, 'subject-7')).stdout).toContain('as grace')
    const twice = await hookline(grace, ['account', 'link', 'admin', '--subject', 'subject-7'], admin)
    expect(twice.stderr).toContain('[account_exists]')
    await hookline(grace, ['account', 'change', 'grace', '--disabled', 'yes'], admin)
    expect((await login(grace, closed.url, 'subject-7')).stderr).toContain('[account_disabled]')
  })

  test('with a token from standard input keeps it', async () => {
    const at = await home('token')
    const child = spawn(process.execPath, [BINARY, 'login', '--with-token', '--url', closed.url], {
      cwd: at,
      env: { PATH: process.env['PATH'] ?? '', HOME: at },
    })
    child.stdin.end(`${closed.adminToken}\n`)
    expect(await new Promise((end) => child.on('close', end))).toBe(0)
    expect(JSON.parse((await hookline(at, ['whoami', '--json'])).stdout).account).toBe('admin')
  })
})

describe('what a login is made of', () => {
  const state = 'S'.repeat(43)
  const verifier = 'V'.repeat(43)
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const begin = `/auth/login?port=49152&challenge=${challenge}&state=${state}`
  const exchange = (body: object) => callAt(open.url, 'POST', '/api/v1/login/token', { body })
  const codeOf = async (as: string): Promise<string> => {
    const back = await new Browser().walk(`${open.url}${begin}`, as, ({ port }) => port === '49152')
    expect(back.searchParams.get('state')).toBe(state)
    return back.searchParams.get('code') ?? ''
  }

  test('a code is good once, for whoever began, and not for long', async () => {
    const code = await codeOf('mallory')
    const wrong = await exchange({ code, verifier: 'W'.repeat(43), scopes: ['read'] })
    expect([wrong.status, wrong.code]).toEqual([401, 'login_failed'])
    // a wrong try used it up
    expect((await exchange({ code, verifier, scopes: ['read'] })).code).toBe('login_failed')
    const second = await codeOf('mallory')
    expect((await exchange({ code: second, verifier, scopes: ['read'] })).status).toBe(201)
    expect((await exchange({ code: second, verifier, scopes: ['read'] })).code).toBe('login_failed')
  })

  test('a scope of administrators gives nobody their rights', async () => {
    const code = await codeOf('eve')
    const token = Object((await exchange({ code, verifier, scopes: ['admin', 'read'] })).json).secret
    expect((await callAt(open.url, 'GET', '/api/v1/accounts', { token })).code).toBe('forbidden')
  })

  test('an answer of the provider counts in the browser that began, once', async () => {
    const answer = await new Browser().walk(
      `${open.url}${begin}`,
      'oscar',
      ({ pathname }) => pathname === '/auth/callback',
    )
    const path = `${answer.pathname}${answer.search}`
    const elsewhere = await callAt(open.url, 'GET', path)
    expect([elsewhere.status, elsewhere.code]).toEqual([401, 'login_failed'])
    // that try ended the login
    expect((await callAt(open.url, 'GET', path)).code).toBe('login_failed')
    expect((await callAt(open.url, 'GET', '/auth/callback?state=x&code=y')).code).toBe('login_failed')
  })

  test.each([
    ['a port of the system', begin.replace('49152', '22')],
    ['no challenge', begin.replace(challenge, '')],
    ['another address', begin.replace('port=49152', 'port=49152.evil.example')],
    ['a name that is none', `${begin}&name=A`],
  ])('%s is refused', async (_, path) => {
    expect((await callAt(open.url, 'GET', path)).code).toBe('invalid_request')
  })

  test('a registry without a provider says so', async () => {
    const alone = await serve({ dataDir: join(folder, 'alone'), port: 0 })
    try {
      const run = await callAt(alone.url, 'GET', begin)
      expect([run.status, run.code]).toEqual([422, 'login_unavailable'])
      // nobody is sent to a browser, or waited for
      const at = await home('alone')
      const refused = await hookline(at, ['login', '--url', alone.url], { HOME: at })
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toMatch(/^hookline: .*\[login_unavailable\]/)
    } finally {
      await alone.close()
    }
  })
})
