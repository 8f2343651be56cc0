import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildRelease, newKey, openNamespace, releaseForm } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, type Visitor } from '../visitor.ts'

let registry: RunningRegistry
let ada: string
let browser: Visitor
beforeAll(async () => {
  registry = await startRegistry()
  ada = await registry.account('ada')
  browser = openBrowser(registry, ada)
  const key = newKey()
  await openNamespace({ ...registry, admin: ada }, 'acme', key)
  await openNamespace(registry, 'other', newKey())
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', key))
  await registry.call('POST', '/api/v1/releases?visibility=private', { token: ada, form })
}, 60_000)
afterAll(() => registry.close())

describe('one’s own page', () => {
  test('has one’s namespaces and programs, and nobody else’s', async () => {
    const me = await browser.get('/me')
    expect(me.text).toContain('<a href="/programs/acme/secret">acme/secret</a>')
    expect(me.text).toContain('<span class="tag">private</span>')
    expect(me.text).toContain('<a href="/namespaces/acme/audit">Audit</a>')
    // an administrator reads everything, and sees here what is his as anybody’s
    const admin = (await openBrowser(registry, registry.admin).get('/me')).text
    expect(admin).not.toContain('acme/secret')
    expect(admin).toContain('/namespaces/other')
    const stranger = (await openBrowser(registry, await registry.account('stranger')).get('/me')).text
    expect(stranger).not.toContain('/acme')
  })
  test('of a token for others shows no private program', async () => {
    const narrow = await registry.token({ scopes: ['read'], programs: ['other/*'] }, 'ada')
    expect((await openBrowser(registry, narrow).get('/me')).text).not.toContain('acme/secret')
  })
  test('of somebody new leads to publishing', async () => {
    const fresh = openBrowser(registry, await registry.account('fresh'))
    expect((await fresh.get('/me')).text).toContain('<a class="button" href="/publish">')
    const made = await fresh.post('/me/namespaces', { name: 'freshly' })
    expect(made.location).toBe('/me?done=created')
    expect((await fresh.get('/me?done=created')).text).toContain('<b>freshly</b>')
    expect((await fresh.get('/me?done=constructor')).text).not.toContain('role="status"')
  })
  test('keeps what was typed beside what is wrong with it', async () => {
    for (const [name, why] of [
      ['No Name', 'lower-case letters'],
      ['other', 'exists'],
      ['acrne', 'looks like'],
      ['admin', 'reserved'],
    ] as const) {
      const refused = await browser.post('/me/namespaces', { name })
      expect([400, 409]).toContain(refused.status)
      expect(refused.text).toContain(`value="${name}"`)
      expect(refused.text).toContain(
        'aria-describedby="namespace-name-hint namespace-name-wrong" aria-invalid="true"',
      )
      expect(refused.text.toLowerCase()).toContain(why)
    }
    const hostile = await browser.post('/me/namespaces', { name: '"><script>alert(1)</script>' })
    expect(hostile.text).not.toContain('<script>alert')
  })
  test('has invitations, to accept or decline, by whoever may', async () => {
    const grace = await registry.account('grace')
    const invite = () =>
      registry.call('PUT', '/api/v1/namespaces/acme/members/grace', { token: ada, body: { role: 'reader' } })
    await invite()
    const visitor = openBrowser(registry, grace)
    expect((await visitor.get('/me')).text).toContain('action="/me/invitations/acme/accept"')
    expect((await visitor.post('/me/invitations/acme/decline')).location).toBe('/me?done=declined')
    expect((await visitor.get('/me')).text).not.toContain('/acme')
    expect((await visitor.post('/me/invitations/acme/accept')).status).toBe(404)
    await invite()
    const reading = openBrowser(registry, await registry.token({ scopes: ['read'] }, 'grace'))
    expect((await reading.get('/me')).text).not.toContain('/accept')
    expect((await reading.post('/me/invitations/acme/accept')).status).toBe(403)
    expect((await visitor.post('/me/invitations/acme/accept')).location).toBe('/me?done=accepted')
    expect((await visitor.get('/me')).text).toContain('acme/secret')
    expect((await visitor.post('/me/namespaces/acme/leave')).location).toBe('/me?done=left')
    expect((await visitor.get('/me')).text).not.toContain('/acme')
  })
  test('does not let the last owner leave', async () => {
    const refused = await browser.post('/me/namespaces/acme/leave')
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('last_owner')])
  })
})

describe('tokens', () => {
  const request = {
    note: 'build server',
    scope: ['read', 'publish-update'],
    programs: 'acme/* acme/secret',
    days: '7',
  }
  const SECRET = /<code>(hlt_[A-Za-z0-9_-]{43})<\/code>/
  test('are shown once, in no address, and not again', async () => {
    const made = await browser.post('/me/tokens', request)
    expect([made.status, made.location]).toEqual([303, '/me/tokens/made'])
    expect(made.text).not.toContain('hlt_')
    expect(made.headers.getSetCookie()).toEqual([
      expect.stringMatching(/; Path=\/; HttpOnly; SameSite=Lax; Max-Age=60$/),
    ])
    const shown = await browser.get('/me/tokens/made')
    const secret = SECRET.exec(shown.text)?.[1] ?? ''
    expect(shown.headers.get('cache-control')).toBe('no-store')
    const me = Object((await registry.call('GET', '/api/v1/whoami', { token: secret })).json)
    expect([me.account, me.token.scopes, me.token.programs]).toEqual([
      'ada',
      request.scope,
      ['acme/*', 'acme/secret'],
    ])
    expect(Date.parse(me.token.expiresAt) / 1000).toBeCloseTo(Date.now() / 1000 + 7 * 86_400, -2)
    const again = await browser.get('/me/tokens/made')
    expect(again.text).not.toMatch(SECRET)
    expect(again.text).toContain('A token is shown once')
  })
  test('reach no further than the one that one is signed in by', async () => {
    const narrow = openBrowser(
      registry,
      await registry.token({ scopes: ['read', 'manage'], programs: ['acme/*'] }, 'ada'),
    )
    const form = (await narrow.get('/me/tokens')).text
    expect(form).toContain('name="scope" value="manage"')
    expect(form).not.toContain('value="publish-new"')
    for (const change of [{ scope: 'publish-new' }, { programs: '*' }, { scope: 'admin' }]) {
      const refused = await narrow.post('/me/tokens', { ...request, scope: 'read', ...change })
      expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('our token')])
    }
    const reading = openBrowser(registry, await registry.token({ scopes: ['read'] }, 'ada'))
    expect((await reading.get('/me/tokens')).text).not.toContain('<button>Make the token')
    expect((await reading.post('/me/tokens', request)).status).toBe(403)
  })
  test.each([
    ['scope', { scope: [] }],
    ['programs', { programs: 'Acme' }],
    ['programs', { programs: '' }],
    ['days', { days: '4000' }],
    ['note', { note: 'x'.repeat(300) }],
  ])('need a proper %s', async (field, change) => {
    const refused = await browser.post('/me/tokens', { ...request, ...change })
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringContaining(`id="token-${field}-wrong"`),
    ])
    expect(refused.text).toContain(field === 'note' ? 'acme/* acme/secret' : 'value="build server"')
  })
  test('are revoked, one’s own only', async () => {
    const { id, secret } = Object(
      (
        await registry.call('POST', '/api/v1/tokens', {
          token: ada,
          body: { scopes: ['read'], note: 'old <b>' },
        })
      ).json,
    )
    const list = (await browser.get('/me/tokens')).text
    expect(list).toContain(`action="/me/tokens/${id}/revoke"`)
    expect(list).toContain('old &lt;b&gt;')
    const other = openBrowser(registry, await registry.account('mallory'))
    expect((await other.post(`/me/tokens/${id}/revoke`)).status).toBe(404)
    expect((await browser.post(`/me/tokens/${id}/revoke`)).location).toBe('/me/tokens?done=revoked')
    expect((await registry.call('GET', '/api/v1/whoami', { token: secret })).code).toBe('token_revoked')
    expect((await browser.post('/me/tokens/not-an-id/revoke')).status).toBe(400)
  })
  test('when the browser’s own is revoked, it is signed out', async () => {
    const { id, secret } = Object(
      (await registry.call('POST', '/api/v1/tokens', { token: ada, body: { scopes: ['read', 'manage'] } }))
        .json,
    )
    const visitor = openBrowser(registry, secret)
    expect((await visitor.post(`/me/tokens/${id}/revoke`)).location).toBe('/sign-in')
    expect((await visitor.get('/me')).location).toBe('/sign-in?next=%2Fme')
  })
})

describe('publishing help', () => {
  test('is for everybody, and filled in for whoever publishes', async () => {
    const open = (await openBrowser(registry).get('/publish')).text
    expect(open).toContain('hookline init filter.bpf.o --namespace acme')
    expect(open).toContain(`hookline login --url ${registry.url}`)
    expect(open).toContain('hookline namespace create acme')
    const own = (await openBrowser(registry, registry.admin).get('/publish')).text
    expect(own).toContain('hookline init filter.bpf.o --namespace other')
    expect(own).not.toContain('namespace create')
    // a namespace that is not one’s own is not filled in
    expect((await browser.get('/publish?namespace=other')).text).toContain('--namespace acme')
  })
})
