import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditPage } from '../../src/domain/audit.ts'
import { JoinTokenList, NewJoinToken } from '../../src/domain/token.ts'
import { enrol, factsOf } from './enrolled-node.ts'
import { newKey } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
let operator: string
beforeAll(async () => {
  registry = await startRegistry()
  operator = await registry.account('ops', { fleet: 'operator' })
})
afterAll(() => registry.close())

const make = async (wishes: object = {}): Promise<NewJoinToken> => {
  const answer = await registry.call('POST', '/api/v1/join-tokens', { token: operator, body: wishes })
  return NewJoinToken.parse(answer.json)
}
const list = async () =>
  JoinTokenList.parse((await registry.call('GET', '/api/v1/join-tokens', { token: operator })).json)
    .joinTokens
const revoke = (id: string, token = operator): Promise<Answer> =>
  registry.call('DELETE', `/api/v1/join-tokens/${id}`, { token })
const join = (secret: string, name: string): Promise<Answer> =>
  enrol(registry, secret, newKey('ed25519'), factsOf(name))

test('a join token is listed with what it allows, uses and maker, never with its secret', async () => {
  const made = await make({ labels: { role: 'edge' }, freeLabels: ['rack'], maxUses: 3 })
  expect((await join(made.secret, 'first')).status).toBe(201)
  const answer = await registry.call('GET', '/api/v1/join-tokens', { token: registry.admin })
  expect(answer.bytes.toString()).not.toContain(made.secret)
  expect((await list()).find(({ id }) => id === made.id)).toEqual({
    ...{ id: made.id, labels: { role: 'edge' }, freeLabels: ['rack'], maxUses: 3, uses: 1 },
    ...{ createdBy: 'person:ops', createdAt: expect.any(String), expiresAt: made.expiresAt },
  })
})
test('one that is used up, or over, is not listed', async () => {
  const [used, over] = [await make(), await make()]
  expect((await join(used.secret, 'only')).status).toBe(201)
  await registry.database.prisma.joinToken.update({
    where: { id: over.id },
    data: { expiresAt: new Date(Date.now() - 1) },
  })
  const ids = (await list()).map(({ id }) => id)
  expect(ids).not.toContain(used.id)
  expect(ids).not.toContain(over.id)
})
test('one that is revoked lets nobody in; who joined by it stays, and the audit says who ended it', async () => {
  const made = await make({ maxUses: 2 })
  const key = newKey('ed25519')
  expect((await enrol(registry, made.secret, key, factsOf('staying'))).status).toBe(201)
  expect((await revoke(made.id, registry.admin)).status).toBe(204)
  expect((await join(made.secret, 'late')).code).toBe('join_token_refused')
  expect((await list()).map(({ id }) => id)).not.toContain(made.id)
  const nodes = await registry.call('GET', '/api/v1/nodes', { token: operator })
  expect(nodes.bytes.toString()).toContain('"staying"')
  const { json } = await registry.call('GET', '/api/v1/audit?action=join-token.revoke', {
    token: registry.admin,
  })
  expect(AuditPage.parse(json).records).toMatchObject([{ actor: 'person:admin', subject: made.id }])
  expect((await revoke(made.id)).code).toBe('not_found')
})
test('who may let no node in sees and ends none', async () => {
  const made = await make()
  const viewer = await registry.account('looks', { fleet: 'viewer' })
  expect((await registry.call('GET', '/api/v1/join-tokens', { token: viewer })).code).toBe('forbidden')
  expect((await revoke(made.id, viewer)).code).toBe('forbidden')
  const reader = await registry.token({ scopes: ['read', 'order'] }, 'ops')
  expect((await revoke(made.id, reader)).code).toBe('scope_missing')
  expect((await list()).map(({ id }) => id)).toContain(made.id)
})
