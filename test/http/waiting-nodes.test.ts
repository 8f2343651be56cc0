import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '../../src/attest/http-signature.ts'
import { offerNodeKey } from '../../src/attest/node-key.ts'
import { Desired } from '../../src/domain/node.ts'
import {
  applyOrder,
  type EnrolledNode,
  enrol,
  enrolledNode,
  factsOf,
  joinToken,
  putFunction,
} from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

const [publisher, operator] = [newKey(), newKey('ed25519')]
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  await addKey(registry, '/api/v1/operators/keys', operator)
  await publishAt(registry, await buildRelease('acme/limit', '1.0.0', publisher))
})
afterAll(() => registry.close())

/** Has a node wait for another desired state; settles once its question has most likely begun to wait. */
async function waiting(node: EnrolledNode): Promise<{ answer: Promise<Answer>; etag: string }> {
  const { etag } = await node.desired()
  const answer = node.poll(etag, 20)
  await new Promise((later) => setTimeout(later, 300))
  return { answer, etag }
}
const order = (role: string, revision = 1) =>
  putFunction(registry, role, applyOrder(role, revision, operator, { selector: { role } }))

describe('a node that waits, when it is answered', () => {
  test('is told what it waited for', async () => {
    const node = await enrolledNode(registry, 'staying', { role: 'staying' })
    const { answer } = await waiting(node)
    await order('staying')
    expect(Desired.parse((await answer).json).functions).toHaveLength(1)
  })
  test('is told nothing when it was removed meanwhile', async () => {
    const node = await enrolledNode(registry, 'leaving', { role: 'leaving' })
    const { answer } = await waiting(node)
    const gone = await registry.call('DELETE', `/api/v1/nodes/${node.id}`, { token: registry.admin })
    expect(gone.status).toBe(204)
    await order('leaving')
    expect(await answer).toMatchObject({
      ...{ status: 401, code: 'node_unauthenticated' },
      json: { detail: expect.stringContaining('removed while it waited') },
    })
  })
  test('is told nothing when the key that it asked with was replaced meanwhile', async () => {
    const node = await enrolledNode(registry, 'turning', { role: 'turning' })
    const { answer } = await waiting(node)
    const next = newKey('ed25519')
    const body = offerNodeKey(node.id, node.key.publicKey.fingerprint, next)
    const path = `/api/v1/nodes/${node.id}`
    expect((await node.call('POST', `${path}/key`, { body })).status).toBe(204)
    // the first request with the new key retires the old one
    const asked = { method: 'GET', path: `${path}/desired`, body: Buffer.alloc(0), keyId: node.id }
    const headers = signRequest(asked, next)
    expect((await registry.call('GET', asked.path, { headers })).status).toBe(200)
    await order('turning')
    expect((await answer).code).toBe('node_key_retired')
  })
  test('is told what is for the labels that it has by then', async () => {
    const node = await enrolledNode(registry, 'moving', { role: 'from' })
    const { answer, etag } = await waiting(node)
    const again = await enrol(
      registry,
      await joinToken(registry),
      node.key,
      factsOf('moving', { role: 'to' }),
    )
    expect(again.json).toEqual({ id: node.id })
    await order('from')
    const unchanged = await answer
    expect([unchanged.status, unchanged.headers.get('etag')]).toEqual([304, etag])
    await order('to')
    expect((await node.desired()).desired.functions.map(({ name }) => name)).toEqual(['to'])
  })
})
