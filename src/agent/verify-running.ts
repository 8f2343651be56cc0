import { asDomainError } from '../domain/errors.ts'
import type { ChainRecord, GenerationRecord } from '../domain/generation.ts'
import { Hook } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import { problemsOf, type RunningChain, type RunningEntry, type RunningProblem } from '../domain/running.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainExaminer, EntryImage, PinnedChain } from '../ports/chain-kernel.ts'
import { type KeptEntries, type KeptEntriesParts, openKeptEntries, unverified } from './kept-entries.ts'

/** What verifying works with. */
export interface VerifyRunningParts extends KeptEntriesParts {
  readonly state: KeptEntriesParts['state'] & Pick<AgentState, 'chains'>
  readonly examiner: ChainExaminer
}

/**
 * Verifies all that an agent's pins and memory name: who signed what is attached now, by the policy in force and the bytes
 * that are kept, and whether what is attached is what these make. Nothing is attached, pinned, fetched or written. An
 * agent may run meanwhile: what it changed in between is looked at again. Throws `file_unreadable`, `invalid_policy`, KernelError.
 */
export async function verifyRunning(parts: VerifyRunningParts): Promise<RunningChain[]> {
  for (let tries = 1; ; tries++) {
    const before = parts.examiner.pinned()
    const chains = await verifyAll(parts, before)
    const holds = chains.every((chain) => problemsOf(chain).length === 0)
    const still = (): boolean => JSON.stringify(parts.examiner.pinned()) === JSON.stringify(before)
    if (holds || tries >= LIMITS.running_tries || still()) return chains
  }
}

async function verifyAll(parts: VerifyRunningParts, pinned: readonly PinnedChain[]): Promise<RunningChain[]> {
  const kept = await openKeptEntries(parts)
  const records = await parts.state.chains()
  const keys = new Set([
    ...records.filter(({ generations }) => generations.length > 0).map(({ key }) => key),
    ...pinned.filter(({ link }) => link !== undefined).map(({ key }) => key),
  ])
  const chains: RunningChain[] = []
  for (const key of keys) {
    const record = records.find((one) => one.key === key)
    const chain = pinned.find((one) => one.key === key)
    chains.push(await verifyChain(parts.examiner, kept, key, record, chain))
  }
  return chains
}

async function verifyChain(
  examiner: ChainExaminer,
  kept: KeptEntries,
  key: string,
  record: ChainRecord | undefined,
  pinned: PinnedChain | undefined,
): Promise<RunningChain> {
  const programId = pinned?.link?.programId ?? 0
  const running = pinned?.generations.find((one) => one.programId === programId)
  const generation = record?.generations.find((one) => one.generation === running?.generation)
  const chain = {
    ...{ key, interface: record?.interface, netns: record?.netns ?? '', programId },
    hook: record?.hook ?? hookOf(key),
    generation: generation?.generation,
    functions: generation?.functions ?? [],
  }
  const nothing = { ...chain, programs: undefined, entries: [] }
  if (programId === 0) return { ...nothing, problems: [MISSING] }
  if (generation === undefined) return { ...nothing, problems: [unknown(programId, running?.programTag)] }
  const { entries, images } = await verifyEntries(kept, generation, chain.hook)
  if (images.length < entries.length) return { ...chain, programs: undefined, entries, problems: [] }
  try {
    const { programs, differences } = await examiner.compare(key, generation.generation, programId, images)
    const problems = differences.map((message) => ({ code: 'running_differs', message }) as const)
    return { ...chain, programs, entries, problems }
  } catch (error) {
    const { code, message } = asDomainError(error)
    const why = `its entries cannot be made anew: ${message}`
    return {
      ...chain,
      programs: undefined,
      entries,
      problems: [{ code: 'running_differs', message: why, cause: code }],
    }
  }
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

const MISSING: RunningProblem = {
  code: 'running_missing',
  message: 'the agent remembers a chain here, and nothing of it is attached',
}

const unknown = (programId: number, tag: string | undefined): RunningProblem => ({
  code: 'running_unknown',
  message: `program ${programId}${tag === undefined ? '' : ` with the tag ${tag}`} is attached, which is no generation that the agent remembers`,
})
