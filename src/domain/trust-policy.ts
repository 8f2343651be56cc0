import { z } from 'zod'
import { Duration, durationSeconds } from './duration.ts'
import { DomainError } from './errors.ts'
import { readLicenseExpression } from './license.ts'
import { LIMITS } from './limits.ts'
import { Digest, ProgramId, Version } from './names.ts'
import { Permission } from './permission.ts'
import { IdentityRule, type SignerRule } from './signer.ts'
import { parseYaml } from './yaml.ts'

const Pattern = z
  .string()
  .regex(/^(\*|[a-z][a-z0-9-]{0,38})\/(\*|[a-z][a-z0-9-]{0,38}\*?)$/, 'namespace/name, namespace/* or */*')

const AcceptedSigner = z.union([z.strictObject({ key: Digest }), IdentityRule])

/** Where a release must have been built, and who must vouch for that; without `signers` those of the release. */
const ProvenanceRule = z.strictObject({
  // one that is not required would check nothing: whoever forges a release leaves it out
  required: z.literal(true).default(true),
  /** Ids of builders, of which only what stands behind @refs/ may end in `*`. */
  builders: z.array(IdentityRule.shape.identity).min(1).max(LIMITS.policy_builders),
  signers: z.array(AcceptedSigner).min(1).optional(),
})

const isLicenseExpression = (text: string): boolean => readLicenseExpression(text) !== undefined

const ProgramRule = z.strictObject({
  match: Pattern,
  signers: z.array(AcceptedSigner).min(1),
  /** How many of them must have signed; each counts once, see {@link distinctSigners}. */
  minSigners: z
    .int()
    .min(1)
    .max(LIMITS.release_bundles + 1)
    .default(1),
  /** What its programs may do besides letting packets pass. */
  permissions: z.array(Permission).default([]),
  /** How long a release must have been there before it runs. */
  minAge: z
    .string()
    .regex(/^\d{1,7}(s|m|h|d)$/, 'a time such as 90s, 15m, 24h or 7d')
    .default('0s'),
  /** SPDX expressions: what a release may be under. */
  licenses: z
    .array(z.string().max(100).refine(isLicenseExpression, 'an SPDX licence expression'))
    .min(1)
    .max(LIMITS.policy_licenses)
    .optional(),
  provenance: ProvenanceRule.optional(),
  minVersion: z.record(ProgramId, Version).default({}),
})
export type ProgramRule = z.infer<typeof ProgramRule>

/** Which log a node follows: by its verifier key (C2SP signed-note), whose name ends in `/catalog`. */
const FollowedLog = z
  .strictObject({
    key: z.string().max(LIMITS.note_key_chars),
    /** After so long without a fresh checkpoint the logs are stale. */
    maxAge: Duration.default('24h'),
    /** What becomes then of what runs: nothing, or as if it were revoked. */
    onStale: z.enum(['keep', 'revoke']).default('keep'),
    witnesses: z
      .strictObject({
        keys: z.array(z.string().max(LIMITS.note_key_chars)).max(LIMITS.policy_witnesses),
        threshold: z.int().min(1),
      })
      .refine(({ keys, threshold }) => threshold <= keys.length, 'a threshold beyond the number of keys')
      .default({ keys: [], threshold: 0 }),
    /** Verifier key whose statements lead over to a new log when this one lost entries. */
    recovery: z.string().max(LIMITS.note_key_chars).optional(),
  })
  .optional()

/** What every rule of a policy that comes from its owners asks for at least. */
const PolicyFloor = z.strictObject({
  minSigners: ProgramRule.shape.minSigners.unwrap().optional(),
  minAge: ProgramRule.shape.minAge.unwrap().optional(),
})

/** trust.yaml: which operators and signers a node accepts. Nothing matches = denied. */
export const TrustPolicy = z
  .strictObject({
    operators: z.array(z.strictObject({ key: Digest })).default([]),
    /** Whose policy counts in place of this file's own operators and rules; {@link PolicyFloor} still binds it. */
    owners: z
      .array(z.strictObject({ key: Digest }))
      .min(1)
      .optional(),
    floor: PolicyFloor.optional(),
    /** A file in Sigstore's form; a relative path is meant from trust.yaml. */
    trustedRoot: z.string().min(1).max(4096).optional(),
    log: FollowedLog,
    programs: z.array(ProgramRule).max(LIMITS.policy_rules).default([]),
  })
  .superRefine((policy, context) => {
    const patterns = policy.programs.map((rule) => rule.match)
    const twice = patterns.find((pattern, at) => patterns.indexOf(pattern) !== at)
    if (twice !== undefined)
      context.addIssue({ code: 'custom', path: ['programs'], message: `two rules match "${twice}"` })
  })
export type TrustPolicy = z.infer<typeof TrustPolicy>

/** Reads trust.yaml; `what` is what messages call it, such as its path. Throws `invalid_policy`, `too_large`. */
export function parseTrustPolicy(text: string, what = 'trust.yaml'): TrustPolicy {
  const policy = parseYaml(text, TrustPolicy, {
    ...{ code: 'invalid_policy', what },
    maxBytes: LIMITS.policy_bytes,
  })
  requireSound(policy, what)
  return policy
}

/** Refuses a policy that contradicts itself. Throws `invalid_policy`. */
export function requireSound(policy: TrustPolicy, what: string): void {
  if (policy.owners !== undefined && policy.operators.length + policy.programs.length > 0)
    throw new DomainError(
      'invalid_policy',
      `${what}: its owners say who the operators are and which programs run: leave both out, or the owners`,
    )
  if (policy.owners === undefined && policy.floor !== undefined)
    throw new DomainError('invalid_policy', `${what}: a floor is for the policy of owners, and none is named`)
  for (const rule of policy.programs) {
    const signers = [...rule.signers, ...(rule.provenance?.signers ?? [])]
    if (policy.trustedRoot === undefined && signers.some((signer) => 'identity' in signer))
      throw new DomainError(
        'invalid_policy',
        `${what}: "${rule.match}" accepts an identity, which only a trustedRoot can vouch for`,
      )
    for (const program of Object.keys(rule.minVersion))
      if (ruleFor(policy, program) !== rule)
        throw new DomainError(
          'invalid_policy',
          `${what}: minVersion of ${program} stands under "${rule.match}", which does not decide about ${program}`,
        )
  }
}

const matches = (pattern: string, program: ProgramId): boolean => {
  const [namespace = '', name = ''] = pattern.split('/')
  const [ofNamespace = '', ofName = ''] = program.split('/')
  const fits = (part: string, text: string): boolean =>
    part.endsWith('*') ? text.startsWith(part.slice(0, -1)) : part === text
  return fits(namespace, ofNamespace) && fits(name, ofName)
}

/** More literal characters are more specific; a full name beats a prefix of the same length. */
const specificity = (pattern: string): number =>
  pattern.replaceAll('*', '').length * 2 + (pattern.includes('*') ? 0 : 1)

/** The rule that speaks for a program: of those that match, the most specific. */
export const ruleFor = (policy: Pick<TrustPolicy, 'programs'>, program: ProgramId): ProgramRule | undefined =>
  policy.programs
    .filter((rule) => matches(rule.match, program))
    .sort((a, b) => specificity(b.match) - specificity(a.match))[0]

/** The signers that a rule accepts. */
export const acceptedBy = (rule: Pick<ProgramRule, 'signers'>): SignerRule[] =>
  rule.signers.map((signer) => ('key' in signer ? signer.key : signer))

/** A rule's minimum age in seconds. */
export const minAgeSeconds = ({ minAge }: Pick<ProgramRule, 'minAge'>): number => durationSeconds(minAge)
