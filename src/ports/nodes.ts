import type { Actor } from '../domain/account.ts'
import type { Digest } from '../domain/names.ts'
import type { NodeFacts, NodeView, Observed } from '../domain/node.ts'
import type { NodeOverview } from '../domain/node-summary.ts'
import type { JoinLabels, JoinTokenView } from '../domain/token.ts'

/** The keys of a node as they are kept, each SPKI DER: its own, the one that it offered, the one that it had before. */
export interface StoredNodeKeys {
  readonly spki: Buffer
  readonly nextSpki?: Buffer
  readonly retiredSpki?: Buffer
}

/** A node as it is kept. */
export interface StoredNode extends StoredNodeKeys {
  readonly id: string
  readonly facts: NodeFacts
}

/** A request that a node signed, as it is remembered. */
interface NodeRequest {
  readonly spki: Buffer
  readonly digest: Buffer
  readonly expiresAt: Date
}

/** Keeps nodes and their newest reports. */
export interface Nodes {
  /** Keeps a join token that lets `maxUses` nodes in, and gives its id. */
  addJoinToken(
    token: { hash: Buffer; maxUses: number; expiresAt: Date } & JoinLabels,
    by: Actor,
  ): Promise<string>
  /** The newest `limit` join tokens by which nodes still can join at `now`. */
  joinTokens(now: Date, limit: number): Promise<JoinTokenView[]>
  /** Ends a join token; nodes that joined by it stay. Throws `not_found`. */
  revokeJoinToken(id: string, by: Actor): Promise<void>
  /**
   * Lets a node in and counts one use of the join token with `tokenHash`, both or neither. A node that is known by the
   * same name and key gets its id again: its answer may have been lost, so that costs no use, unless its facts changed. `address` is
   * where it came from, for the audit.
   * Throws `join_token_refused`, `label_not_allowed`, `node_exists`.
   */
  enrol(
    node: { fingerprint: Digest; spki: Buffer; facts: NodeFacts; address: string | undefined },
    tokenHash: Buffer,
    now: Date,
  ): Promise<string>
  find(id: string): Promise<StoredNode | undefined>
  /** Keeps a key (SPKI DER) that is to replace `from`, in place of any that was offered before. Throws `node_key_retired` when `from` is not the node's. */
  offerKey(id: string, keys: { from: Buffer; to: Buffer }): Promise<void>
  /** Makes the key that was offered the node's, and its own the retired one; nothing when it is already. Throws `node_unauthenticated` for any other. */
  promoteKey(
    id: string,
    key: { fingerprint: Digest; spki: Buffer },
    now: Date,
    address: string | undefined,
  ): Promise<void>
  /** Keeps a node's newest report. */
  report(id: string, observed: Observed, receivedAt: Date): Promise<void>
  /**
   * Takes a request of a node once, remembered by its digest until `expiresAt`: `seen` when it was taken before, `other_key` when
   * the key that signed it (SPKI DER) is at this moment neither the node's nor the one that it offered, or the node is gone.
   */
  takeRequest(id: string, request: NodeRequest): Promise<'taken' | 'seen' | 'other_key'>
  /** Forgets a node: its key opens nothing any more. Throws `not_found`. */
  remove(id: string, by: Actor): Promise<void>
  /** All nodes by name; `lastSeenAt` is the time of the newest report. */
  list(): Promise<NodeView[]>
  /** One node. Throws `not_found`. */
  view(id: string): Promise<NodeView>
  /** When the newest report of a node came; undefined without one, and for a node that is not known. */
  reportedAt(id: string): Promise<Date | undefined>
  /** All nodes by name, with what a list shows of their reports. */
  overview(): Promise<NodeOverview[]>
}
