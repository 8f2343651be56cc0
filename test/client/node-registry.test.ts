import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { signatureKeyId, verifyRequest } from '../../src/attest/http-signature.ts'
import { nodeRegistry } from '../../src/client/node-registry.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { Observed } from '../../src/domain/node.ts'
import { newKey } from '../attest/craft.ts'
import { HttpDouble, json, type Received } from './double.ts'

let double: HttpDouble | undefined
afterEach(async () => {
  await double?.close()
  double = undefined
})
async function serving(answer: (request: Received, response: ServerResponse) => void): Promise<HttpDouble> {
  double = await HttpDouble.start(answer)
  return double
}

const key = newKey()
const digest = `sha256:${'a'.repeat(64)}`
/** As a registry makes it: the SHA-256 of what it sends. */
const TAG = `"${'0'.repeat(64)}"`
const never = new AbortController().signal
const desired = { functions: [], resolutions: [], releases: [], keys: [], revocations: [] }
const observed: Observed = {
  at: '2026-06-01T12:00:00Z',
  agent: '0.1.0',
  functions: [],
  chains: [],
  errors: [],
}

describe('a node', () => {
  test('signs every request with its key', async () => {
    const { url, requests } = await serving((request, response) =>
      request.path.startsWith('/api/v1/blobs/')
        ? response.end('bytes')
        : json(response, 200, desired, { etag: TAG }),
    )
    const registry = nodeRegistry(url, { id: 'node-1', key })
    expect(await registry.desired(undefined, 0, never)).toEqual({ etag: TAG, desired })
    expect((await registry.blob(digest, 100, never)).toString()).toBe('bytes')
    await registry.report(observed)
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/nodes/node-1/desired?wait=0',
      `GET /api/v1/blobs/${digest}`,
      'PUT /api/v1/nodes/node-1/observed',
    ])
    for (const request of requests) {
      expect(signatureKeyId(request.headers)).toBe('node-1')
      expect(verifyRequest(request, key.publicKey, new Date()).keyId).toBe('node-1')
    }
    expect(JSON.parse(requests[2]?.body.toString() ?? '')).toEqual(observed)
  })

  test('is told nothing new by 304 and sends the tag that it has', async () => {
    const { url, requests } = await serving((_, response) => response.writeHead(304).end())
    expect(await nodeRegistry(url, { id: 'n', key }).desired('"7"', 30, never)).toBeUndefined()
    expect(requests[0]?.headers['if-none-match']).toBe('"7"')
  })

  test('joins with a token, signed as its key’s fingerprint, and then uses the id it was given', async () => {
    const { url, requests } = await serving((request, response) =>
      request.method === 'POST' ? json(response, 201, { id: 'given' }) : json(response, 200, {}),
    )
    const registry = nodeRegistry(url, { key })
    await expect(registry.report(observed)).rejects.toMatchObject({ code: 'node_unauthenticated' })
    await expect(registry.blob(digest, 1, never)).rejects.toMatchObject({ code: 'node_unauthenticated' })
    const facts = { name: 'host', labels: {}, kernel: '6.12', arch: 'x64', agent: '0.1.0' }
    const publicKey = key.publicKey.spki.toString('base64')
    expect(await registry.enrol({ token: 'join', publicKey, facts })).toEqual({ id: 'given' })
    const [joining] = requests
    if (joining === undefined) throw new Error('nothing was sent')
    expect(verifyRequest(joining, key.publicKey, new Date()).keyId).toBe(key.fingerprint)
    expect(JSON.parse(joining.body.toString())).toEqual({ token: 'join', publicKey, facts })
    await registry.report(observed)
    expect(requests[1]?.path).toBe('/api/v1/nodes/given/observed')
  })

  test.each(['', 'a"b', 'a/../b', '..', 'a\r\nb'])('does not take %j for an id', async (id) => {
    const { url } = await serving((_, response) => json(response, 201, { id }))
    const facts = { name: 'host', labels: {}, kernel: '6.12', arch: 'x64', agent: '0.1.0' }
    const joining = nodeRegistry(url, { key }).enrol({ token: 't', publicKey: 'AAAA', facts })
    await expect(joining).rejects.toMatchObject({ code: 'registry_answer' })
  })

  test.each<[string, unknown, Record<string, string>]>([
    ['no tag', desired, {}],
    ['a list missing', { ...desired, keys: undefined }, { etag: TAG }],
    ['an unknown field', { ...desired, run: 'this' }, { etag: TAG }],
  ])('does not take a desired state with %s', async (_, value, headers) => {
    const { url } = await serving((_request, response) => json(response, 200, value, headers))
    const asking = nodeRegistry(url, { id: 'n', key }).desired(undefined, 0, never)
    await expect(asking).rejects.toMatchObject({ code: 'registry_answer' })
  })

  test('stops waiting when it is told to, and says so by the reason it was given', async () => {
    const { url } = await serving(() => {})
    const stop = new AbortController()
    const asking = nodeRegistry(url, { id: 'n', key }).desired(TAG, LIMITS.poll_s, stop.signal)
    setTimeout(() => stop.abort(new Error('stopping')), 50)
    await expect(asking).rejects.toThrow('stopping')
  })

  test('learns that the registry refuses it', async () => {
    const { url } = await serving((_, response) =>
      json(response, 401, { code: 'node_unauthenticated', detail: 'no' }),
    )
    const asking = nodeRegistry(url, { id: 'n', key }).desired(undefined, 0, never)
    await expect(asking).rejects.toMatchObject({ code: 'node_unauthenticated', message: 'no' })
  })
})
