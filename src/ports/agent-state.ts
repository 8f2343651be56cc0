import type { ChainRecord } from '../domain/generation.ts'
import type { BelievedRevocation, KeptLog } from '../domain/kept-log.ts'
import type { LogName } from '../domain/log.ts'
import type { Digest } from '../domain/names.ts'
import type { AcceptedOrder, Desired, Identity, Observed, Proven } from '../domain/node.ts'
import type { AcceptedPolicy } from '../domain/policy-document.ts'

/** What an agent keeps on disk. A write is durable when it returns, and whole after a crash. */
export interface AgentState {
  identity(): Promise<Identity | undefined>
  saveIdentity(identity: Identity): Promise<void>
  acceptedOrders(): Promise<AcceptedOrder[]>
  saveAcceptedOrder(order: AcceptedOrder): Promise<void>
  /** The newest policy of owners that was accepted under each name. */
  acceptedPolicies(): Promise<AcceptedPolicy[]>
  saveAcceptedPolicy(policy: AcceptedPolicy): Promise<void>
  /** The last desired state received: as it came, its signatures are checked again at every use. */
  desired(): Promise<Desired | undefined>
  saveDesired(desired: Desired): Promise<void>
  /** What each function was last built from. */
  proven(): Promise<Proven[]>
  saveProven(proven: Proven): Promise<void>
  removeProven(functionName: string): Promise<void>
  /** What is known of a log; undefined for one that was never followed. */
  log(name: LogName): Promise<KeptLog | undefined>
  saveLog(name: LogName, kept: KeptLog): Promise<void>
  /** Every revocation that was ever believed. */
  revocations(): Promise<BelievedRevocation[]>
  saveRevocation(revocation: BelievedRevocation): Promise<void>
  /** A cached file, or undefined. The bytes are not checked: the caller compares the digest. */
  blob(digest: Digest): Promise<Buffer | undefined>
  saveBlob(digest: Digest, bytes: Buffer): Promise<void>
  /** Removes cached files that are not in `keep`. */
  collectBlobs(keep: ReadonlySet<Digest>): Promise<void>
  /** When this node first saw a release with this content; now, if it never did, or if its clock was ahead then. Durable. */
  releaseSeen(content: Digest, now: Date): Promise<Date>
  chains(): Promise<ChainRecord[]>
  saveChain(record: ChainRecord): Promise<void>
  removeChain(key: string): Promise<void>
  /** Keeps a verifier's whole log for the operator; gives where. */
  saveVerifierLog(name: string, log: string): Promise<string>
  /** The report as others on this host may read it; not durable, it is written anew all the time. */
  saveStatus(observed: Observed): Promise<void>
}
