import { type PublicKey, sha256Digest } from '../attest/keys.ts'
import { requireBuilt, verifyProvenance } from '../attest/provenance.ts'
import { type DigestClaim, verifyReleaseDigests } from '../attest/verify-release.ts'
import { verifySigners } from '../attest/verify-signers.ts'
import { DomainError } from '../domain/errors.ts'
import { type Manifest, objectDigests } from '../domain/manifest.ts'
import { type Digest, releaseRef } from '../domain/names.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { requireAge, requireLicense, requireMinVersion } from '../domain/release-rules.ts'
import type { Signer } from '../domain/signer.ts'
import { acceptedBy, type ProgramRule, ruleFor } from '../domain/trust-policy.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodePolicy } from './node-policy.ts'
import type { Verdicts } from './verdicts.ts'

/** What decides about a release besides the release itself. */
export interface Judge {
  readonly policy: NodePolicy
  /** Key material from anywhere. */
  readonly keys: readonly PublicKey[]
  readonly verdicts: Verdicts
  readonly state: Pick<AgentState, 'releaseSeen'>
  readonly now: Date
  /**
   * What is asked of it besides, once its accepted signers are known. Gives when it was published by the signed log;
   * undefined where the policy has none: then the time counts when this node saw it first.
   */
  readonly vet: (signers: readonly Signer[]) => Promise<Date | undefined>
  /** Whether an operator ordered it whatever its age. */
  readonly emergency: boolean
}

/** The rule that speaks for a program. Throws `policy_denied`. */
export function requireRule(
  policy: NodePolicy,
  { program }: Pick<ReleaseDescriptor, 'program'>,
): ProgramRule {
  const rule = ruleFor(policy, program)
  if (rule === undefined) throw new DomainError('policy_denied', `no rule of trust.yaml accepts ${program}`)
  return rule
}

/**
 * Decides by what was signed alone, before a byte is fetched: version, signers, what the judge vets, age. Gives the accepted
 * signers. Throws `below_min_version`, `too_young`, and what {@link verifySigners} and `vet` do.
 */
export async function requireSigned(
  rule: ProgramRule,
  descriptor: ReleaseDescriptor,
  digests: ReadonlyMap<string, Digest>,
  judge: Judge,
): Promise<Signer[]> {
  const { program, version } = descriptor
  requireMinVersion(rule, program, version)
  const signers = signersOf(rule, descriptor, digests, judge)
  const published = await judge.vet(signers)
  const { now, emergency } = judge
  // noted whatever the rule says: a policy that asks for an age later must find out how old what runs is
  const seen = await judge.state.releaseSeen(contentDigest(descriptor, digests), now)
  if (!emergency) requireAge(rule, releaseRef(program, version), published ?? seen, now)
  return signers
}

/** Who of the accepted signers signed exactly these files, enough of them. Throws what {@link verifySigners} does. */
export function signersOf(
  rule: ProgramRule,
  { program, version, bundle, bundles }: ReleaseDescriptor,
  digests: ReadonlyMap<string, Digest>,
  judge: Judge,
): Signer[] {
  const { keys, policy } = judge
  const [allowed, { root }] = [acceptedBy(rule), policy]
  const listed = sorted(digests)
  const verify = (claim: DigestClaim): { signer: Signer } =>
    recalled(judge, ['release', program, version, listed, hashOf(claim.bundle)], () =>
      verifyReleaseDigests(claim),
    )
  const claim = { program, version, digests, keys, allowed, root }
  return verifySigners({ ...claim, bundles: [bundle, ...bundles], minSigners: rule.minSigners }, verify)
}

/**
 * Decides by the manifest, whose bytes were verified: licence, and where its objects were built. Gives who vouched for
 * that, if anybody must. Throws `license_not_allowed`, and what {@link requireBuilt} does.
 */
export function requireDeclared(
  rule: ProgramRule,
  descriptor: ReleaseDescriptor,
  manifest: Manifest,
  judge: Judge,
): Signer | undefined {
  requireLicense(rule, manifest)
  if (rule.provenance === undefined) return undefined
  const { program, version, provenance, files } = descriptor
  const { policy, keys } = judge
  const { builders, signers = rule.signers } = rule.provenance
  const listed = new Map(files.map(({ name, digest }) => [name, digest]))
  const accepted = { keys, allowed: acceptedBy({ signers }), root: policy.root }
  const verify: typeof verifyProvenance = (bundle, objects, claim) =>
    recalled(judge, ['provenance', program, sorted(objects), hashOf(bundle)], () =>
      verifyProvenance(bundle, objects, claim),
    )
  const objects = objectDigests(manifest, listed)
  return requireBuilt(releaseRef(program, version), provenance, objects, builders, accepted, verify)
}

/** What was verified under this very policy, by keys that are at hand still, is not verified again. */
function recalled<T extends object>(
  { policy: { digest }, keys, verdicts }: Judge,
  question: readonly unknown[],
  verify: () => T,
): T {
  if (digest === undefined) return verify()
  // the keys are part of it: what runs is kept with those that it can be verified by again
  const fingerprints = keys.map(({ fingerprint }) => fingerprint).sort()
  return verdicts.recall([...question, fingerprints, digest], verify)
}

/** Tells one content of a release from any other: a registry cannot give new bytes the age of old ones. */
const contentDigest = (
  { program, version }: ReleaseDescriptor,
  digests: ReadonlyMap<string, Digest>,
): Digest => hashOf(JSON.stringify([program, version, sorted(digests)]))

const hashOf = (text: string): Digest => sha256Digest(Buffer.from(text))

const sorted = (digests: ReadonlyMap<string, Digest>): [string, Digest][] =>
  [...digests].sort(([a], [b]) => (a < b ? -1 : 1))
