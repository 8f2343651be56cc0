import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '../../src/attest/http-signature.ts'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { offerNodeKey } from '../../src/attest/node-key.ts'
import { AuditPage } from '../../src/domain/audit.ts'
import { NodeList, type NodeView } from '../../src/domain/node.ts'
import { type EnrolledNode, enrol, enrolledNode, factsOf, joinToken, keyOffer } from './enrolled-node.ts'
import { newKey } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.close())

/** A request of a node by one of its keys. */
function ask(id: string, key: PrivateKey, method = 'GET', rest = 'desired', json?: object): Promise<Answer> {
  const path = `/api/v1/nodes/${id}/${rest}`
  const body = Buffer.from(json === undefined ? '' : JSON.stringify(json))
  const headers = signRequest({ method, path, body, keyId: id }, key)
  return registry.call(method, path, json === undefined ? { headers } : { headers, body })
}
const offer = (
  { id, key }: EnrolledNode,
  next: PrivateKey,
  by = key,
  body: object = offerNodeKey(id, key.publicKey.fingerprint, next),
): Promise<Answer> => ask(id, by, 'POST', 'key', body)

async function viewOf(id: string): Promise<NodeView | undefined> {
  const { json } = await registry.call('GET', '/api/v1/nodes', { token: registry.admin })
  return NodeList.parse(json).nodes.find((node) => node.id === id)
}

describe('a node that offers a new key', () => {
  test('goes on with either until the new one is used; then the old one is refused by its own code', async () => {
    const node = await enrolledNode(registry, 'turner')
    const before = await viewOf(node.id)
    const next = newKey('ed25519')
    expect((await offer(node, next)).status).toBe(204)
    expect((await ask(node.id, node.key)).status).toBe(200)
    expect((await viewOf(node.id))?.key).toBe(node.key.publicKey.fingerprint)
    expect((await ask(node.id, next)).status).toBe(200)
    const old = await ask(node.id, node.key)
    expect([old.status, old.code]).toEqual([401, 'node_key_retired'])
    expect((await ask(node.id, next)).status).toBe(200)
    const after = await viewOf(node.id)
    expect(after?.key).toBe(next.publicKey.fingerprint)
    expect(Date.parse(after?.keySince ?? '')).toBeGreaterThan(Date.parse(before?.keySince ?? ''))
    expect(after?.enrolledAt).toBe(before?.enrolledAt)
  })
  test('is recorded once, with both keys, when the new one is first used', async () => {
    const node = await enrolledNode(registry, 'recorded')
    const next = newKey('ed25519')
    await offer(node, next)
    const answers = await Promise.all([1, 2, 3].map(() => ask(node.id, next)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const { json } = await registry.call('GET', '/api/v1/audit?action=node.key', { token: registry.admin })
    const records = AuditPage.parse(json).records.filter(({ subject }) => subject === 'recorded')
    expect(records).toMatchObject([
      {
        address: '127.0.0.1',
        before: { key: node.key.publicKey.fingerprint },
        after: { key: next.publicKey.fingerprint },
      },
    ])
  })
  test('may offer it again after a lost answer, by the old key or the new one', async () => {
    const node = await enrolledNode(registry, 'patient')
    const next = newKey('ed25519')
    for (const by of [node.key, node.key, next, next]) expect((await offer(node, next, by)).status).toBe(204)
    expect((await offer(node, next)).code).toBe('node_key_retired')
    expect((await viewOf(node.id))?.key).toBe(next.publicKey.fingerprint)
  })
  test('may offer another one instead; the first opens nothing', async () => {
    const node = await enrolledNode(registry, 'undecided')
    const [first, second] = [newKey('ed25519'), newKey('ed25519')]
    await offer(node, first)
    await offer(node, second)
    expect((await ask(node.id, first)).code).toBe('node_unauthenticated')
    expect((await ask(node.id, second)).status).toBe(200)
  })
  test('does not get back the one that it had', async () => {
    const node = await enrolledNode(registry, 'returning')
    const next = newKey('ed25519')
    await offer(node, next)
    await ask(node.id, next)
    const body = offerNodeKey(node.id, next.publicKey.fingerprint, node.key)
    const answer = await offer(node, node.key, next, body)
    expect([answer.status, answer.code]).toEqual([400, 'invalid_key'])
    const joining = await enrol(registry, await joinToken(registry), node.key, factsOf('returning'))
    expect(joining.code).toBe('node_exists')
  })
})

describe('an offer is refused', () => {
  test('whose proof is by another key, for another node, or from another key', async () => {
    const node = await enrolledNode(registry, 'forged')
    const [next, other] = [newKey('ed25519'), newKey('ed25519')]
    const [from, publicKey] = [node.key.publicKey.fingerprint, next.publicKey.spki.toString('base64')]
    const lies = [
      { ...offerNodeKey(node.id, from, other), publicKey },
      { ...offerNodeKey(node.id, from, node.key), publicKey },
      offerNodeKey('another-node', from, next),
      offerNodeKey(node.id, other.publicKey.fingerprint, next),
    ]
    for (const lie of lies) {
      const answer = await offer(node, next, node.key, lie)
      expect([answer.status, answer.code]).toEqual([400, 'invalid_key'])
    }
    expect((await ask(node.id, next)).code).toBe('node_unauthenticated')
    expect((await offer(node, next)).status).toBe(204)
  })
  test('of a key that cannot sign requests', async () => {
    const node = await enrolledNode(registry, 'wrong-kind')
    const publicKey = newKey('p256').publicKey.spki.toString('base64')
    const { proof } = offerNodeKey(node.id, node.key.publicKey.fingerprint, newKey('ed25519'))
    expect((await offer(node, node.key, node.key, { publicKey, proof })).code).toBe('invalid_key')
  })
  test('that is not signed by the node, or for another node', async () => {
    const [node, stranger] = [await enrolledNode(registry, 'mine'), await enrolledNode(registry, 'theirs')]
    const next = newKey('ed25519')
    expect((await offer(node, next, next)).code).toBe('node_unauthenticated')
    expect((await offer(node, next, stranger.key)).code).toBe('node_unauthenticated')
    const path = `/api/v1/nodes/${node.id}/key`
    const body = offerNodeKey(node.id, node.key.publicKey.fingerprint, next)
    expect((await stranger.call('POST', path, { body })).code).toBe('forbidden')
  })
  test('that is sent a second time: a listener does not put back what was offered before', async () => {
    const node = await enrolledNode(registry, 'overheard')
    const [first, second] = [newKey('ed25519'), newKey('ed25519')]
    const { path, ...request } = keyOffer(node, first)
    expect((await registry.call('POST', path, request)).status).toBe(204)
    expect((await offer(node, second)).status).toBe(204)
    expect((await registry.call('POST', path, request)).code).toBe('node_unauthenticated')
    expect((await ask(node.id, second)).status).toBe(200)
  })
})
