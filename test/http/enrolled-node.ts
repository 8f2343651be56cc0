import { signRequest } from '../../src/attest/http-signature.ts'
import { generateKeyPair, type PrivateKey, parsePrivateKey } from '../../src/attest/keys.ts'
import { offerNodeKey } from '../../src/attest/node-key.ts'
import { signOrder } from '../../src/attest/order.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { Desired, Enrolled, type NodeFacts, type Observed } from '../../src/domain/node.ts'
import { NewJoinToken } from '../../src/domain/token.ts'
import type { Answer, CallOptions, RunningRegistry } from './running-registry.ts'

type Registry = Pick<RunningRegistry, 'call' | 'admin'>

/** What a test node says of itself. */
export const factsOf = (name: string, labels: Record<string, string> = {}): NodeFacts => ({
  ...{ name, labels, kernel: '6.1.0', arch: 'x86_64', agent: '0.1.0' },
})

/** A new join token's secret; without other wishes it lets a node choose its labels. */
export async function joinToken(registry: Registry, wishes: object = {}): Promise<string> {
  const body = { freeLabels: ['*'], ...wishes }
  const answer = await registry.call('POST', '/api/v1/join-tokens', { token: registry.admin, body })
  return NewJoinToken.parse(answer.json).secret
}

/** The request to join with a key, signed by it; or, for a liar, by another one or under another name. */
export function enrolment(
  token: string,
  key: PrivateKey,
  facts: NodeFacts,
  { signer = key, keyId = key.fingerprint }: { signer?: PrivateKey; keyId?: string } = {},
): { body: Buffer; headers: Record<string, string> } {
  const publicKey = key.publicKey.spki.toString('base64')
  const body = Buffer.from(JSON.stringify({ token, publicKey, facts }))
  const request = { method: 'POST', path: '/api/v1/nodes', body, keyId }
  return { body, headers: { ...signRequest(request, signer), 'content-type': 'application/json' } }
}

/** Asks to join with a key; the whole answer, so that refusals can be looked at. */
export const enrol = (
  registry: Registry,
  token: string,
  key: PrivateKey,
  facts: NodeFacts,
): Promise<Answer> => registry.call('POST', '/api/v1/nodes', enrolment(token, key, facts))

/** The request to replace a node's key, signed by the one that it has. */
export function keyOffer(
  { id, key }: Pick<EnrolledNode, 'id' | 'key'>,
  next: PrivateKey,
): { path: string; body: Buffer; headers: Record<string, string> } {
  const path = `/api/v1/nodes/${id}/key`
  const body = Buffer.from(JSON.stringify(offerNodeKey(id, key.publicKey.fingerprint, next)))
  return { path, body, headers: { ...signRequest({ method: 'POST', path, body, keyId: id }, key) } }
}

/** A node that joined: its id, its key, and its signed requests. */
export interface EnrolledNode {
  readonly id: string
  readonly key: PrivateKey
  /** A signed request; `body` is sent as JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** Its desired state now, with the tag. */
  desired(): Promise<{ desired: Desired; etag: string }>
  /** Waits for another desired state than `etag`. */
  poll(etag: string, wait_s: number, options?: CallOptions): Promise<Answer>
}

/** Joins a new node. */
export async function enrolledNode(
  registry: Registry,
  name: string,
  labels: Record<string, string> = {},
): Promise<EnrolledNode> {
  const key = parsePrivateKey(generateKeyPair('ed25519').privateKey)
  const answer = await enrol(registry, await joinToken(registry), key, factsOf(name, labels))
  const { id } = Enrolled.parse(answer.json)
  const call: EnrolledNode['call'] = (method, path, options = {}) => {
    const body = options.body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(options.body))
    const signed = signRequest({ method, path, body, keyId: id }, key)
    return registry.call(method, path, {
      ...options,
      ...(options.body === undefined ? {} : { body }),
      headers: { ...signed, ...options.headers },
    })
  }
  const path = `/api/v1/nodes/${id}/desired`
  return {
    ...{ id, key, call },
    desired: async () => {
      const { json, headers } = await call('GET', path)
      return { desired: Desired.parse(json), etag: headers.get('etag') ?? '' }
    },
    poll: (etag, wait_s, options) =>
      call('GET', `${path}?wait=${wait_s}`, { ...options, headers: { 'if-none-match': etag } }),
  }
}

/** A signed order to apply a function; `spec` overrides its fields. */
export const applyOrder = (name: string, revision: number, key: PrivateKey, spec: object = {}): string =>
  signOrder(
    {
      kind: 'apply',
      revision,
      function: FunctionSpec.parse({
        ...{ kind: 'function', name, selector: {}, interfaces: ['eth*'] },
        instances: [{ use: 'acme/limit@^1.0' }],
        ...spec,
      }),
    },
    key,
  )

/** A signed removal. */
export const removeOrder = (name: string, revision: number, key: PrivateKey): string =>
  signOrder({ kind: 'remove', revision, name }, key)

/** Sends an order, by default with the admin token. */
export const putFunction = (registry: Registry, name: string, envelope: string, token = registry.admin) =>
  registry.call('PUT', `/api/v1/functions/${name}`, { token, body: { envelope } })

/** Sends a removal. */
export const deleteFunction = (registry: Registry, name: string, envelope: string) =>
  registry.call('DELETE', `/api/v1/functions/${name}`, { token: registry.admin, body: { envelope } })

/** A report of a node on which nothing runs. */
export const emptyReport = (at = new Date()): Observed => ({
  ...{ at: at.toISOString(), agent: '0.1.0', functions: [], chains: [], errors: [] },
})
