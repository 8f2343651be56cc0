import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endSession, keepSession, requireSameSite } from '../../../src/http/session-cookie.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser } from '../visitor.ts'

let registry: RunningRegistry
let ada: string
beforeAll(async () => {
  registry = await startRegistry()
  ada = await registry.account('ada')
}, 60_000)
afterAll(() => registry.close())

describe('a session', () => {
  test('is known to pages, and to nothing else', async () => {
    const cookie = `hookline=given.${ada}`
    const page = await registry.call('GET', '/me', { headers: { cookie } })
    expect([page.status, page.bytes.toString()]).toEqual([200, expect.stringContaining('<bdi>ada</bdi>')])
    const api = await registry.call('GET', '/api/v1/whoami', { headers: { cookie } })
    expect([api.status, api.code]).toEqual([401, 'unauthenticated'])
    const made = await registry.call('POST', '/api/v1/namespaces', {
      headers: { cookie },
      body: { name: 'mine' },
    })
    expect(made.code).toBe('unauthenticated')
  })
  test('of a page is no bearer token', async () => {
    const page = await registry.call('GET', '/me', { token: ada })
    expect([page.status]).toEqual([200]) // fetch follows to the form for signing in
    expect(page.bytes.toString()).toContain('<h1>Sign in</h1>')
  })
  test.each([
    [
      'that was revoked',
      async () => {
        const { id, secret } = Object(
          (await registry.call('POST', '/api/v1/tokens', { token: ada, body: { scopes: ['read'] } })).json,
        )
        await registry.call('DELETE', `/api/v1/tokens/${id}`, { token: ada })
        return secret
      },
    ],
    [
      'that expired',
      async () => {
        const secret = await registry.token({ scopes: ['read'] }, 'ada')
        await registry.database.prisma.token.updateMany({
          where: { scopes: { equals: ['read'] } },
          data: { expiresAt: new Date(0) },
        })
        return secret
      },
    ],
    ['that nobody made', async () => 'hlt_unknown'],
  ])('%s is forgotten, and the page shown', async (_, secretOf) => {
    const browser = openBrowser(registry, await secretOf())
    const home = await browser.get('/')
    expect([home.status, home.headers.getSetCookie()]).toEqual([
      200,
      [expect.stringContaining('hookline=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0')],
    ])
    expect(home.text).toContain('Sign in</a>')
    expect(browser.cookies.size).toBe(0)
  })
  test('of a disabled account ends', async () => {
    const browser = openBrowser(registry, await registry.account('leaver'))
    expect((await browser.get('/me')).status).toBe(200)
    await registry.call('PATCH', '/api/v1/accounts/leaver', {
      token: registry.admin,
      body: { disabled: true },
    })
    expect((await browser.get('/me')).location).toBe('/sign-in?next=%2Fme')
    expect(browser.cookies.size).toBe(0)
  })
  test('leaves nothing that may be kept', async () => {
    expect((await openBrowser(registry, ada).get('/')).headers.get('cache-control')).toBe('private, no-store')
    expect((await openBrowser(registry).get('/')).headers.get('cache-control')).toBe('private, no-cache')
  })
})

describe('a cookie', () => {
  const written = (secure: boolean, write: (reply: never) => void): string => {
    let cookie = ''
    const reply = {
      header: (_: string, value: string) => {
        cookie = value
      },
    }
    write(reply as never)
    expect(cookie.includes('Secure')).toBe(secure)
    return cookie
  }
  const until = new Date('2026-05-01T00:00:00Z')
  test('is for the whole site and not for scripts; over TLS for this very host', () => {
    const session = { secret: 'hlt_x', kind: 'made' } as const
    expect(written(false, (reply) => keepSession(reply, session, until, false))).toBe(
      'hookline=made.hlt_x; Path=/; HttpOnly; SameSite=Lax; Expires=Fri, 01 May 2026 00:00:00 GMT',
    )
    expect(written(true, (reply) => keepSession(reply, session, until, true))).toBe(
      '__Host-hookline=made.hlt_x; Path=/; HttpOnly; SameSite=Lax; Secure; Expires=Fri, 01 May 2026 00:00:00 GMT',
    )
    expect(written(true, (reply) => endSession(reply, true))).toMatch(/^__Host-hookline=; .*Max-Age=0$/)
  })
})

describe('a form', () => {
  const ask = (headers: Record<string, string>, publicUrl?: string) => () =>
    requireSameSite(
      { method: 'POST', headers: { host: 'hooks.example:7070', ...headers } } as never,
      publicUrl,
    )
  test.each([
    ['of this site', { 'sec-fetch-site': 'same-origin' }, undefined],
    ['of this host', { origin: 'http://hooks.example:7070' }, undefined],
    ['of the public address', { origin: 'https://hooks.example' }, 'https://hooks.example'],
  ])('%s is taken', (_, headers, publicUrl) => {
    expect(ask(headers, publicUrl)).not.toThrow()
  })
  test.each([
    ['that does not say', {}, undefined],
    ['of another site', { 'sec-fetch-site': 'cross-site' }, undefined],
    ['of a sister site', { 'sec-fetch-site': 'same-site', origin: 'http://hooks.example:7070' }, undefined],
    ['of no site', { 'sec-fetch-site': 'none' }, undefined],
    ['of another origin', { origin: 'https://evil.example' }, undefined],
    ['of another port', { origin: 'http://hooks.example:7071' }, undefined],
    ['of an origin that is kept secret', { origin: 'null' }, undefined],
    ['of this host without TLS', { origin: 'http://hooks.example' }, 'https://hooks.example'],
  ])('%s is refused', (_, headers, publicUrl) => {
    expect(ask(headers, publicUrl)).toThrow(expect.objectContaining({ code: 'cross_site' }))
  })
  test('of another site changes nothing', async () => {
    const browser = openBrowser(registry, ada)
    for (const headers of [{}, { origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      const answer = await browser.post(
        '/me/namespaces',
        { name: 'stolen' },
        headers as Record<string, string>,
      )
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('cross_site')])
    }
    expect((await registry.call('GET', '/api/v1/namespaces/stolen', { token: ada })).status).toBe(404)
    const own = await browser.post('/me/namespaces', { name: 'own-one' }, { origin: registry.url })
    expect([own.status, own.location]).toEqual([303, '/me?done=created'])
  })
  test('signs nobody in from elsewhere', async () => {
    const browser = openBrowser(registry)
    const answer = await browser.post('/sign-in', { token: ada }, { origin: 'https://evil.example' })
    expect([answer.status, browser.cookies.size]).toEqual([403, 0])
  })
  test('of another kind is not read', async () => {
    const cookie = `hookline=given.${ada}`
    const headers = { cookie, 'sec-fetch-site': 'same-origin' }
    const answer = await registry.call('POST', '/me/namespaces', { headers, body: { name: 'by-json' } })
    expect(answer.status).toBe(400)
  })
})
