import type { PublicKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionSpec, Instance } from '../domain/function.ts'
import { suitedTo } from '../domain/manifest.ts'
import { compareVersions, fitsUse, releaseRef } from '../domain/names.ts'
import type { AcceptedOrder, Desired, Proven, WithdrawnInstance } from '../domain/node.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { programOf } from '../domain/resolution.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { requireFeatures, requireKernel } from './host-requirements.ts'
import { entriesOf, type ReadyEntry } from './instance.ts'
import type { NodePolicy } from './node-policy.ts'
import { readableKeys } from './readable-keys.ts'
import { obtainRelease } from './release-source.ts'
import type { Judge } from './release-trust.ts'
import type { Verdicts } from './verdicts.ts'
import type { Vetting } from './vetting.ts'

/** What making a function ready works with. */
export interface PrepareParts {
  readonly state: Pick<AgentState, 'blob' | 'saveBlob' | 'releaseSeen'>
  readonly registry: Pick<NodeRegistry, 'blob'>
  readonly kernelRelease: string
  /** Whether the kernel describes its own types. */
  readonly kernelBtf: boolean
  /** The node's processor, as Node names it. */
  readonly arch: string
  readonly clock: Clock
  readonly verdicts: Verdicts
  readonly vetting: Vetting
  readonly signal: AbortSignal
}

/** Where releases are looked for: what the registry says, or what a function was last built from. */
export interface Source extends Pick<Desired, 'resolutions' | 'releases'> {
  readonly keys: readonly PublicKey[]
}

/** What a function runs from, as a source. */
export const sourceOf = ({
  resolutions,
  releases,
  keys,
}: Pick<Proven, 'resolutions' | 'releases' | 'keys'>): Source => ({
  ...{ resolutions, releases },
  keys: readableKeys(keys),
})

/** A function as an order that is obeyed has it. */
export interface OrderedFunction {
  readonly name: string
  readonly revision: number
  readonly spec: FunctionSpec
  readonly accepted: AcceptedOrder
}

/** A function with everything that its chains are built from. */
export interface ReadyFunction {
  readonly name: string
  readonly revision: number
  readonly spec: FunctionSpec
  readonly entries: readonly ReadyEntry[]
}

/** An instance that has nothing it may run, and why. */
export interface Withdrawn extends WithdrawnInstance {
  readonly problem: DomainError
}

export interface PreparedFunction extends ReadyFunction {
  /** What it is made from, to be kept once it runs; undefined when it is that already, or is not whole. */
  readonly proof: Proven | undefined
  /** Instances that are left out, or drop everything, because all that there is for them is revoked. */
  readonly withdrawn?: readonly Withdrawn[]
}

/** Obtains, verifies and configures all that a function consists of. `last` is what it ran from. */
export async function prepare(
  parts: PrepareParts,
  source: Source,
  ordered: OrderedFunction,
  policy: NodePolicy,
  last: Proven | undefined,
): Promise<PreparedFunction> {
  const { name, revision, spec } = ordered
  const entries: ReadyEntry[] = []
  const { envelope, operatorKey } = ordered.accepted
  const proof: Proven = { function: name, envelope, operatorKey, resolutions: [], releases: [], keys: [] }
  const resolved = spec.instances.map((instance) => ({ instance, ...resolve(source, instance.use) }))
  for (const { instance, resolution, descriptor } of resolved) {
    proof.resolutions.push(resolution)
    proof.releases.push(descriptor)
    requireNoStepBack(parts.vetting, spec, instance, descriptor, last)
    const made = await entriesFrom(parts, source.keys, spec, instance, descriptor, policy)
    proof.keys.push(...made.signers.map(({ spki }) => spki.toString('base64')))
    entries.push(...made.entries)
  }
  return { name, revision, spec, entries, proof }
}

/** The entries of one instance from a release that may run here, and the keys that signed it or its provenance. */
export async function entriesFrom(
  parts: PrepareParts,
  keys: readonly PublicKey[],
  spec: FunctionSpec,
  instance: Instance,
  descriptor: ReleaseDescriptor,
  policy: NodePolicy,
): Promise<{ entries: ReadyEntry[]; signers: PublicKey[] }> {
  const { state, registry, signal, vetting, verdicts } = parts
  const judge: Judge = {
    ...{ policy, keys, verdicts, state, now: parts.clock(), emergency: instance.emergency === true },
    vet: (signers) => vetting.requireAllowed(descriptor, signers, signal),
  }
  const release = await obtainRelease(descriptor, judge, state, registry, signal)
  requireKernel(release.manifest, parts.kernelRelease)
  requireFeatures(release.manifest, { btf: parts.kernelBtf })
  const suited = { ...release, manifest: suitedTo(release.manifest, parts.arch) }
  const signers = release.signers.flatMap(
    (signer) => keys.find(({ fingerprint }) => fingerprint === signer) ?? [],
  )
  return { entries: entriesOf(spec, instance, suited), signers }
}

/** The release that a range is resolved to, if it lies in that range. */
export function resolve(
  { resolutions, releases }: Source,
  use: string,
): { resolution: Proven['resolutions'][number]; descriptor: ReleaseDescriptor } {
  const resolution = resolutions.find((candidate) => candidate.use === use)
  if (resolution === undefined)
    throw new DomainError('version_not_found', `the registry has no release that fits ${use}`)
  const { version } = resolution
  const program = programOf(use)
  const ref = releaseRef(program, version)
  if (!fitsUse(use, program, version))
    throw new DomainError('outside_range', `the registry resolved ${use} to ${ref}, which does not fit`)
  const descriptor = releases.find((release) => release.program === program && release.version === version)
  if (descriptor === undefined)
    throw new DomainError('version_not_found', `the registry did not describe ${ref}`)
  return { resolution, descriptor }
}

/**
 * Going back by itself is what `onRevoke: previous` means: under the others, what is older than the revoked release that ran
 * here is not taken in its place, as long as the order's range has both. Throws `release_revoked`.
 */
export function requireNoStepBack(
  vetting: Vetting,
  spec: FunctionSpec,
  { use }: Instance,
  { program, version }: ReleaseDescriptor,
  last: Proven | undefined,
): void {
  if (spec.onRevoke === 'previous') return
  const ran = last?.releases.find(
    (one) =>
      one.program === program &&
      fitsUse(use, program, one.version) &&
      compareVersions(version, one.version) < 0 &&
      vetting.revocationOf(one) !== undefined,
  )
  if (ran !== undefined)
    throw new DomainError(
      'release_revoked',
      `${releaseRef(program, ran.version)} is revoked, ${version} is older, and onRevoke of ${spec.name} is ${spec.onRevoke}`,
    )
}

/**
 * What the registry resolves a range to is older than what ran here by the same range: so it is after a yank, and so it is with a
 * registry that was restored to an older state, which the log tells. What ran and is revoked is left at once, whatever comes.
 * Throws why the log is not believed, or cannot be looked at now.
 */
export async function requireSoundStepBack(
  { vetting, signal }: Pick<PrepareParts, 'vetting' | 'signal'>,
  { resolutions }: Source,
  { use }: Instance,
  last: Proven | undefined,
): Promise<void> {
  const now = resolutions.find((one) => one.use === use)?.version
  const ran = last?.resolutions.find((one) => one.use === use)?.version
  if (now === undefined || ran === undefined || compareVersions(now, ran) >= 0) return
  const left = last?.releases.find((one) => one.program === programOf(use) && one.version === ran)
  if (left !== undefined && vetting.revocationOf(left) !== undefined) return
  await vetting.requireSoundLog(signal)
}
