import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import { fitsUse, releaseRef } from '../domain/names.ts'
import type { AcceptedOrder, Desired, Proven } from '../domain/node.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { programOf } from '../domain/resolution.ts'
import type { TrustPolicy } from '../domain/trust-policy.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainKernel } from '../ports/chain-kernel.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import type { ChainSet, ReadyFunction } from './chain-set.ts'
import { requireFeatures, requireKernel } from './host-requirements.ts'
import { entriesOf } from './instance.ts'
import { acceptedOperators, reviewOrders, type Standing } from './orders.ts'
import { planChains } from './plan.ts'
import { obtainRelease } from './release-source.ts'
import type { FunctionStatus } from './reporter.ts'

type ActiveStanding = Extract<Standing, { kind: 'active' }>

/** What a pass from the desired state to the kernel works with. */
export interface ReconcileParts {
  readonly kernel: ChainKernel
  readonly state: Pick<
    AgentState,
    'acceptedOrders' | 'saveAcceptedOrder' | 'proven' | 'saveProven' | 'removeProven' | 'blob' | 'saveBlob'
  >
  readonly registry: Pick<NodeRegistry, 'blob'>
  readonly labels: Labels
  readonly kernelRelease: string
  /** Whether the kernel describes its own types. */
  readonly kernelBtf: boolean
  /** A line for the operator at the console. */
  readonly say: (line: string) => void
}

/**
 * One pass from the desired state to the kernel: orders, releases, plan, chains. Whatever is refused on the way leaves its
 * function as it runs, and is the function's problem in the statuses; `changed` are the keys of chains that changed.
 * Throws only what no function is to blame for, such as a disk that is full.
 */
export async function reconcile(
  parts: ReconcileParts,
  chains: ChainSet,
  desired: Desired,
  policy: TrustPolicy,
  signal: AbortSignal,
): Promise<{ statuses: FunctionStatus[]; changed: string[] }> {
  const { standings, keys } = await reviewAll(parts, desired, policy)
  const statuses = new Map<string, FunctionStatus>()
  const proven = await parts.state.proven()
  const ready: PreparedFunction[] = []
  for (const standing of standings) {
    const { name, revision, problem } = standing
    const state = standing.kind === 'ended' ? 'removed' : 'waiting'
    statuses.set(name, { name, revision, state, problem })
    const last = proven.find((one) => one.function === name)
    if (standing.kind === 'ended' && last !== undefined) await parts.state.removeProven(name)
    if (standing.kind !== 'active') continue
    try {
      const made = await prepare({ ...parts, signal }, { ...desired, keys }, standing, policy)
      ready.push(made)
    } catch (error) {
      statuses.set(name, { name, revision, state, problem: problem ?? asDomainError(error) })
      const made = await prepareAgain({ ...parts, signal }, last, standing, policy)
      if (made !== undefined) ready.push(made)
    }
  }
  const changed = await carryOut(parts, chains, ready, proven, standings, statuses)
  return { statuses: [...statuses.values()], changed }
}

/** Looks at the orders; those newly accepted are kept durably before anything is done by them. */
async function reviewAll(
  { state, labels, say }: ReconcileParts,
  desired: Desired,
  policy: TrustPolicy,
): Promise<{ standings: readonly Standing[]; keys: PublicKey[] }> {
  const held = await state.acceptedOrders()
  const keys = readableKeys([...desired.keys, ...held.map(({ operatorKey }) => operatorKey)])
  const operators = acceptedOperators(keys, policy.operators)
  const review = reviewOrders(desired.functions, held, operators, labels)
  for (const order of review.accepted) {
    await state.saveAcceptedOrder(order)
    say(describeAccepted(order))
  }
  return { standings: review.standings, keys }
}

/** Where releases are looked for: what the registry says, or what a function was last built from. */
interface Source extends Pick<Desired, 'resolutions' | 'releases'> {
  readonly keys: readonly PublicKey[]
}

interface PreparedFunction extends ReadyFunction {
  /** What it is made from, to be kept once it runs; undefined when it is that already. */
  readonly proof: Proven | undefined
}

/** Obtains, verifies and configures all that a function consists of. */
async function prepare(
  parts: ReconcileParts & { readonly signal: AbortSignal },
  source: Source,
  standing: ActiveStanding,
  policy: TrustPolicy,
): Promise<PreparedFunction> {
  const { name, revision, spec } = standing
  const entries = []
  const proof: Proven = { function: name, resolutions: [], releases: [], keys: [] }
  for (const { use } of spec.instances) {
    const { resolution, descriptor } = resolve(source, use)
    proof.resolutions.push(resolution)
    proof.releases.push(descriptor)
  }
  for (const [at, instance] of spec.instances.entries()) {
    const descriptor = proof.releases[at]
    if (descriptor === undefined) continue
    const release = await obtainRelease(
      descriptor,
      policy,
      source.keys,
      parts.state,
      parts.registry,
      parts.signal,
    )
    const signer = source.keys.find(({ fingerprint }) => fingerprint === release.signer)
    if (signer !== undefined) proof.keys.push(signer.spki.toString('base64'))
    requireKernel(release.manifest, parts.kernelRelease)
    requireFeatures(release.manifest, { btf: parts.kernelBtf })
    entries.push(...entriesOf(spec, instance, release))
  }
  return { name, revision, spec, entries, proof }
}

/**
 * Makes a function from what it was last built from, as signed and checked as ever, when the registry offers nothing that
 * holds: an interface that comes back, or a host that restarts, gets its chain whatever the registry withholds.
 */
async function prepareAgain(
  parts: ReconcileParts & { readonly signal: AbortSignal },
  last: Proven | undefined,
  standing: ActiveStanding,
  policy: TrustPolicy,
): Promise<PreparedFunction | undefined> {
  if (last === undefined) return undefined
  try {
    const made = await prepare(parts, { ...last, keys: readableKeys(last.keys) }, standing, policy)
    return { ...made, proof: undefined }
  } catch {
    return undefined // the reason of the first attempt is the one to show
  }
}

/** The release that a range is resolved to, if it lies in that range. */
function resolve(
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

/** Plans and carries out; gives the keys of the chains that changed. */
async function carryOut(
  { kernel, state: kept, say }: ReconcileParts,
  chains: ChainSet,
  ready: readonly PreparedFunction[],
  proven: readonly Proven[],
  standings: readonly Standing[],
  statuses: Map<string, FunctionStatus>,
): Promise<string[]> {
  const functions = standings.map(({ name }) => {
    const found = ready.find((candidate) => candidate.name === name)
    return found === undefined
      ? { name, kind: 'held' as const }
      : { name, kind: 'ready' as const, spec: found.spec }
  })
  const ended = new Set(standings.filter(({ kind }) => kind === 'ended').map(({ name }) => name))
  const plan = planChains(functions, ended, kernel.interfaces(), kernel.keyOf, chains.running())
  const changed: string[] = []
  for (const one of ready) {
    const places = plan.run.filter((place) => place.function === one.name)
    const before = statuses.get(one.name)?.problem
    let problem = before ?? plan.problems.get(one.name)
    try {
      const keys = await chains.bring(one, places)
      for (const key of keys)
        say(describeChange(one, places.find((place) => place.key === key)?.at.name ?? key))
      changed.push(...keys)
      if (places.length > 0) await keepProof(kept, one.proof, proven)
    } catch (error) {
      problem = asDomainError(error)
    }
    const state = places.length > 0 && problem === undefined ? 'running' : 'waiting'
    statuses.set(one.name, { name: one.name, revision: one.revision, state, problem })
  }
  for (const key of plan.detach) {
    await chains.detach(key)
    say(`detached ${key}: its function ended`)
    changed.push(key)
  }
  return changed
}

/** Keeps what a function runs from, when that is news. */
async function keepProof(
  state: Pick<AgentState, 'saveProven'>,
  proof: Proven | undefined,
  proven: readonly Proven[],
): Promise<void> {
  if (proof === undefined) return
  const text = JSON.stringify(proof)
  if (!proven.some((one) => JSON.stringify(one) === text)) await state.saveProven(proof)
}

/** Keys that can be read; a registry may send anything. */
function readableKeys(texts: readonly string[]): PublicKey[] {
  return [...new Set(texts)].flatMap((text) => {
    try {
      return [parsePublicKey(Buffer.from(text, 'base64'))]
    } catch {
      return [] // a key that nobody can read can accept nothing
    }
  })
}

const describeAccepted = (order: AcceptedOrder): string => `accepted order ${order.revision} of ${order.name}`

const describeChange = (ready: ReadyFunction, at: string): string =>
  `${ready.name} r${ready.revision} runs on ${at}: ${ready.entries.map(({ record }) => record.release).join(' > ')}`
