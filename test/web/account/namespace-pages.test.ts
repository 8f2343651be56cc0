import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newKey, openNamespace } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, type Visitor } from '../visitor.ts'

let registry: RunningRegistry
let owner: Visitor
let reader: Visitor
beforeAll(async () => {
  registry = await startRegistry()
  const token = await registry.account('ada')
  await openNamespace({ ...registry, admin: token }, 'acme', newKey())
  owner = openBrowser(registry, token)
  reader = openBrowser(registry, await registry.account('reader', { member: { acme: 'reader' } }))
  await registry.account('grace')
}, 60_000)
afterAll(() => registry.close())

const members = async () =>
  Object((await registry.call('GET', '/api/v1/namespaces/acme/members', { token: registry.admin })).json)
    .members

describe('members', () => {
  const path = '/namespaces/acme/members'
  test('are seen by members, and changed by owners', async () => {
    const seen = (await reader.get(path)).text
    expect(seen).toContain('<bdi>ada</bdi>')
    expect(seen).not.toContain('Change</button>')
    expect(seen).not.toContain('>Audit</a>')
    const managed = (await owner.get(path)).text
    expect(managed).toContain('action="/namespaces/acme/members/reader/role"')
    expect(managed).toContain('>Audit</a>')
    for (const below of ['', '/reader/role', '/reader/remove'])
      expect((await reader.post(`${path}${below}`, { account: 'grace', role: 'owner' })).status).toBe(403)
  })
  test('are invited, changed and removed', async () => {
    expect((await owner.post(path, { account: 'grace', role: 'publisher' })).location).toBe(
      `${path}?done=invited`,
    )
    expect(await members()).toContainEqual(
      expect.objectContaining({ account: 'grace', invited: true, role: 'publisher' }),
    )
    expect((await owner.post(`${path}/reader/role`, { role: 'publisher' })).location).toBe(
      `${path}?done=changed`,
    )
    expect(await members()).toContainEqual(expect.objectContaining({ account: 'reader', role: 'publisher' }))
    expect((await owner.post(`${path}/reader/role`, { role: 'reader' })).status).toBe(303)
    expect((await owner.post(`${path}/grace/remove`)).location).toBe(`${path}?done=removed`)
    expect(await members()).not.toContainEqual(expect.objectContaining({ account: 'grace' }))
  })
  test('are refused beside the field, or above when it is about a row', async () => {
    const nobody = await owner.post(path, { account: 'nobody-here', role: 'owner' })
    expect([nobody.status, nobody.text]).toEqual([404, expect.stringContaining('id="invite-account-wrong"')])
    expect(nobody.text).toContain('<option value="owner" selected>')
    const role = await owner.post(path, { account: 'grace', role: 'emperor' })
    expect([role.status, role.text]).toEqual([400, expect.stringContaining('id="invite-role-wrong"')])
    const last = await owner.post(`${path}/ada/role`, { role: 'reader' })
    expect([last.status, last.text]).toEqual([409, expect.stringContaining('role="alert"')])
  })
})

describe('robots', () => {
  test('are made with tokens that owners alone see and end', async () => {
    const made = await owner.post('/namespaces/acme/robots', { name: 'ci', role: 'publisher' })
    expect(made.location).toBe('/namespaces/acme/members?done=robot')
    const page = '/namespaces/acme/robots/ci'
    expect((await reader.get(page)).status).toBe(403)
    const form = { note: 'runner', scope: 'publish-update', programs: 'acme/*', days: '30' }
    expect((await reader.post(`${page}/tokens`, form)).status).toBe(403)
    expect((await owner.post(`${page}/tokens`, form)).location).toBe('/me/tokens/made')
    const secret = /hlt_[A-Za-z0-9_-]{43}/.exec((await owner.get('/me/tokens/made')).text)?.[0]
    // a token of this robot has no right to look at itself: it publishes
    expect((await registry.call('GET', '/api/v1/whoami', { token: secret })).code).toBe('scope_missing')
    const id = /tokens\/([0-9a-f-]{36})\/revoke/.exec((await owner.get(page)).text)?.[1]
    expect((await reader.post(`${page}/tokens/${id}/revoke`)).status).toBe(403)
    expect((await owner.post(`${page}/tokens/${id}/revoke`)).location).toBe(`${page}?done=revoked`)
    expect((await registry.call('GET', '/api/v1/whoami', { token: secret })).code).toBe('token_revoked')
  })
  test('cannot own', async () => {
    const refused = await owner.post('/namespaces/acme/robots', { name: 'boss', role: 'owner' })
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('id="robot-role-wrong"')])
  })
})

describe('signers', () => {
  const page = '/namespaces/acme/signers'
  const key = newKey('ed25519')
  const base64 = key.publicKey.spki.toString('base64')
  const keys = async () =>
    Object((await registry.call('GET', '/api/v1/namespaces/acme/keys', { token: registry.admin })).json).keys
  test('show a pasted key’s fingerprint, and add it once it was compared', async () => {
    const pem = key.publicKey.key.export({ type: 'spki', format: 'pem' }).toString()
    for (const pasted of [pem, `  ${base64}\n`]) {
      const shown = await owner.post('/namespaces/acme/keys/check', { key: pasted })
      expect([shown.status, shown.text]).toEqual([
        200,
        expect.stringContaining(`<p class="mono long">${key.fingerprint}</p>`),
      ])
    }
    expect(await keys()).toHaveLength(1)
    const other = await owner.post('/namespaces/acme/keys', {
      fingerprint: newKey().fingerprint,
      publicKey: base64,
    })
    expect([other.status, await keys()]).toEqual([400, expect.objectContaining({ length: 1 })])
    const added = await owner.post('/namespaces/acme/keys', {
      fingerprint: key.fingerprint,
      publicKey: base64,
    })
    expect([added.location, await keys()]).toEqual([
      `${page}?done=key`,
      expect.objectContaining({ length: 2 }),
    ])
    expect((await reader.get(page)).text).toContain(key.fingerprint)
    const removed = await owner.post('/namespaces/acme/keys/remove', { fingerprint: key.fingerprint })
    expect([removed.location, await keys()]).toEqual([
      `${page}?done=removed`,
      expect.objectContaining({ length: 1 }),
    ])
  })
  test('refuse what is no public key, and do not say a private one again', async () => {
    const secret = key.key.export({ type: 'pkcs8', format: 'pem' }).toString()
    const refused = await owner.post('/namespaces/acme/keys/check', { key: secret })
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('This is a private key')])
    expect(refused.text).not.toContain('BEGIN PRIVATE KEY')
    const nothing = await owner.post('/namespaces/acme/keys/check', { key: 'no key' })
    expect([nothing.status, nothing.text]).toEqual([400, expect.stringContaining('id="key-key-wrong"')])
    expect((await reader.post('/namespaces/acme/keys/check', { key: base64 })).status).toBe(403)
  })
  test('may be identities', async () => {
    const rule = {
      identity: 'https://github.com/acme/x/.github/workflows/r.yml@refs/tags/*',
      issuer: 'https://issuer.example',
    }
    expect((await owner.post('/namespaces/acme/identities', rule)).location).toBe(`${page}?done=identity`)
    const id = /name="id" value="([0-9a-f-]{36})"/.exec((await owner.get(page)).text)?.[1] ?? ''
    expect((await reader.get(page)).text).toContain(rule.identity)
    expect((await reader.post('/namespaces/acme/identities/remove', { id })).status).toBe(403)
    expect((await owner.post('/namespaces/acme/identities/remove', { id })).location).toBe(
      `${page}?done=removed`,
    )
    const refused = await owner.post('/namespaces/acme/identities', { ...rule, identity: 'https://*' })
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringContaining('id="identity-identity-wrong"'),
    ])
    expect(refused.text).toContain('value="https://issuer.example"')
  })
})

describe('proofs', () => {
  test('show what to put where to owners alone', async () => {
    const text = Object(
      (await registry.call('GET', '/api/v1/namespaces/acme/challenge', { token: registry.admin })).json,
    ).text
    expect((await owner.get('/namespaces/acme/proofs')).text).toContain(text)
    const seen = await reader.get('/namespaces/acme/proofs')
    expect([seen.status, seen.text.includes('hookline-verify=')]).toEqual([200, false])
  })
  test('are refused beside the field', async () => {
    for (const form of [
      { kind: 'dns', of: 'nodomain' },
      { kind: 'repository', of: 'https://github.com/acme' },
    ]) {
      const refused = await owner.post('/namespaces/acme/proofs', form)
      expect([refused.status, refused.text]).toEqual([
        400,
        expect.stringContaining(`id="${form.kind}-of-wrong"`),
      ])
      expect(refused.text).toContain(`value="${form.of}"`)
    }
  })
})

describe('the audit', () => {
  test('is of this namespace, for owners', async () => {
    const seen = await owner.get('/namespaces/acme/audit')
    expect(seen.text).toContain('<td>namespace.create</td>')
    expect((await reader.get('/namespaces/acme/audit')).status).toBe(403)
    expect((await owner.get('/namespaces/acme/audit?cursor=1')).text).toContain('No more.')
    expect((await owner.get('/namespaces/acme/audit?cursor=x')).status).toBe(200)
  })
})
