import { createHash } from 'node:crypto'
import { type RequestHeaders, signatureKeyId, verifyRequest } from '../attest/http-signature.ts'
import { parsePublicKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Enrolment, NodeView, Observed } from '../domain/node.ts'
import type { NodeKeyOffer } from '../domain/node-key.ts'
import type { NodeOverview } from '../domain/node-summary.ts'
import type { ChangeNotices } from '../ports/change-notices.ts'
import type { Clock } from '../ports/clock.ts'
import type { Nodes, StoredNode } from '../ports/nodes.ts'
import {
  type NodeKeys,
  nodeKeys,
  requireSameKey,
  type SignedRequest,
  takeKeyOffer,
  verifyByKeys,
} from './node-keys.ts'
import { rememberNonces } from './nonces.ts'
import { hashSecret } from './secrets.ts'

/** A node that is known here, by the keys that its requests may be signed with. */
export interface KnownNode {
  readonly id: string
  readonly name: string
  readonly labels: Labels
  readonly keys: NodeKeys
}

/** What the registry does with nodes. */
export interface NodeDesk {
  /**
   * Lets a node in, which proves by the request's signature that it has the private half of the key that it brings. `address` is
   * where the request came from, here and below; the audit has it.
   * Throws `invalid_key`, `node_unauthenticated`, `join_token_refused`, `node_exists`.
   */
  enrol(enrolment: Enrolment, request: SignedRequest, address: string): Promise<{ id: string }>
  /** The node that a request claims to come from, not yet proven. Throws `node_unauthenticated`. */
  claimed(headers: RequestHeaders): Promise<KnownNode>
  /**
   * Proves the claim: signature, time, and that it was not made before. With the first request by the key that the node
   * offered, that is its key. Gives the node with the keys by which it was proven. Throws `node_unauthenticated`,
   * `node_key_retired`.
   */
  prove(node: KnownNode, request: SignedRequest, address: string): Promise<KnownNode>
  /**
   * The node as it is now, for a request that was proven a while ago: what it waited for is answered to a node that is known
   * still, by the key that it asked with. Throws `node_unauthenticated`, `node_key_retired`.
   */
  knownStill(node: KnownNode): Promise<KnownNode>
  /** Takes the key that is to replace a node's. Throws `invalid_key`. */
  offerKey(node: KnownNode, offer: NodeKeyOffer): Promise<void>
  report(node: KnownNode, observed: Observed): Promise<void>
  list(): Promise<NodeView[]>
  /** One node. Throws `not_found`. */
  view(id: string): Promise<NodeView>
  /** When a node's newest report came; undefined without one. */
  reportedAt(id: string): Promise<Date | undefined>
  /** All nodes by name, with what a list shows of them. */
  overview(): Promise<NodeOverview[]>
}

/** Opens the desk; it remembers nonces and nodes, and when each was last seen. */
export function openNodeDesk(nodes: Nodes, notices: ChangeNotices, clock: Clock): NodeDesk {
  const nonces = rememberNonces(clock)
  const find = rememberNodes(nodes, notices)
  const lastSeen = new Map<string, Date>()
  /** A question is heard of a node, too, and newer than its last report. */
  const seenLast = <T extends Pick<NodeView, 'id' | 'lastSeenAt'>>(node: T): T => {
    const seen = lastSeen.get(node.id)?.toISOString()
    return seen !== undefined && seen > (node.lastSeenAt ?? '') ? { ...node, lastSeenAt: seen } : node
  }
  const keysNow = async (id: string): Promise<NodeKeys> => nodeKeys((await nodes.find(id)) ?? unknownNode(id))
  /** Keys that are remembered may be older than one that another registry took: they refuse nobody. */
  const verified = async (id: string, remembered: NodeKeys, request: SignedRequest) => {
    const by = (keys: NodeKeys) => ({ keys, ...verifyByKeys(request, keys, clock()) })
    try {
      return by(remembered)
    } catch {
      return by(await keysNow(id))
    }
  }
  return {
    enrol: async ({ token, publicKey, facts }, request, address) => {
      const key = parsePublicKey(Buffer.from(publicKey, 'base64'))
      if (key.algorithm !== 'ed25519')
        throw new DomainError('invalid_key', 'a node needs an Ed25519 key: its requests are signed with it')
      const { fingerprint, spki } = key
      // Somebody else's public key: who cannot sign with it would take its name, or its owner's, for himself.
      const proven = verifyRequest(request, key, clock())
      if (proven.keyId !== fingerprint)
        throw new DomainError(
          'node_unauthenticated',
          `the request is signed as ${proven.keyId}, not ${fingerprint}`,
        )
      nonces.requireUnseen(proven)
      const id = await nodes.enrol({ fingerprint, spki, facts, address }, hashSecret(token), clock())
      // remembered only now: keys are free, and who has no token must not fill the memory with nonces
      nonces.use(proven)
      return { id }
    },
    claimed: async (headers) => {
      const keyId = signatureKeyId(headers)
      if (keyId === undefined)
        throw new DomainError('node_unauthenticated', 'this needs the signature of a node')
      return (await find(keyId)) ?? unknownNode(keyId)
    },
    prove: async (node, request, address) => {
      const { id } = node
      const { key, keys, keyId, nonce, created } = await verified(id, node.keys, request)
      nonces.use({ keyId, nonce, created })
      // another registry on the same database may have seen it, or taken another key
      const expiresAt = new Date(clock().getTime() + 2 * LIMITS.signature_skew_s * 1000)
      const digest = createHash('sha256').update(`${keyId} ${nonce}`).digest()
      const taken = await nodes.takeRequest(id, { spki: key.spki, digest, expiresAt })
      if (taken === 'seen')
        throw new DomainError('node_unauthenticated', 'the request was made before: sign each one anew')
      if (taken === 'other_key') {
        verifyByKeys(request, await keysNow(id), clock()) // says why
        throw new DomainError('node_unauthenticated', `the keys of node ${id} changed this very moment`)
      }
      lastSeen.set(id, clock())
      if (key === keys.current) return { ...node, keys }
      await nodes.promoteKey(id, key, clock(), address)
      return { ...node, keys: await keysNow(id) }
    },
    knownStill: async ({ id, keys: { current } }) => {
      // as the database has it: a registry that hears of no change answers nobody who is gone
      const row = await nodes.find(id)
      if (row === undefined)
        throw new DomainError('node_unauthenticated', `node ${id} was removed while it waited`)
      const node = knownNode(id, row)
      requireSameKey(current, node.keys)
      return node
    },
    offerKey: (node, offer) => takeKeyOffer(nodes, node, offer),
    report: (node, observed) => nodes.report(node.id, observed, clock()),
    list: async () => (await nodes.list()).map(seenLast),
    view: async (id) => seenLast(await nodes.view(id)),
    reportedAt: (id) => nodes.reportedAt(id),
    overview: async () => (await nodes.overview()).map(seenLast),
  }
}

function unknownNode(id: string): never {
  throw new DomainError('node_unauthenticated', `node ${id} is not known here: enrol it`)
}

const knownNode = (id: string, row: StoredNode): KnownNode => ({
  ...{ id, name: row.facts.name, labels: row.facts.labels, keys: nodeKeys(row) },
})

/** Nodes poll all the time: each is read once after every change. */
function rememberNodes(
  nodes: Pick<Nodes, 'find'>,
  notices: ChangeNotices,
): (id: string) => Promise<KnownNode | undefined> {
  let known = new Map<string, KnownNode>()
  let as_of = notices.seen
  return async (id) => {
    if (as_of !== notices.seen) {
      known = new Map()
      as_of = notices.seen
    }
    const found = known.get(id)
    if (found !== undefined) return found
    const into = known // a change meanwhile starts a new map, which must not get what was read before it
    const row = await nodes.find(id)
    if (row === undefined) return undefined
    const node = knownNode(id, row)
    into.set(id, node)
    return node
  }
}
