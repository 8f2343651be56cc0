import {
  type RequestHeaders,
  type SignedRequest as RequestParts,
  verifyRequest,
} from '../attest/http-signature.ts'
import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { openNodeKeyOffer } from '../attest/node-key.ts'
import { DomainError } from '../domain/errors.ts'
import type { NodeKeyOffer } from '../domain/node-key.ts'
import type { Nodes, StoredNodeKeys } from '../ports/nodes.ts'

/** A request with all that its signature covers, and the signature. */
export type SignedRequest = RequestParts & { readonly headers: RequestHeaders }

/** The keys of a node: the one that it has, the one that it offered, and the one that it had before. */
export interface NodeKeys {
  readonly current: PublicKey
  readonly next?: PublicKey
  readonly retired?: PublicKey
}

/** Reads the keys of a node as they are kept. Throws `invalid_key`. */
export const nodeKeys = ({ spki, nextSpki, retiredSpki }: StoredNodeKeys): NodeKeys => ({
  current: parsePublicKey(spki),
  ...(nextSpki === undefined ? {} : { next: parsePublicKey(nextSpki) }),
  ...(retiredSpki === undefined ? {} : { retired: parsePublicKey(retiredSpki) }),
})

/**
 * Checks a request's signature against the keys of its node, and says which holds: the one that it has or the one that it
 * offered. Throws `node_key_retired` when it is the one that it had before, else `node_unauthenticated`.
 */
export function verifyByKeys(
  request: SignedRequest,
  { current, next, retired }: NodeKeys,
  now: Date,
): ReturnType<typeof verifyRequest> & { key: PublicKey } {
  const by = (key: PublicKey) => ({ ...verifyRequest(request, key, now), key })
  try {
    return by(current)
  } catch (refusal) {
    if (next !== undefined && holds(() => by(next))) return by(next)
    if (retired !== undefined && holds(() => by(retired))) throw retiredKey(retired, current)
    throw refusal
  }
}

/** Refuses a key that a request was proven with, and that is no longer the node's. Throws `node_key_retired`. */
export function requireSameKey(proven: PublicKey, { current }: NodeKeys): void {
  if (proven.fingerprint !== current.fingerprint) throw retiredKey(proven, current)
}

const retiredKey = (old: PublicKey, current: PublicKey): DomainError =>
  new DomainError(
    'node_key_retired',
    `the request is signed with ${old.fingerprint}, which the node replaced by ${current.fingerprint}`,
  )

/**
 * Takes the key that a node offers, which replaces its own with the first request that is signed with it. A node that has it
 * already, because an answer was lost, is done. Throws `invalid_key`.
 */
export async function takeKeyOffer(
  nodes: Pick<Nodes, 'offerKey'>,
  { id, keys }: { readonly id: string; readonly keys: NodeKeys },
  offer: NodeKeyOffer,
): Promise<void> {
  const { current, retired } = keys
  const isOf = (key: PublicKey | undefined): boolean => key?.spki.toString('base64') === offer.publicKey
  if (isOf(current)) return
  if (isOf(retired)) throw new DomainError('invalid_key', 'the node had this key before: make a new one')
  const { spki } = openNodeKeyOffer(id, current.fingerprint, offer)
  await nodes.offerKey(id, { from: current.spki, to: spki })
}

/** Whether a check passes. */
function holds(check: () => unknown): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}
