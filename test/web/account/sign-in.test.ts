import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_IDENTITIES } from '../../../src/bin/identity-settings.ts'
import { type Registry, serve } from '../../../src/bin/serve.ts'
import { callAt, type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { Browser, type OidcProvider, startOidcProvider } from '../../support/oidc-provider.ts'
import { openBrowser, type Visitor } from '../visitor.ts'

let registry: RunningRegistry
let ada: string
beforeAll(async () => {
  registry = await startRegistry()
  ada = await registry.account('ada')
}, 60_000)
afterAll(() => registry.close())

describe('signing in by a token', () => {
  test('goes on to where one was going', async () => {
    const browser = openBrowser(registry)
    const asked = await browser.get('/me/tokens?done=revoked')
    expect([asked.status, asked.location]).toEqual([303, '/sign-in?next=%2Fme%2Ftokens%3Fdone%3Drevoked'])
    const form = await browser.get(asked.location ?? '')
    expect(form.text).toContain('<input type="hidden" name="next" value="/me/tokens?done=revoked">')
    expect(form.text).toMatch(/<input id="token-token" name="token"[^>]* type="password" autocomplete="off"/)
    const done = await browser.post('/sign-in', { token: ` ${ada}\n`, next: '/me/tokens?done=revoked' })
    expect([done.status, done.location]).toEqual([303, '/me/tokens?done=revoked'])
    expect((await browser.get('/me/tokens')).status).toBe(200)
  })
  test.each([
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/\t/evil.example',
    '',
    'me',
    '/sign-in',
    '/sign-out',
    '/\n/evil.example',
    `/${'a'.repeat(2000)}`,
  ])('goes nowhere else: %j', async (next) => {
    const browser = openBrowser(registry)
    expect((await browser.post('/sign-in', { token: ada, next })).location).toBe('/me')
    const form = await browser.get(`/sign-in?next=${encodeURIComponent(next)}`)
    expect(form.text).toContain('name="next" value="/me"')
  })
  test('is refused with the reason, and the secret is not said again', async () => {
    const browser = openBrowser(registry)
    for (const [token, why] of [
      ['hlt_nobodys', 'The token is not known here.'],
      ['not a token; Secure', 'paste a token'],
      ['', 'paste a token'],
    ] as const) {
      const refused = await browser.post('/sign-in', { token, next: '/me' })
      expect([refused.status, browser.cookies.size]).toEqual([401, 0])
      expect(refused.text.toLowerCase()).toContain(why.toLowerCase())
      if (token !== '') expect(refused.text).not.toContain(token)
    }
  })
  test('ends by signing out, and the token stays', async () => {
    const browser = openBrowser(registry, ada)
    expect((await browser.post('/sign-out')).location).toBe('/')
    expect(browser.cookies.size).toBe(0)
    expect((await browser.get('/me')).location).toBe('/sign-in?next=%2Fme')
    expect((await registry.call('GET', '/api/v1/whoami', { token: ada })).status).toBe(200)
  })
  test('without the right shows which one is missing, and a way to sign in by another token', async () => {
    const reading = openBrowser(registry, await registry.token({ scopes: ['publish-new'] }, 'ada'))
    const refused = await reading.get('/me/tokens')
    expect([refused.status, refused.location]).toEqual([403, undefined])
    expect(refused.text).toContain('&quot;read&quot; or &quot;manage&quot;')
    expect(refused.text).toContain('<a href="/sign-in?next=%2Fme%2Ftokens">')
    expect(refused.text).toContain('action="/sign-out"')
    const posted = await openBrowser(registry).post('/me/namespaces', { name: 'nobodys' })
    expect([posted.status, posted.location]).toEqual([401, undefined])
    expect(posted.text).toContain('<a class="button" href="/sign-in">')
  })
  test('where nobody can log in offers no login', async () => {
    expect((await openBrowser(registry).get('/sign-in')).text).not.toContain('/sign-in/provider')
    const asked = await openBrowser(registry).get('/sign-in/provider')
    expect([asked.status, asked.text]).toEqual([422, expect.stringContaining('login_unavailable')])
  })
})

describe('signing in at the identity provider', () => {
  let folder: string
  let open: Registry
  let closed: Registry
  const providers: OidcProvider[] = []
  const start = async (name: string, signup: boolean): Promise<Registry> => {
    const port = 20_000 + Math.floor(Math.random() * 20_000)
    const provider = await startOidcProvider(() => `http://127.0.0.1:${port}/auth/callback`)
    providers.push(provider)
    const oidc = {
      issuer: provider.url,
      clientId: 'hookline',
      clientSecret: 'a secret of the client',
      signup,
    }
    return serve({ dataDir: join(folder, name), port, identity: { ...NO_IDENTITIES, oidc } })
  }
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hookline-test-'))
    await chmod(folder, 0o711)
    open = await start('open', true)
    closed = await start('closed', false)
  }, 120_000)
  afterAll(async () => {
    await Promise.all([open?.close(), closed?.close()])
    await Promise.all(providers.map((provider) => provider.close()))
    await rm(folder, { recursive: true })
  })
  /** Logs in up to the provider's answer, which is not yet brought back. */
  const answerFor = async ({ url }: Registry, login: string, next = '/me/tokens') => {
    const visitor = openBrowser({ url })
    const begun = await visitor.get(`/sign-in/provider?next=${encodeURIComponent(next)}`)
    const answer = await new Browser().walk(
      begun.location ?? '',
      login,
      ({ pathname }) => pathname === '/auth/callback',
    )
    return { visitor, answer: `${answer.pathname}${answer.search}` }
  }
  const whoAmI = async ({ url }: Registry, { cookies }: Visitor) => {
    const [kind, token = ''] = cookies.get('hookline')?.split('.') ?? []
    return { kind, token, answer: await callAt(url, 'GET', '/api/v1/whoami', { token }) }
  }

  test('makes an account and a session that looks and manages, and neither publishes nor orders', async () => {
    expect((await openBrowser(open).get('/sign-in')).text).toContain('href="/sign-in/provider?next=%2Fme"')
    const { visitor, answer } = await answerFor(open, 'Ada.Lovelace@example.org')
    const back = await visitor.get(answer)
    expect([back.status, back.location]).toEqual([303, '/me/tokens'])
    expect((await visitor.get('/me')).text).toContain('<bdi>ada-lovelace</bdi>')
    const me = await whoAmI(open, visitor)
    expect([me.kind, Object(me.answer.json).token.scopes]).toEqual([
      'made',
      ['read', 'yank', 'manage', 'node'],
    ])
    // out means out, wherever the token went
    await visitor.post('/sign-out')
    expect((await callAt(open.url, 'GET', '/api/v1/whoami', { token: me.token })).code).toBe('token_revoked')
  })
  test('again, or by a token, ends the session before', async () => {
    const { visitor, answer } = await answerFor(open, 'grace')
    await visitor.get(answer)
    const first = await whoAmI(open, visitor)
    await visitor.post('/sign-in', { token: open.adminToken ?? '' })
    expect((await whoAmI(open, visitor)).kind).toBe('given')
    expect((await callAt(open.url, 'GET', '/api/v1/whoami', { token: first.token })).code).toBe(
      'token_revoked',
    )
  })
  test('gives a session that nobody knew before', async () => {
    const planted = await callAt(open.url, 'POST', '/api/v1/tokens', {
      token: open.adminToken,
      body: { scopes: ['read'] },
    })
    const { visitor, answer } = await answerFor(open, 'oscar')
    visitor.cookies.set('hookline', `made.${Object(planted.json).secret}`)
    await visitor.get(answer)
    const me = await whoAmI(open, visitor)
    expect(Object(me.answer.json).account).toBe('oscar')
    expect(me.token).not.toBe(Object(planted.json).secret)
  })
  test('counts in the browser that began it, once', async () => {
    const { answer, visitor } = await answerFor(open, 'victim')
    const other = openBrowser(open)
    const refused = await other.get(answer)
    expect([refused.status, other.cookies.size]).toEqual([401, 0])
    expect(refused.text).toContain('login_failed')
    expect((await visitor.get(answer)).status).toBe(401)
    // to a program the same is said in its own form
    expect((await callAt(open.url, 'GET', answer)).code).toBe('login_failed')
  })
  test.each(['//evil.example', 'https://evil.example', '/\\evil.example'])(
    'returns nowhere else: %s',
    async (next) => {
      const { visitor, answer } = await answerFor(open, 'walker', next)
      expect((await visitor.get(answer)).location).toBe('/me')
    },
  )
  test('of somebody without an account is refused with what to do', async () => {
    const { visitor, answer } = await answerFor(closed, 'subject-9')
    const refused = await visitor.get(answer)
    expect([refused.status, visitor.cookies.has('hookline')]).toEqual([403, false])
    expect(refused.text).toContain('no account is linked to &quot;subject-9&quot;'.replace('no', 'No'))
  })
})
