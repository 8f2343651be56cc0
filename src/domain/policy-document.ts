import { z } from 'zod'
import { DomainError } from './errors.ts'
import { Labels } from './function.ts'
import { LIMITS } from './limits.ts'
import { Digest, Name } from './names.ts'
import { PublicKeyText } from './namespace.ts'
import { minAgeSeconds, requireSound, TrustPolicy } from './trust-policy.ts'
import { parseYaml } from './yaml.ts'

/** A policy for the nodes with these labels, as its owners write it. */
const PolicySpec = z.strictObject({
  kind: z.literal('policy'),
  name: Name,
  selector: Labels,
  operators: TrustPolicy.shape.operators,
  programs: TrustPolicy.shape.programs,
})
export type PolicySpec = z.infer<typeof PolicySpec>

/** What an owner signs: a revision of a policy. */
export const PolicyDocument = z.strictObject({
  ...PolicySpec.shape,
  revision: z.int().min(1).max(LIMITS.revision_most),
})
export type PolicyDocument = z.infer<typeof PolicyDocument>

/** A signed policy on its way to nodes; name and revision are only who passes it on says. */
export const SignedPolicy = z.strictObject({
  name: Name,
  revision: z.int().min(1).max(LIMITS.revision_most),
  envelope: z.string().max(LIMITS.policy_envelope_bytes),
})
export type SignedPolicy = z.infer<typeof SignedPolicy>

/** The newest policy that a node accepted under a name, with its owner's key, so that it can be verified again. */
export const AcceptedPolicy = z.strictObject({ ...SignedPolicy.shape, ownerKey: PublicKeyText })
export type AcceptedPolicy = z.infer<typeof AcceptedPolicy>

/** A signed policy to keep, with the key that its signature is held against. */
export const PolicyUpload = z.strictObject({
  envelope: SignedPolicy.shape.envelope,
  publicKey: PublicKeyText,
})
export type PolicyUpload = z.infer<typeof PolicyUpload>

/** A policy as it is kept: whose it is, and what it says. */
export const PolicyView = z.strictObject({
  ...SignedPolicy.shape,
  owner: Digest,
  selector: Labels,
  appliedAt: z.iso.datetime(),
})
export type PolicyView = z.infer<typeof PolicyView>

/** All policies by name. */
export const PolicyList = z.strictObject({ policies: z.array(PolicyView) })

/** Reads a policy file; `what` is what messages call it. Throws `invalid_policy`, `too_large`. */
export const parsePolicySpec = (text: string, what = 'policy'): PolicySpec =>
  parseYaml(text, PolicySpec, { code: 'invalid_policy', what, maxBytes: LIMITS.policy_bytes })

/**
 * What a node obeys under its own trust.yaml, `local`, and the policy of its owners: operators and rules of theirs, each no
 * weaker than the floor. Throws `invalid_policy`.
 */
export function underFloor<T extends TrustPolicy>(local: T, { name, operators, programs }: PolicySpec): T {
  const { minSigners = 1, minAge = '0s' } = local.floor ?? {}
  const rules = programs.map((rule) => ({
    ...rule,
    minSigners: Math.max(rule.minSigners, minSigners),
    minAge: minAgeSeconds(rule) < minAgeSeconds({ minAge }) ? minAge : rule.minAge,
  }))
  const { owners: _, floor: __, ...rest } = local
  requireSound({ ...rest, operators, programs: rules }, `policy ${name}`)
  const patterns = rules.map(({ match }) => match)
  const twice = patterns.find((pattern, at) => patterns.indexOf(pattern) !== at)
  if (twice !== undefined)
    throw new DomainError('invalid_policy', `policy ${name}: two rules match "${twice}"`)
  return { ...local, operators, programs: rules }
}
