import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditPage } from '../../src/domain/audit.ts'
import { applyOrder, enrolledNode, putFunction } from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
let owner: string
let node: Awaited<ReturnType<typeof enrolledNode>>
beforeAll(async () => {
  registry = await startRegistry()
  const [key, operator] = [newKey(), newKey('ed25519')]
  await openNamespace(registry, 'acme', key)
  owner = await registry.account('owner', { member: { acme: 'owner' } })
  await publishAt(registry, await buildRelease('acme/limit', '1.0.0', key))
  await addKey(registry, '/api/v1/operators/keys', operator)
  node = await enrolledNode(registry, 'node-1')
  await putFunction(registry, 'edge', applyOrder('edge', 1, operator))
  await openNamespace(registry, 'other', key)
  const robot = { name: 'ci', role: 'publisher' }
  await registry.call('POST', '/api/v1/namespaces/acme/robots', { token: registry.admin, body: robot })
})
afterAll(() => registry.close())
const read = async (path: string, token = registry.admin) => {
  const answer = await registry.call('GET', path, { token })
  expect(answer.code).toBeUndefined()
  return AuditPage.parse(answer.json)
}

test('has every change, with who made it and from where', async () => {
  const { records } = await read('/api/v1/audit?limit=100')
  const actions = new Set(records.map(({ action }) => action))
  for (const action of [
    ...[
      'account.create',
      'token.create',
      'namespace.create',
      'namespace.key.add',
      'member.invite',
      'member.add',
    ],
    ...['release.publish', 'operator.key.add', 'join-token.create', 'node.enrol', 'function.apply'],
  ])
    expect(actions).toContain(action)
  const publish = records.find(({ action }) => action === 'release.publish')
  expect(publish).toMatchObject({ actor: 'person:admin', address: '127.0.0.1', subject: 'acme/limit@1.0.0' })
})
test('says of a node that joined by what key it is known, with which labels, and from where', async () => {
  const { records } = await read('/api/v1/audit?action=node.enrol')
  expect(records).toMatchObject([
    {
      ...{ actor: 'node:node-1', address: '127.0.0.1', subject: 'node-1' },
      after: {
        joinToken: expect.any(String),
        id: expect.any(String),
        key: node.key.publicKey.fingerprint,
        labels: expect.any(Object),
      },
    },
  ])
})
test('is read in pages, the newest first, each record once', async () => {
  const ids: string[] = []
  for (let cursor = ''; ; ) {
    const { records, next } = await read(`/api/v1/audit?limit=3${cursor}`)
    ids.push(...records.map(({ id }) => id))
    if (next === undefined) break
    cursor = `&cursor=${next}`
  }
  expect(ids.map(Number)).toEqual(ids.map(Number).toSorted((a, b) => b - a))
  expect(ids).toHaveLength(await registry.database.prisma.audit.count())
})
test('is read by kind, by who did it, and by what it was done to', async () => {
  const kinds = await read('/api/v1/audit?action=member.*')
  expect(kinds.records.length).toBeGreaterThan(1)
  expect(kinds.records.every(({ action }) => action.startsWith('member.'))).toBe(true)
  expect((await read('/api/v1/audit?actor=person:owner')).records.map(({ action }) => action)).toEqual([
    'member.add',
  ])
  expect((await read('/api/v1/audit?subject=edge')).records.map(({ action }) => action)).toEqual([
    'function.apply',
  ])
})
test('of a namespace is for its owners, and of nothing else', async () => {
  const { records } = await read('/api/v1/namespaces/acme/audit?limit=100', owner)
  expect(new Set(records.map(({ subject }) => subject))).toEqual(
    new Set(['acme', 'acme.ci', 'acme/limit@1.0.0']),
  )
  expect((await registry.call('GET', '/api/v1/namespaces/other/audit', { token: owner })).code).toBe(
    'not_found',
  )
})
test('holds no secrets', async () => {
  const text = JSON.stringify((await read('/api/v1/audit?limit=100')).records)
  expect(text).not.toMatch(/hl[tj]_/)
  expect(text.length).toBeGreaterThan(1000)
})
test('cannot be changed, not even by the registry', async () => {
  const { prisma } = registry.database
  await expect(prisma.audit.updateMany({ data: { actor: 'nobody' } })).rejects.toThrow('only ever added to')
  await expect(prisma.audit.deleteMany()).rejects.toThrow('only ever added to')
  await expect(prisma.$executeRaw`TRUNCATE "audit"`).rejects.toThrow('only ever added to')
})
