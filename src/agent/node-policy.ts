import type { TrustedRoot } from '../attest/trusted-root.ts'
import type { TrustPolicy } from '../domain/trust-policy.ts'

/** What a node's owner allows, with the trusted root that it names, if it does. */
export interface NodePolicy extends TrustPolicy {
  readonly root?: TrustedRoot | undefined
}
