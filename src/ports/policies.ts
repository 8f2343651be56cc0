import type { Actor } from '../domain/account.ts'
import type { Labels } from '../domain/function.ts'
import type { PolicyDocument } from '../domain/policy-document.ts'

/** A policy whose signature held. */
interface VerifiedPolicy {
  readonly document: PolicyDocument
  /** The envelope, byte for byte. */
  readonly envelope: string
  /** The owner's key, SPKI DER. */
  readonly owner: Buffer
}

/** The newest revision of a policy, and all that its revisions ever selected. */
export interface PolicyHead extends Omit<VerifiedPolicy, 'document'> {
  readonly name: string
  readonly revision: number
  readonly selector: Labels
  readonly selectors: readonly Labels[]
  readonly appliedAt: Date
}

/** Keeps the policies that owners signed for their nodes. */
export interface Policies {
  /** By name. */
  heads(): Promise<PolicyHead[]>
  /**
   * Keeps a revision. Throws `policy_owner_changed` unless the newest is of the same owner or `anyOwner`, `revision_conflict`
   * unless it is higher than the newest, `too_many`.
   */
  put(policy: VerifiedPolicy, anyOwner: boolean, by: Actor): Promise<PolicyHead>
}
