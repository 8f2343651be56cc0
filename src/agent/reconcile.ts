import { type PublicKey, sha256Digest } from '../attest/keys.ts'
import { verifyOrder } from '../attest/order.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { FunctionSpec, Labels } from '../domain/function.ts'
import type { EntryRecord } from '../domain/generation.ts'
import type { Hook } from '../domain/hook.ts'
import { suitedTo } from '../domain/manifest.ts'
import { type Digest, fitsUse, releaseRef } from '../domain/names.ts'
import type { AcceptedOrder, Desired, Proven } from '../domain/node.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { programOf } from '../domain/resolution.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainKernel, ChainSite } from '../ports/chain-kernel.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { type Brought, BuildRefused, type ChainSet, partOf, type WantedChain } from './chain-set.ts'
import { requireFeatures, requireKernel } from './host-requirements.ts'
import { entriesOf, type ReadyEntry } from './instance.ts'
import type { NodePolicy } from './node-policy.ts'
import { acceptedOperators, reviewOrders, type Standing } from './orders.ts'
import { type ChainPlan, type PlannedFunction, planChains } from './plan.ts'
import { readableKeys } from './readable-keys.ts'
import { obtainRelease } from './release-source.ts'
import type { FunctionStatus } from './reporter.ts'
import type { Verdicts } from './verdicts.ts'

type ActiveStanding = Extract<Standing, { kind: 'active' }>

/** What a pass from the desired state to the kernel works with. */
export interface ReconcileParts {
  readonly kernel: ChainKernel
  readonly state: Pick<
    AgentState,
    | 'acceptedOrders'
    | 'saveAcceptedOrder'
    | 'proven'
    | 'saveProven'
    | 'removeProven'
    | 'blob'
    | 'saveBlob'
    | 'releaseSeen'
  >
  readonly registry: Pick<NodeRegistry, 'blob'>
  readonly labels: Labels
  readonly kernelRelease: string
  /** Whether the kernel describes its own types. */
  readonly kernelBtf: boolean
  /** The node's processor, as Node names it. */
  readonly arch: string
  readonly clock: Clock
  readonly verdicts: Verdicts
  /** A line for the operator at the console. */
  readonly say: (line: string) => void
}

/**
 * One pass from the desired state to the kernel: orders, releases, plan, chains. Whatever is refused on the way leaves its
 * function as it runs, and is the function's problem in the statuses; `changed` are the chains that changed. With
 * `unconfirmed`, what changes waits to be confirmed or taken back.
 * Throws only what no function is to blame for, such as a disk that is full.
 */
export async function reconcile(
  parts: ReconcileParts,
  chains: ChainSet,
  desired: Desired,
  policy: NodePolicy,
  {
    signal,
    unconfirmed,
    pending,
  }: {
    readonly signal: AbortSignal
    readonly unconfirmed: boolean
    /** What functions run from while it waits to be confirmed, by function. */
    readonly pending: ReadonlyMap<string, Proven>
  },
): Promise<{ statuses: FunctionStatus[]; changed: WantedChain[] }> {
  const { standings, keys } = await reviewAll(parts, desired, policy)
  const proven = await parts.state.proven()
  const held = await parts.state.acceptedOrders()
  const candidates: Candidate[] = []
  for (const standing of standings) {
    const kept = proven.find((one) => one.function === standing.name)
    const last = pending.get(standing.name) ?? kept
    if (standing.kind === 'ended' && kept !== undefined) await parts.state.removeProven(standing.name)
    const takenBack = held.find(({ name }) => name === standing.name)?.takenBack
    candidates.push(
      await candidate({ ...parts, signal }, { ...desired, keys }, standing, policy, {
        last,
        takenBack,
        chains,
      }),
    )
  }
  return carryOut(parts, chains, candidates, proven, unconfirmed)
}

/** A function with what it is to run: what the desired state says of it, or what it last ran from. */
async function candidate(
  parts: ReconcileParts & { readonly signal: AbortSignal },
  source: Source,
  standing: Standing,
  policy: NodePolicy,
  {
    last,
    takenBack,
    chains,
  }: {
    readonly last: Proven | undefined
    readonly takenBack: Digest | undefined
    readonly chains: Pick<ChainSet, 'undid'>
  },
): Promise<Candidate> {
  const { problem } = standing
  if (standing.kind !== 'active') return { standing, problem, ready: undefined, fallbacks: [] }
  const made = async (from: Source, by: ActiveStanding): Promise<PreparedFunction> => {
    const ready = await prepare(parts, from, by, policy)
    if (takenBack !== undefined && proofDigest(ready) === takenBack)
      throw new DomainError(
        'change_taken_back',
        `revision ${by.revision} of ${by.name} cut this node off from its registry`,
      )
    if (chains.undid(ready))
      throw new DomainError(
        'change_unconfirmed',
        `revision ${by.revision} of ${by.name} was not confirmed when the host went down`,
      )
    return ready
  }
  const fallbacks = last === undefined ? [] : fallbacksOf(last, standing, policy, made)
  try {
    return { standing, problem, ready: await made(source, standing), fallbacks }
  } catch (error) {
    const ready = await firstOf(fallbacks)
    return { standing, problem: problem ?? asDomainError(error), ready, fallbacks }
  }
}

/**
 * What a function is made from when what the registry offers does not hold, as signed and checked as ever: the releases
 * that it last ran from under its newest order, then under the order that it last ran by. An interface that comes back, or
 * a host that restarts, gets its chain whatever the registry withholds.
 */
function fallbacksOf(
  last: Proven,
  standing: ActiveStanding,
  policy: NodePolicy,
  make: (from: Source, by: ActiveStanding) => Promise<PreparedFunction>,
): Fallback[] {
  const source = { ...last, keys: readableKeys(last.keys) }
  return [
    async () => ({ ...(await make(source, standing)), proof: undefined }),
    async () => {
      const operators = acceptedOperators(readableKeys([last.operatorKey]), policy.operators)
      const { order } = verifyOrder(last.envelope, operators)
      if (order.kind !== 'apply') throw new DomainError('order_invalid', 'a function cannot run by its end')
      const by = { ...standing, revision: order.revision, spec: order.function }
      return { ...(await make(source, by)), proof: undefined }
    },
  ]
}

/** What the first fallback that holds gives; those before it are used up. */
async function firstOf(fallbacks: Fallback[]): Promise<PreparedFunction | undefined> {
  for (let next = fallbacks.shift(); next !== undefined; next = fallbacks.shift())
    try {
      return await next()
    } catch {} // the reason of the first attempt is the one to show
  return undefined
}

/** Tells what was made of a function: its order and the releases that it was resolved to. */
const proofDigest = ({ revision, entries }: ReadyFunction): Digest =>
  sha256Digest(Buffer.from(JSON.stringify([revision, entries.map(({ record }) => record.spec)])))

/** Looks at the orders; those newly accepted are kept durably before anything is done by them. */
async function reviewAll(
  { state, labels, say }: ReconcileParts,
  desired: Desired,
  policy: NodePolicy,
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

/** A function with everything that its chains are built from. */
interface ReadyFunction {
  readonly name: string
  readonly revision: number
  readonly spec: FunctionSpec
  readonly entries: readonly ReadyEntry[]
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
  policy: NodePolicy,
): Promise<PreparedFunction> {
  const { name, revision, spec } = standing
  const entries = []
  const { envelope, operatorKey } = standing.accepted
  const proof: Proven = { function: name, envelope, operatorKey, resolutions: [], releases: [], keys: [] }
  for (const { use } of spec.instances) {
    const { resolution, descriptor } = resolve(source, use)
    proof.resolutions.push(resolution)
    proof.releases.push(descriptor)
  }
  for (const [at, instance] of spec.instances.entries()) {
    const descriptor = proof.releases[at]
    if (descriptor === undefined) continue
    const { keys } = source
    const judge = {
      ...{ policy, keys, verdicts: parts.verdicts, state: parts.state, now: parts.clock() },
      emergency: instance.emergency === true,
    }
    const release = await obtainRelease(descriptor, judge, parts.state, parts.registry, parts.signal)
    for (const signer of release.signers) {
      const key = keys.find(({ fingerprint }) => fingerprint === signer)
      if (key !== undefined) proof.keys.push(key.spki.toString('base64'))
    }
    requireKernel(release.manifest, parts.kernelRelease)
    requireFeatures(release.manifest, { btf: parts.kernelBtf })
    const suited = { ...release, manifest: suitedTo(release.manifest, parts.arch) }
    entries.push(...entriesOf(spec, instance, suited))
  }
  return { name, revision, spec, entries, proof }
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

/** Where a function stands in a pass, and what it falls back to when it cannot be built. */
interface Candidate {
  readonly standing: Standing
  /** What it is to run, undefined when it can only be left as it is. */
  ready: PreparedFunction | undefined
  problem: DomainError | undefined
  /** What else it may be made from, the best first. */
  readonly fallbacks: Fallback[]
}

type Fallback = () => Promise<PreparedFunction>

/** Plans and carries out; gives the chains that changed. */
async function carryOut(
  parts: ReconcileParts,
  chains: ChainSet,
  candidates: readonly Candidate[],
  proven: readonly Proven[],
  unconfirmed: boolean,
): Promise<{ statuses: FunctionStatus[]; changed: WantedChain[] }> {
  const { plan, brought } = await bringAll(parts, chains, candidates, proven, unconfirmed)
  for (const { chain, error } of brought.failures)
    for (const { name } of chain.functions) find(candidates, name).problem ??= error
  for (const { site, by, functions } of plan.hold)
    for (const name of functions) {
      const candidate = find(candidates, name)
      const same = chains.part(site.key, name) === partOf(name, candidate.ready?.entries.map(recordOf) ?? [])
      if (!same) candidate.problem ??= heldBy(site, by)
    }
  for (const [name, problem] of plan.problems) find(candidates, name).problem ??= problem
  for (const chain of brought.changed) parts.say(describeChange(chain))
  for (const key of plan.detach) {
    const gone = await chains.detach(key)
    const where = gone === undefined ? key : `${gone.interface} (${gone.hook})`
    parts.say(`detached ${where}: its function ended`)
  }
  const running = new Set([...chains.running().values()].flatMap((names) => names ?? []))
  const statuses: FunctionStatus[] = []
  for (const { standing, ready, problem } of candidates) {
    const { name, revision } = standing
    const runs = ready !== undefined && running.has(name) && problem === undefined
    const proof = runs ? ready.proof : undefined
    // the first is kept at once: while it waits to be confirmed, there is nothing else to go back to
    const first = !proven.some(({ function: known }) => known === name)
    if (first || !chains.unconfirmed) await keepProof(parts.state, proof, proven)
    const state = standing.kind === 'ended' ? 'removed' : runs ? 'running' : 'waiting'
    statuses.push({ name, revision, state, problem, made: ready && proofDigest(ready), proof })
  }
  return { statuses, changed: [...brought.changed] }
}

/**
 * Brings all chains to where the plan wants them. What cannot be built is blamed on one function at a time, which then is
 * made from what it last ran with, or left out: one function's mistake must not keep the others from running.
 */
async function bringAll(
  { kernel }: ReconcileParts,
  chains: ChainSet,
  candidates: readonly Candidate[],
  proven: readonly Proven[],
  unconfirmed: boolean,
): Promise<{ plan: ChainPlan; brought: Brought }> {
  for (;;) {
    const planned = candidates.flatMap(({ standing: { name, kind }, ready, problem }): PlannedFunction[] => {
      if (ready !== undefined) return [{ kind: 'ready', name, spec: ready.spec, hooks: hooksOf(ready) }]
      const runs = [...chains.running().values()].some((names) => names?.includes(name))
      return kind === 'ended' || (problem !== undefined && !runs) ? [] : [{ kind: 'held', name }]
    })
    const ended = candidates.filter(({ standing }) => standing.kind === 'ended')
    const plan = planChains(
      planned,
      new Set(ended.map(({ standing }) => standing.name)),
      kernel.interfaces(),
      kernel.keyOf,
      chains.running(),
    )
    const wanted = plan.run.map(({ site, functions }) => wantedChain(site, functions, candidates))
    try {
      return { plan, brought: await chains.bring(wanted, unconfirmed) }
    } catch (error) {
      if (!(error instanceof BuildRefused)) throw error
      const isProven = (name: string): boolean => runsFromProven(find(candidates, name), proven)
      const guilty = find(candidates, guiltyOf(error, chains, isProven))
      guilty.problem ??= error.error
      guilty.ready = await firstOf(guilty.fallbacks)
    }
  }
}

function wantedChain(
  site: ChainSite,
  functions: readonly string[],
  candidates: readonly Candidate[],
): WantedChain {
  const parts = functions.flatMap((name) => find(candidates, name).ready ?? [])
  return {
    site,
    functions: parts.map(({ name, revision }) => ({ name, revision })),
    entries: parts.flatMap(({ entries }) => entries.filter(({ image }) => image.hook === site.hook)),
  }
}

/**
 * Whose fault a refusal is: the entry's that the kernel named, else the last function's that has changed. One that is
 * made from what it ran from before is blamed only where all are: after a restart of the host everything is a change.
 */
function guiltyOf(
  { chain, error }: BuildRefused,
  chains: ChainSet,
  isProven: (name: string) => boolean,
): string {
  const named = error.entry === undefined ? undefined : chain.entries[error.entry]?.record.function
  const records = chain.entries.map(recordOf)
  const changed = chain.functions.filter(
    ({ name }) => chains.part(chain.site.key, name) !== partOf(name, records),
  )
  const guilty = changed.findLast(({ name }) => !isProven(name)) ?? changed.at(-1) ?? chain.functions.at(-1)
  return named ?? guilty?.name ?? ''
}

/** Whether a function is made from what it ran from before. */
const runsFromProven = ({ ready, standing }: Candidate, proven: readonly Proven[]): boolean =>
  ready !== undefined &&
  (ready.proof === undefined ||
    JSON.stringify(ready.proof) === JSON.stringify(proven.find((one) => one.function === standing.name)))

function find(candidates: readonly Candidate[], name: string): Candidate {
  const found = candidates.find(({ standing }) => standing.name === name)
  if (found === undefined) throw new DomainError('internal', `no function ${name} is known`)
  return found
}

const hooksOf = ({ entries }: PreparedFunction): Set<Hook> => new Set(entries.map(({ image }) => image.hook))

const recordOf = ({ record }: ReadyEntry): EntryRecord => record

const heldBy = ({ at, hook }: ChainSite, by: string | undefined): DomainError =>
  new DomainError(
    'hook_conflict',
    `the chain on ${at.name} (${hook}) stays as it is: ${by === undefined ? 'nothing is known of it' : `it has entries of function ${by}, which cannot be built now`}`,
  )

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

const describeAccepted = (order: AcceptedOrder): string => `accepted order ${order.revision} of ${order.name}`

const describeChange = ({ site, functions, entries }: WantedChain): string =>
  `${functions.map(({ name, revision }) => `${name} r${revision}`).join(', ')} ${functions.length === 1 ? 'runs' : 'run'} on ${site.at.name} (${site.hook}): ${entries.map(({ record }) => record.release).join(' > ')}`
