import type { PublicKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import type { EntryRecord } from '../domain/generation.ts'
import type { Hook } from '../domain/hook.ts'
import type { ProgramId } from '../domain/names.ts'
import type { AcceptedOrder, Desired, Proven, WithdrawnInstance } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainKernel, ChainSite } from '../ports/chain-kernel.ts'
import { type Candidate, candidate, firstOf, proofDigest } from './candidate.ts'
import { partOf } from './chain-record.ts'
import type { ChainSet } from './chain-set.ts'
import type { ReadyEntry } from './instance.ts'
import type { NodePolicy } from './node-policy.ts'
import { acceptedOperators, reviewOrders, type Standing } from './orders.ts'
import { type ChainPlan, type PlannedFunction, planChains } from './plan.ts'
import type { PreparedFunction, PrepareParts } from './prepare.ts'
import { keepProof, sameProof } from './proof.ts'
import { readableKeys } from './readable-keys.ts'
import type { FunctionStatus } from './reporter.ts'
import type { Vetting } from './vetting.ts'
import { type Brought, BuildRefused, type RevokedPart, type WantedChain } from './wanted-chain.ts'
import { actionLine, actionOn, steppedBack } from './withdraw.ts'

/** What a pass from the desired state to the kernel works with. */
export interface ReconcileParts extends Omit<PrepareParts, 'state' | 'signal' | 'vetting'> {
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
  readonly labels: Labels
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
    vetting,
    suspects,
    unconfirmed,
    pending,
  }: {
    readonly signal: AbortSignal
    readonly vetting: Vetting
    /** Programs of which something was newly revoked. */
    readonly suspects: ReadonlySet<ProgramId>
    readonly unconfirmed: boolean
    /** What functions run from while it waits to be confirmed, by function. */
    readonly pending: ReadonlyMap<string, Proven>
  },
): Promise<Reconciled> {
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
      await candidate({ ...parts, signal, vetting }, { ...desired, keys }, standing, policy, {
        last,
        before: last === kept ? kept?.before : kept,
        takenBack,
        chains,
      }),
    )
  }
  await chains.purge(suspects)
  return carryOut({ ...parts, vetting }, chains, candidates, proven, unconfirmed)
}

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
    if (order.elsewhere === undefined) say(describeAccepted(order))
  }
  return { standings: review.standings, keys }
}

/** What a pass came to. */
export interface Reconciled {
  readonly statuses: FunctionStatus[]
  readonly changed: WantedChain[]
  /** What became of what ran and was revoked. */
  readonly actions: readonly WithdrawnInstance['action'][]
}

/** Plans and carries out; gives the chains that changed. */
async function carryOut(
  parts: ReconcileParts & { readonly vetting: Vetting },
  chains: ChainSet,
  candidates: readonly Candidate[],
  proven: readonly Proven[],
  unconfirmed: boolean,
): Promise<Reconciled> {
  const [revoked, tainted] = [chains.revokedParts(), chains.tainted()]
  const { plan, brought } = await bringAll(parts, chains, candidates, proven, unconfirmed)
  for (const { chain, error } of brought.failures) {
    for (const { name } of chain.functions) find(candidates, name).problem ??= error
    // what was revoked does not stay because nothing takes its place
    if (tainted.has(chain.site.key)) await chains.detach(chain.site.key)
  }
  for (const { site, by, functions } of plan.hold)
    for (const name of functions) {
      const candidate = find(candidates, name)
      const same = chains.part(site.key, name) === partOf(name, candidate.ready?.entries.map(recordOf) ?? [])
      if (!same) candidate.problem ??= by === undefined ? chains.stranger(site.key) : heldBy(site, by)
    }
  for (const [name, problem] of plan.problems) find(candidates, name).problem ??= problem
  for (const chain of brought.changed) parts.say(describeChange(chain))
  for (const key of plan.detach) {
    const gone = await chains.detach(key)
    const where = gone === undefined ? key : `${gone.interface} (${gone.hook})`
    parts.say(`detached ${where}: ${tainted.has(key) ? 'what it ran is revoked' : 'its function ended'}`)
  }
  const running = new Set([...chains.running().values()].flatMap((names) => names ?? []))
  const statuses: FunctionStatus[] = []
  for (const { standing, ready, problem } of candidates) {
    const { name, revision } = standing
    const known = proven.find((one) => one.function === name)
    const runs = ready !== undefined && running.has(name) && problem === undefined
    const proof = runs ? ready.proof : undefined
    // the first is kept at once: while it waits to be confirmed, there is nothing else to go back to
    if (known === undefined || !chains.unconfirmed) await keepProof(parts.state, proof, proven)
    const state = standing.kind === 'ended' ? 'removed' : runs ? 'running' : 'waiting'
    const ran = [...(known?.releases ?? []), ...(known?.before?.releases ?? [])]
    const back = ready !== undefined && running.has(name) ? steppedBack(parts.vetting, ready, ran) : []
    const withdrawn = [...(ready?.withdrawn ?? []), ...back]
    statuses.push({ name, revision, state, problem, made: ready && proofDigest(ready), proof, withdrawn })
  }
  const readyOf = ({ function: name }: RevokedPart): PreparedFunction | undefined =>
    candidates.find(({ standing }) => standing.name === name)?.ready
  for (const part of revoked) parts.say(actionLine(part, readyOf(part)))
  const actions = revoked.map((part) => actionOn(part, readyOf(part)))
  return { statuses, changed: [...brought.changed], actions }
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
      chains.tainted(),
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
    sameProof(
      ready.proof,
      proven.find((one) => one.function === standing.name),
    ))

function find(candidates: readonly Candidate[], name: string): Candidate {
  const found = candidates.find(({ standing }) => standing.name === name)
  if (found === undefined) throw new DomainError('internal', `no function ${name} is known`)
  return found
}

const hooksOf = ({ entries }: PreparedFunction): Set<Hook> => new Set(entries.map(({ image }) => image.hook))

const recordOf = ({ record }: ReadyEntry): EntryRecord => record

const heldBy = ({ at, hook }: ChainSite, by: string): DomainError =>
  new DomainError(
    'hook_conflict',
    `the chain on ${at.name} (${hook}) stays as it is: it has entries of function ${by}, which cannot be built now`,
  )

const describeAccepted = (order: AcceptedOrder): string => `accepted order ${order.revision} of ${order.name}`

const describeChange = ({ site, functions, entries }: WantedChain): string =>
  `${functions.map(({ name, revision }) => `${name} r${revision}`).join(', ')} ${functions.length === 1 ? 'runs' : 'run'} on ${site.at.name} (${site.hook}): ${entries.map(({ record }) => record.release).join(' > ')}`
