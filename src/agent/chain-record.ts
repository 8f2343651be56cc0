import {
  type ChainRecord,
  type EntryRecord,
  entryKey,
  type FunctionPart,
  type GenerationRecord,
} from '../domain/generation.ts'
import type { Hook } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ReadyEntry } from './instance.ts'
import type { RevokedPart } from './wanted-chain.ts'

/** Totals of the entries that chains still have, and of `LIMITS.chain_past_entries` others, those that ran last. */
export function withoutLongGone(
  totals: ChainRecord['totals'],
  generations: readonly GenerationRecord[],
): ChainRecord['totals'] {
  const present = new Set(generations.flatMap(({ entries }) => entries.map(entryKey)))
  const past = Object.keys(totals).filter((name) => !present.has(name))
  const gone = new Set(past.slice(0, Math.max(0, past.length - LIMITS.chain_past_entries)))
  return Object.fromEntries(Object.entries(totals).filter(([name]) => !gone.has(name)))
}

/** What an unconfirmed change made of the functions that it changed. */
export function undoneBy(record: ChainRecord): NonNullable<ChainRecord['undone']> {
  const made = record.generations.find(({ generation }) => generation === record.unconfirmed)
  const before = previousOf(record)
  return (made?.functions ?? []).flatMap(({ name, revision }) => {
    const part = partOf(name, made?.entries ?? [])
    const known = before?.functions.find((one) => one.name === name)
    const same = known?.revision === revision && partOf(name, before?.entries ?? []) === part
    return same ? [] : [{ name, revision, part }]
  })
}

/** Whether a function would become again what a change made of it that was never confirmed. */
export const isUndone = (
  records: Iterable<ChainRecord>,
  { name, revision, entries }: FunctionPart & { readonly entries: readonly ReadyEntry[] },
): boolean =>
  [...records].some(({ hook, undone = [] }) => {
    const there = entries.filter(({ image }) => image.hook === hook).map((entry) => entry.record)
    const part = partOf(name, there)
    return undone.some((one) => one.name === name && one.revision === revision && one.part === part)
  })

/** What runs on a hook, as the agent remembers it. */
export interface RunningRecord {
  readonly key: string
  readonly hook: Hook
  readonly generation: GenerationRecord
}

/** The parts of chains that run and must not. */
export function revokedPartsOf(
  running: readonly RunningRecord[],
  isRevoked: (entry: EntryRecord) => boolean,
): RevokedPart[] {
  const parts = running
    .flatMap(({ generation }) => generation.entries)
    .filter(isRevoked)
    .map(({ function: name, instance, release }) => ({ function: name, instance, release }))
  return [...new Map(parts.map((part) => [JSON.stringify(part), part])).values()]
}

/** The hooks on which an instance's entries run. */
export const hooksOfInstance = (
  running: readonly RunningRecord[],
  functionName: string,
  instance: string,
): Set<Hook> =>
  new Set(
    running
      .filter(({ generation: { entries } }) =>
        entries.some((one) => one.function === functionName && one.instance === instance),
      )
      .map(({ hook }) => hook),
  )

/** A record with nothing unconfirmed, and with this way back. */
export function without(record: ChainRecord, previous?: number): ChainRecord {
  const { previous: _, unconfirmed: __, ...rest } = record
  return { ...rest, ...(previous === undefined ? {} : { previous }) }
}

/** The generation that a chain goes back to. */
export const previousOf = ({ generations, previous }: ChainRecord): GenerationRecord | undefined =>
  generations.find(({ generation }) => generation === previous)

export const stateKeysOf = (entries: readonly ReadyEntry[]): string[] => [
  ...new Set(entries.flatMap(({ image }) => image.maps.flatMap(({ stateKey }) => stateKey ?? []))),
]

/** Tells by their records whether entries of a function are the same. */
export const partOf = (functionName: string, entries: readonly EntryRecord[]): string =>
  entries
    .filter((entry) => entry.function === functionName)
    .map(({ spec }) => spec)
    .join()
