import type { TrustedRoot } from '../attest/trusted-root.ts'
import type { Digest } from '../domain/names.ts'
import type { TrustPolicy } from '../domain/trust-policy.ts'

/** What a node's owner allows, with the trusted root that it names, if it does. */
export interface NodePolicy extends TrustPolicy {
  readonly root?: TrustedRoot | undefined
  /** SHA-256 of policy and trusted root: what was verified under it need not be verified again. Without one, all is. */
  readonly digest?: Digest | undefined
}
