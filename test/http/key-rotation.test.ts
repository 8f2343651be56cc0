import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '../../src/attest/http-signature.ts'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { nodeRegistry } from '../../src/client/node-registry.ts'
import { AuditPage } from '../../src/domain/audit.ts'
import { asDomainError } from '../../src/domain/errors.ts'
import { NodeList } from '../../src/domain/node.ts'
import { type EnrolledNode, enrolledNode, keyOffer } from './enrolled-node.ts'
import { newKey } from './release-builder.ts'
import { callAt, type RunningRegistry, startBeside, startRegistry } from './running-registry.ts'

type Place = Pick<RunningRegistry, 'url' | 'close'>
/** Races lose themselves: so many are run. */
const RACES = 12
let races = 0

let first: RunningRegistry
let second: Place
/** Hears of no change by another registry: whatever it knows of them it looked up. */
let deaf: Place
beforeAll(async () => {
  first = await startRegistry()
  second = await startBeside(first)
  deaf = await startBeside(first, { isDeaf: true })
  // what was signed in the second in which a registry started is refused there
  await pause(1100)
})
afterAll(async () => {
  await deaf?.close()
  await second?.close()
  await first?.close()
})

/** What a registry answers to a node's question by one of its keys: the status, or the code of its refusal. */
async function ask({ url }: Place, { id }: EnrolledNode, key: PrivateKey): Promise<number | string> {
  const path = `/api/v1/nodes/${id}/desired`
  const headers = signRequest({ method: 'GET', path, body: Buffer.alloc(0), keyId: id }, key)
  const { status, code } = await callAt(url, 'GET', path, { headers })
  return code ?? status
}
const everywhere = (node: EnrolledNode, key: PrivateKey): Promise<(number | string)[]> =>
  Promise.all([first, second, deaf].map((place) => ask(place, node, key)))
/** Replaces a node's key as its agent does; gives the code of the refusal. */
const rotate = ({ url }: Place, { id, key }: EnrolledNode, next: PrivateKey): Promise<string | undefined> =>
  nodeRegistry(url, { id, key })
    .changeKey(next)
    .then(
      () => undefined,
      (refusal: unknown) => asDomainError(refusal).code,
    )
/** Offers a key and goes no further: the proof may be sent to another registry. */
async function offer({ url }: Place, node: EnrolledNode, next: PrivateKey): Promise<void> {
  const { path, ...request } = keyOffer(node, next)
  expect((await callAt(url, 'POST', path, request)).status).toBe(204)
}
async function keyOf({ id }: EnrolledNode): Promise<string | undefined> {
  const { json } = await first.call('GET', '/api/v1/nodes', { token: first.admin })
  return NodeList.parse(json).nodes.find((node) => node.id === id)?.key
}
async function changesOf(name: string): Promise<number> {
  const path = '/api/v1/audit?action=node.key&limit=100'
  const { records } = AuditPage.parse((await first.call('GET', path, { token: first.admin })).json)
  return records.filter(({ subject }) => subject === name).length
}

describe('a key that is replaced at one of several registries on one database', () => {
  test.each([
    ['that hears of it', () => second],
    ['that heard of nothing', () => deaf],
  ])('is refused at once by another %s, which takes the new one', async (what, place) => {
    const node = await enrolledNode(first, `turned-${what.replaceAll(' ', '-')}`)
    const next = newKey('ed25519')
    expect(await ask(place(), node, node.key)).toBe(200) // it remembers this key from now on
    expect(await rotate(first, node, next)).toBe(undefined)
    expect(await ask(place(), node, node.key)).toBe('node_key_retired')
    expect(await ask(place(), node, next)).toBe(200)
    expect(await everywhere(node, node.key)).toEqual(Array(3).fill('node_key_retired'))
  })
  test('is refused where the first thing that is heard of the node is the old key', async () => {
    const node = await enrolledNode(first, 'unheard-of')
    expect(await rotate(second, node, newKey('ed25519'))).toBe(undefined)
    expect(await ask(deaf, node, node.key)).toBe('node_key_retired')
  })
  test('may be offered at one and proven at another, which remembers neither', async () => {
    const node = await enrolledNode(first, 'balanced')
    const next = newKey('ed25519')
    expect(await everywhere(node, node.key)).toEqual([200, 200, 200])
    expect(await everywhere(node, next)).toEqual(Array(3).fill('node_unauthenticated'))
    await offer(first, node, next)
    expect(await ask(deaf, node, next)).toBe(200)
    expect(await everywhere(node, next)).toEqual([200, 200, 200])
    expect(await everywhere(node, node.key)).toEqual(Array(3).fill('node_key_retired'))
  })
})

describe('two rotations of one node at once, at two registries', () => {
  const places = (): [Place, Place][] => [
    [first, second],
    [second, deaf],
  ]
  test('to two keys: one wins and is the node’s everywhere, the other opens nothing', async () => {
    for (const [here, there] of Array(RACES / 2)
      .fill(places())
      .flat()) {
      const name = `raced-${++races}`
      const node = await enrolledNode(first, name)
      const [one, other] = [newKey('ed25519'), newKey('ed25519')]
      const refusals = await Promise.all([rotate(here, node, one), rotate(there, node, other)])
      const [won, lost] = refusals[0] === undefined ? [one, other] : [other, one]
      expect(refusals.toSorted()).toEqual(['node_unauthenticated', undefined])
      expect(await keyOf(node)).toBe(won.publicKey.fingerprint)
      expect(await everywhere(node, won)).toEqual([200, 200, 200])
      expect(await everywhere(node, lost)).toEqual(Array(3).fill('node_unauthenticated'))
      expect(await everywhere(node, node.key)).toEqual(Array(3).fill('node_key_retired'))
      expect(await changesOf(name)).toBe(1)
    }
  })
  test('to one key, as of a node that asks again elsewhere: both end well, and it is one change', async () => {
    for (const [here, there] of Array(RACES / 2)
      .fill(places())
      .flat()) {
      const name = `raced-${++races}`
      const node = await enrolledNode(first, name)
      const next = newKey('ed25519')
      const refusals = await Promise.all([rotate(here, node, next), rotate(there, node, next)])
      expect(refusals).toEqual([undefined, undefined])
      expect(await everywhere(node, next)).toEqual([200, 200, 200])
      expect(await everywhere(node, node.key)).toEqual(Array(3).fill('node_key_retired'))
      expect(await changesOf(name)).toBe(1)
    }
  })
})

test('a node that is removed at one registry is unknown to another at once', async () => {
  const node = await enrolledNode(first, 'removed')
  expect(await everywhere(node, node.key)).toEqual([200, 200, 200])
  await first.call('DELETE', `/api/v1/nodes/${node.id}`, { token: first.admin })
  expect(await everywhere(node, node.key)).toEqual(Array(3).fill('node_unauthenticated'))
})
