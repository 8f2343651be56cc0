import { sha256Digest } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { EntryRecord, FunctionPart, GenerationRecord } from '../domain/generation.ts'
import type { ChainSite } from '../ports/chain-kernel.ts'
import type { ReadyEntry } from './instance.ts'

/** A chain that is to run: the entries of its functions, in order. */
export interface WantedChain {
  readonly site: ChainSite
  readonly functions: readonly FunctionPart[]
  readonly entries: readonly ReadyEntry[]
}

/** What came of bringing chains to where they are wanted. */
export interface Brought {
  /** Chains that were switched. */
  readonly changed: readonly WantedChain[]
  /** Chains that could not be switched, with what the kernel said; they run as before. */
  readonly failures: readonly { readonly chain: WantedChain; readonly error: DomainError }[]
}

/** A change that waits to be confirmed, and the functions that it changed. */
export interface UnconfirmedChange {
  readonly key: string
  readonly functions: readonly string[]
}

/** What of a function runs and was revoked. */
export type RevokedPart = Pick<EntryRecord, 'function' | 'instance' | 'release'>

/** A chain that could not be built: nothing was switched, and all that was built for it is gone. */
export class BuildRefused extends Error {
  readonly chain: WantedChain
  readonly error: DomainError
  constructor(chain: WantedChain, error: DomainError) {
    super(error.message, { cause: error })
    this.chain = chain
    this.error = error
  }
}

/** Everything that makes a chain what it is. Revisions are no part of it: an order that changes nothing builds nothing. */
export const specDigest = (entries: readonly ReadyEntry[]): GenerationRecord['spec'] =>
  sha256Digest(Buffer.from(JSON.stringify(entries.map(({ record }) => record.spec))))

/** An error that says where. */
export const onSite = (error: DomainError, { at, hook }: ChainSite): DomainError =>
  new DomainError(error.code, `on ${at.name} (${hook}): ${error.message}`, {
    cause: error,
    ...(error.log === undefined ? {} : { log: error.log }),
    ...(error.entry === undefined ? {} : { entry: error.entry }),
  })
