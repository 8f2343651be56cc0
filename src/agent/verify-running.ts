import { asDomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import type { ChainRecord, GenerationRecord } from '../domain/generation.ts'
import { Hook } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import {
  type AttachedProgram,
  allProblemsOf,
  type Running,
  type RunningChain,
  type RunningEntry,
  type RunningProblem,
} from '../domain/running.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainExaminer, EntryImage, NetworkInterface, PinnedChain } from '../ports/chain-kernel.ts'
import type { RunningRecord } from './chain-record.ts'
import { functionChoices } from './function-choices.ts'
import { type KeptEntries, openKeptEntries, unverified } from './kept-entries.ts'
import { type KeptParts, keptParts } from './kept-vetting.ts'
import { functionState, type OrderedChain, orderedChains } from './ordered-chains.ts'

/** What verifying works with. */
export interface VerifyRunningParts extends KeptParts {
  readonly state: KeptParts['state'] & Pick<AgentState, 'acceptedOrders' | 'desired' | 'proven' | 'chains'>
  readonly examiner: ChainExaminer
  /** The node's, by which orders are for it. */
  readonly labels: Labels
}

/**
 * Verifies all that the orders which this node accepted, its agent's pins and its memory name: whether each order is carried
 * out, who signed what is attached, by the policy in force and the bytes that are kept, and whether what is attached is what
 * these make. Nothing is attached, pinned, fetched or written. An agent may run meanwhile: what it changed in between is
 * looked at again. Throws `file_unreadable`, `invalid_policy`, KernelError.
 */
export async function verifyRunning(parts: VerifyRunningParts): Promise<Running> {
  for (let tries = 1; ; tries++) {
    const before = parts.examiner.pinned()
    const running = await verifyAll(parts, before)
    const holds = allProblemsOf(running).length === 0
    const still = (): boolean => JSON.stringify(parts.examiner.pinned()) === JSON.stringify(before)
    if (holds || tries >= LIMITS.running_tries || still()) return running
  }
}

async function verifyAll(parts: VerifyRunningParts, pinned: readonly PinnedChain[]): Promise<Running> {
  const { examiner, state, policy, labels } = parts
  const prepared = await keptParts(parts)
  const kept = await openKeptEntries(prepared, policy, state)
  const records = await state.chains()
  const running = records.flatMap((record) => runningRecord(record, pinned) ?? [])
  const choices = await functionChoices(prepared, policy, labels, state, { records, running })
  const interfaces = examiner.interfaces()
  const ordered = orderedChains(choices, running, interfaces, examiner.keyOf)
  const keys = new Set([
    ...records.filter(({ generations }) => generations.length > 0).map(({ key }) => key),
    ...pinned.filter(({ link }) => link !== undefined).map(({ key }) => key),
    ...ordered.keys(),
  ])
  const functions = choices.flatMap((choice) => functionState(choice, ordered.values(), interfaces))
  const unbuilt = new Set(functions.flatMap(({ name, problem }) => (problem === undefined ? [] : [name])))
  const chains: RunningChain[] = []
  for (const key of keys)
    chains.push(
      await verifyChain(examiner, kept, key, {
        record: records.find((one) => one.key === key),
        pinned: pinned.find((one) => one.key === key),
        ordered: ordered.get(key),
        unbuilt,
      }),
    )
  return { chains, functions, others: othersOn(examiner, interfaces, [...keys], pinned) }
}

/** What is known of a chain. */
interface Known {
  readonly record: ChainRecord | undefined
  readonly pinned: PinnedChain | undefined
  readonly ordered: OrderedChain | undefined
  /** Functions that are not as they were ordered, each with a problem of its own. */
  readonly unbuilt: ReadonlySet<string>
}

async function verifyChain(
  examiner: ChainExaminer,
  kept: KeptEntries,
  key: string,
  known: Known,
): Promise<RunningChain> {
  const { record, pinned, ordered } = known
  const programId = pinned?.link?.programId ?? 0
  const attached = pinned?.generations.find((one) => one.programId === programId)
  const generation = generationOf(record, pinned)
  const chain = {
    ...{ key, interface: ordered?.site.at.name ?? record?.interface, netns: record?.netns ?? '', programId },
    hook: record?.hook ?? hookOf(key),
    generation: generation?.generation,
    functions: generation?.functions ?? [],
  }
  const nothing = { ...chain, programs: undefined, entries: [] }
  if (programId === 0) return { ...nothing, problems: [missing(ordered)] }
  if (generation === undefined) return { ...nothing, problems: [unknown(programId, attached?.programTag)] }
  const { entries, images } = await verifyEntries(kept, generation, chain.hook)
  const problems = unordered(generation, known)
  if (images.length < entries.length) return { ...chain, programs: undefined, entries, problems }
  try {
    const { programs, differences } = await examiner.compare(key, generation.generation, programId, images)
    problems.push(...differences.map((message) => ({ code: 'running_differs', message }) as const))
    return { ...chain, programs, entries, problems }
  } catch (error) {
    const { code, message } = asDomainError(error)
    const why = `its entries cannot be made anew: ${message}`
    problems.push({ code: 'running_differs', message: why, cause: code })
    return { ...chain, programs: undefined, entries, problems }
  }
}

/** The generation that runs, as it is remembered. */
function generationOf(
  record: ChainRecord | undefined,
  pinned: PinnedChain | undefined,
): GenerationRecord | undefined {
  const running = pinned?.generations.find(({ programId }) => programId === pinned.link?.programId)
  return record?.generations.find((one) => one.generation === running?.generation)
}

function runningRecord(record: ChainRecord, pinned: readonly PinnedChain[]): RunningRecord | undefined {
  const { key, hook } = record
  const chain = pinned.find((one) => one.key === key)
  const generation = generationOf(record, chain)
  return generation && { key, hook, generation }
}

/** Whether a chain has the entries that orders give it, in their order: its memory is not what decides. */
function unordered({ entries }: GenerationRecord, { ordered, unbuilt }: Known): RunningProblem[] {
  const wrong = (message: string): RunningProblem[] => [{ code: 'running_unordered', message }]
  if (ordered === undefined) return wrong('no order that this node accepted has a chain here')
  const { heldBy } = ordered
  if (heldBy !== undefined)
    return unbuilt.has(heldBy) ? [] : wrong(`it is to have entries of ${heldBy}, which no order names`)
  if (specsOf(entries) === specsOf(ordered.entries)) return []
  return wrong(`it runs ${textOf(entries)}, and what was ordered is ${textOf(ordered.entries)}`)
}

const specsOf = (entries: OrderedChain['entries']): string => entries.map(({ spec }) => spec).join()

const textOf = (entries: OrderedChain['entries']): string =>
  entries
    .map(({ function: name, instance, entry, release }) => `${name}/${instance}/${entry} of ${release}`)
    .join(' > ')

/** What others attached where chains are, or should be. */
function othersOn(
  { attached, keyOf }: ChainExaminer,
  interfaces: readonly NetworkInterface[],
  keys: readonly string[],
  pinned: readonly PinnedChain[],
): AttachedProgram[] {
  const ours = new Set(
    pinned.flatMap(({ link, generations }) => [link, ...generations].map((one) => one?.programId)),
  )
  return interfaces
    .filter(({ ifindex }) => Hook.options.some((hook) => keys.includes(keyOf(ifindex, hook))))
    .flatMap(attached)
    .filter(({ programId }) => !ours.has(programId))
}

/** Its entries in order, and the images of those that verify. */
async function verifyEntries(
  kept: KeptEntries,
  { entries: records, functions }: GenerationRecord,
  hook: Hook,
): Promise<{ entries: RunningEntry[]; images: EntryImage[] }> {
  const [entries, images]: [RunningEntry[], EntryImage[]] = [[], []]
  for (const [at, { form: _, ...record }] of records.entries()) {
    const { function: name, instance, entry, release, object } = record
    const shown = { position: at + 1, function: name, instance, entry, release, object }
    try {
      const { ready, signers, logged } = await kept.verify(record, functions, hook)
      entries.push({ ...shown, signers, logged, problem: undefined })
      images.push(ready.image)
    } catch (error) {
      entries.push({ ...shown, signers: [], logged: undefined, problem: unverified(error) })
    }
  }
  return { entries, images }
}

/** A chain's key ends in its hook. */
const hookOf = (key: string): Hook => Hook.parse(key.split('-').slice(2).join('-'))

const missing = (ordered: OrderedChain | undefined): RunningProblem => ({
  code: 'running_missing',
  message:
    ordered === undefined
      ? 'the agent remembers a chain here, and nothing of it is attached'
      : `${ordered.functions.map(({ name }) => name).join(', ')} ordered here, and nothing of this agent is attached`,
})

const unknown = (programId: number, tag: string | undefined): RunningProblem => ({
  code: 'running_unknown',
  message: `program ${programId}${tag === undefined ? '' : ` with the tag ${tag}`} is attached, which is no generation that the agent remembers`,
})
