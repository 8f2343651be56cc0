import type { Actor } from '../domain/account.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { Revocation, RevocationView } from '../domain/revocation.ts'
import type { Signer } from '../domain/signer.ts'
import type { Readable } from './catalog.ts'

/** A revocation whose signature held, by whom it is. */
export interface VerifiedRevocation {
  readonly revocation: Revocation
  /** The envelope or bundle, byte for byte. */
  readonly envelope: string
  readonly signer: Signer
  /** Whether the signer is an operator, whatever else he is. */
  readonly byOperator: boolean
  /** Of a signer who is a key. */
  readonly spki: Buffer | undefined
}

/** Keeps revocations, for ever. */
export interface Revocations {
  /**
   * Puts one into force: releases are marked, functions resolve anew, both logs say so, all in one transaction. What its
   * signer revoked before stays as he revoked it first, and that revocation is given. Throws `not_found`,
   * `version_not_found`, `too_many_revocations` for one by no operator.
   */
  add(revocation: VerifiedRevocation, by: Actor): Promise<RevocationView>
  /** The newest `limit` that one may see, of one program, or of all. */
  list(program: ProgramId | undefined, readable: Readable, limit: number): Promise<RevocationView[]>
  /** One by the digest of its envelope; undefined also for one that one may not see. */
  find(digest: Digest, readable: Readable): Promise<RevocationView | undefined>
}
