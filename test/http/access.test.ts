import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { NewToken } from '../../src/domain/token.ts'
import { type EnrolledNode, emptyReport, enrolledNode } from './enrolled-node.ts'
import { addKey, newKey, openNamespace } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

const publisher = newKey()
const operator = newKey('ed25519')
const added = newKey()
let registry: RunningRegistry
let node: EnrolledNode
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  await addKey(registry, '/api/v1/operators/keys', operator)
  node = await enrolledNode(registry, 'node-1')
})
afterAll(() => registry.close())

const keyBody = { publicKey: added.publicKey.spki.toString('base64') }
const ABSENT = `sha256:${'0'.repeat(64)}`

describe('routes of nodes', () => {
  const desired = () => `/api/v1/nodes/${node.id}/desired`
  const observed = () => `/api/v1/nodes/${node.id}/observed`
  test('the node itself may use them', async () => {
    expect((await node.call('GET', desired())).status).toBe(200)
    expect((await node.call('PUT', observed(), { body: emptyReport() })).status).toBe(204)
  })
  test.each(['anonymous', 'admin'] as const)('%s may not', async (role) => {
    const token = role === 'anonymous' ? undefined : registry.admin
    for (const answer of [
      await registry.call('GET', desired(), { token }),
      await registry.call('PUT', observed(), { token, body: emptyReport() }),
    ])
      expect([answer.status, answer.code]).toEqual([401, 'node_unauthenticated'])
  })
  test('another node may not', async () => {
    const other = await enrolledNode(registry, 'node-2')
    for (const answer of [
      await other.call('GET', desired()),
      await other.call('PUT', observed(), { body: emptyReport() }),
    ])
      expect([answer.status, answer.code]).toEqual([403, 'forbidden'])
  })
})

describe('credentials', () => {
  test('a node’s signature opens no other route', async () => {
    const answer = await node.call('GET', '/api/v1/nodes')
    expect([answer.status, answer.code]).toEqual([401, 'unauthenticated'])
  })
  test('an expired token is refused', async () => {
    const made = await registry.call('POST', '/api/v1/tokens', {
      token: registry.admin,
      body: { scopes: ['read'], ttl_s: 60 },
    })
    const { id, secret, expiresAt } = NewToken.parse(made.json)
    expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(50_000)
    expect((await registry.call('GET', '/api/v1/nodes', { token: secret })).status).toBe(200)
    await registry.database.prisma.token.update({ where: { id }, data: { expiresAt: new Date() } })
    const late = await registry.call('GET', '/api/v1/nodes', { token: secret })
    expect([late.status, late.code]).toEqual([401, 'token_expired'])
  })
  test('of an account are so many at most, also when they are asked for at once', async () => {
    const token = await registry.account('collector')
    const { prisma } = registry.database
    const { id: accountId } = await prisma.account.findUniqueOrThrow({ where: { name: 'collector' } })
    await prisma.token.createMany({
      data: Array.from({ length: LIMITS.account_tokens - 2 }, (_, at) => ({
        ...{ hash: new Uint8Array(32).fill(at), accountId, scopes: [], programs: [], note: '' },
        expiresAt: new Date(Date.now() + 60_000),
      })),
    })
    const ask = () => registry.call('POST', '/api/v1/tokens', { token, body: { scopes: ['read'] } })
    const codes = (await Promise.all(Array.from({ length: 8 }, ask))).map(({ code }) => code)
    expect(codes.filter((code) => code === undefined)).toHaveLength(1)
    expect(codes.filter((code) => code === 'too_many')).toHaveLength(7)
  })
  test.each(['Basic YTpi', 'Bearer', `Bearer ${'a'.repeat(4000)}`, 'Bearer a b'])(
    '"%.20s" is refused',
    async (authorization) => {
      const answer = await registry.call('GET', '/api/v1/programs', { headers: { authorization } })
      expect([answer.status, answer.code]).toEqual([401, 'unauthenticated'])
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    },
  )
  test('secrets are kept nowhere, only their hashes', async () => {
    const rows = await registry.database.prisma.token.findMany()
    expect(rows.length).toBeGreaterThan(1)
    for (const row of rows) {
      expect(row.hash).toHaveLength(32)
      expect(JSON.stringify(row)).not.toContain('hlt_')
    }
  })
  test('they come before the body: a caller without them learns nothing of it', async () => {
    const answer = await registry.call('POST', '/api/v1/namespaces', {
      headers: { 'content-type': 'application/json' },
    })
    expect([answer.status, answer.code]).toEqual([401, 'unauthenticated'])
    const form = new FormData()
    form.append('file', new Blob([new Uint8Array(20 << 20)]), 'huge')
    expect((await registry.call('POST', '/api/v1/releases', { form })).code).toBe('unauthenticated')
  })
})

describe('requests', () => {
  const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    registry.call('POST', '/api/v1/namespaces', { token: registry.admin, body: Buffer.from(body), headers })
  test.each([
    ['an unknown field', '{"name":"fine","surprise":1}', 'invalid_request'],
    ['a name that is none', '{"name":"-"}', 'invalid_request'],
    ['a key named twice', '{"name":"fine","name":"other"}', 'invalid_json'],
    ['no JSON', '{', 'invalid_json'],
    ['nothing', '', 'invalid_json'],
  ])('%s is refused', async (_, body, code) => {
    const answer = await post(body)
    expect([answer.status, answer.code]).toEqual([400, code])
  })
  test('bytes that are not UTF-8 are refused', async () => {
    const body = Buffer.from([0x22, 0xff, 0x22])
    const headers = { 'content-type': 'application/json' }
    const answer = await registry.call('POST', '/api/v1/namespaces', { token: registry.admin, body, headers })
    expect([answer.status, answer.code]).toEqual([400, 'invalid_json'])
  })
  test('another type than JSON is refused', async () => {
    const answer = await post('name=fine', { 'content-type': 'application/x-www-form-urlencoded' })
    expect([answer.status, answer.code]).toEqual([415, 'unsupported_media_type'])
  })
  test('a body that is too large is refused', async () => {
    const answer = await post(`{"name":"${'a'.repeat(2 << 20)}"}`)
    expect([answer.status, answer.code]).toEqual([413, 'too_large'])
  })
  test('a route that does not exist is a problem, too', async () => {
    const answer = await registry.call('GET', '/api/v1/nothing?x=1')
    expect([answer.status, answer.code]).toEqual([404, 'not_found'])
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('keys', () => {
  test('the fingerprint must be the key’s', async () => {
    for (const path of ['/api/v1/namespaces/acme/keys', '/api/v1/operators/keys']) {
      const answer = await registry.call('PUT', `${path}/${ABSENT}`, { token: registry.admin, body: keyBody })
      expect([answer.status, answer.code]).toEqual([400, 'invalid_key'])
    }
  })
  test('what is no key is refused', async () => {
    const answer = await registry.call('PUT', `/api/v1/operators/keys/${ABSENT}`, {
      token: registry.admin,
      body: { publicKey: 'AAAA' },
    })
    expect([answer.status, answer.code]).toEqual([400, 'invalid_key'])
  })
  test('a key added twice is one key', async () => {
    const path = '/api/v1/operators/keys'
    const [first, again] = [await addKey(registry, path, added), await addKey(registry, path, added)]
    expect(again.json).toEqual(first.json)
  })
  test('of a namespace are so many at most; one that is removed makes room', async () => {
    await openNamespace(registry, 'keyring', publisher)
    const { prisma } = registry.database
    const { id: namespaceId } = await prisma.namespace.findUniqueOrThrow({ where: { name: 'keyring' } })
    const row = (at: number) => ({ namespaceId, fingerprint: `made-${at}`, spki: new Uint8Array([at]) })
    await prisma.signingKey.createMany({
      data: Array.from({ length: LIMITS.namespace_keys - 1 }, (_, at) => row(at)),
    })
    const path = '/api/v1/namespaces/keyring/keys'
    expect((await addKey(registry, path, added)).code).toBe('too_many')
    expect((await addKey(registry, path, publisher)).status).toBe(200)
    const removed = await registry.call('DELETE', `${path}/${publisher.fingerprint}`, {
      token: registry.admin,
    })
    expect(removed.status).toBe(204)
    expect((await addKey(registry, path, added)).status).toBe(200)
    expect((await addKey(registry, path, publisher)).code).toBe('too_many')
  })
  test('an unknown namespace has none', async () => {
    expect((await registry.call('GET', '/api/v1/namespaces/nobody/keys')).code).toBe('not_found')
    expect((await addKey(registry, '/api/v1/namespaces/nobody/keys', added)).code).toBe('not_found')
  })
  test('a namespace is made once', async () => {
    const answer = await registry.call('POST', '/api/v1/namespaces', {
      token: registry.admin,
      body: { name: 'acme' },
    })
    expect([answer.status, answer.code]).toEqual([409, 'namespace_exists'])
  })
})
