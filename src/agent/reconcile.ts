import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import { fitsUse, releaseRef } from '../domain/names.ts'
import type { AcceptedOrder, Desired } from '../domain/node.ts'
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
import { obtainRelease, type VerifiedRelease } from './release-source.ts'
import type { FunctionStatus } from './reporter.ts'

/** What a pass from the desired state to the kernel works with. */
export interface ReconcileParts {
  readonly kernel: ChainKernel
  readonly state: Pick<AgentState, 'acceptedOrders' | 'saveAcceptedOrder' | 'blob' | 'saveBlob'>
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
): Promise<{ statuses: FunctionStatus[]; changed: string[] }> {
  const { standings, keys } = await reviewAll(parts, desired, policy)
  const statuses = new Map<string, FunctionStatus>()
  const ready: ReadyFunction[] = []
  for (const standing of standings) {
    const { name, revision, problem } = standing
    const state = standing.kind === 'ended' ? 'removed' : 'waiting'
    statuses.set(name, { name, revision, state, problem })
    if (standing.kind !== 'active') continue
    try {
      ready.push(await prepare(parts, desired, standing, policy, keys))
    } catch (error) {
      statuses.set(name, { name, revision, state, problem: problem ?? asDomainError(error) })
    }
  }
  const changed = await carryOut(parts, chains, ready, standings, statuses)
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

/** Obtains, verifies and configures all that a function consists of. */
async function prepare(
  parts: ReconcileParts,
  desired: Desired,
  standing: Extract<Standing, { kind: 'active' }>,
  policy: TrustPolicy,
  keys: readonly PublicKey[],
): Promise<ReadyFunction> {
  const { name, revision, spec } = standing
  const entries = []
  for (const instance of spec.instances) {
    const release = await resolve(parts, desired, instance.use, policy, keys)
    requireKernel(release.manifest, parts.kernelRelease)
    requireFeatures(release.manifest, { btf: parts.kernelBtf })
    entries.push(...entriesOf(spec, instance, release))
  }
  return { name, revision, spec, entries }
}

/** The release that the registry resolved a range to, if it lies in that range. */
async function resolve(
  { state, registry }: ReconcileParts,
  desired: Desired,
  use: string,
  policy: TrustPolicy,
  keys: readonly PublicKey[],
): Promise<VerifiedRelease> {
  const resolved = desired.resolutions.find((resolution) => resolution.use === use)
  if (resolved === undefined)
    throw new DomainError('version_not_found', `the registry has no release that fits ${use}`)
  const program = programOf(use)
  const ref = releaseRef(program, resolved.version)
  if (!fitsUse(use, program, resolved.version))
    throw new DomainError('outside_range', `the registry resolved ${use} to ${ref}, which does not fit`)
  const descriptor = desired.releases.find(
    (release) => release.program === program && release.version === resolved.version,
  )
  if (descriptor === undefined)
    throw new DomainError('version_not_found', `the registry did not describe ${ref}`)
  return obtainRelease(descriptor, policy, keys, state, registry)
}

/** Plans and carries out; gives the keys of the chains that changed. */
async function carryOut(
  { kernel, say }: ReconcileParts,
  chains: ChainSet,
  ready: readonly ReadyFunction[],
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
