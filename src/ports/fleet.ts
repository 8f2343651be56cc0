import type { Actor } from '../domain/account.ts'
import type { FunctionStep, FunctionView } from '../domain/fleet-function.ts'
import type { Labels, Order } from '../domain/function.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import type { ResolvedUse } from '../domain/resolution.ts'
import type { SignedRevocation } from '../domain/revocation.ts'
import type { StoredKey } from './namespaces.ts'
import type { PolicyHead } from './policies.ts'

/** An order whose signature held. */
export interface VerifiedOrder {
  readonly order: Order
  /** The envelope, byte for byte. */
  readonly envelope: string
  readonly operator: Digest
}

/** The newest order about a function, and all that its revisions ever selected. */
export interface FunctionHead {
  readonly order: Order
  readonly envelope: string
  readonly appliedAt: Date
  readonly selectors: readonly Labels[]
}

/** What lists show of a function: its newest order without configuration, and what its ranges resolve to now. */
export interface FunctionOutline {
  readonly name: string
  readonly order: Order
  readonly operator: Digest
  readonly appliedAt: Date
  readonly resolutions: readonly ResolvedUse[]
}

/** What every node's desired state is made of, read at one moment. */
export interface FleetSnapshot {
  /** By name. */
  readonly heads: readonly FunctionHead[]
  /** What every range of an applied function resolves to, by range. */
  readonly resolutions: readonly ResolvedUse[]
  /** The releases that `resolutions` name, with the SPKI of the keys that signed them, by program and version. */
  readonly releases: readonly { descriptor: ReleaseDescriptor; signers: readonly Buffer[] }[]
  /** Revocations of the programs that are named, and of files, the newest first; without a program those of files. */
  readonly revocations: readonly {
    readonly program: ProgramId | undefined
    /** The operator who signed it; undefined for a publisher's. */
    readonly operator: Digest | undefined
    readonly signed: SignedRevocation
  }[]
  /** SPKI of all operators, by fingerprint. */
  readonly operators: readonly Buffer[]
  /** Policies of owners, by name. */
  readonly policies?: readonly PolicyHead[]
}

/** Keeps operators' keys and their orders. Each change is one transaction together with its audit record. */
export interface Fleet {
  /** By fingerprint. */
  operatorKeys(): Promise<StoredKey[]>
  /** Adds a key, or gives the one that is there. */
  /** A key signs no further orders; those in force stay. Throws `not_found`. */
  removeOperatorKey(fingerprint: Digest, by: Actor): Promise<void>
  addOperatorKey(key: { fingerprint: Digest; spki: Buffer }, by: Actor): Promise<StoredKey>
  /** All functions by name, the removed ones among them. */
  functions(): Promise<FunctionView[]>
  /** The same without their envelopes, which may be large. */
  outlines(): Promise<FunctionOutline[]>
  /** Throws `not_found`. */
  function(name: string): Promise<FunctionView>
  /** The newest `limit` steps, newest first; fewer, but one, where their envelopes have more than `LIMITS.history_bytes`. Throws `not_found`. */
  history(name: string, limit: number): Promise<FunctionStep[]>
  /**
   * Puts an order into force and records its step. Throws `revision_conflict` unless its revision is higher than the
   * one in force, `not_found` for the removal of an unknown function, `too_large` for one function, or bytes, too many.
   */
  putOrder(order: VerifiedOrder, by: Actor): Promise<FunctionView>
  snapshot(): Promise<FleetSnapshot>
}
