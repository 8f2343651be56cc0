import { type ChainRecord, type EntryRecord, entryKey, type GenerationRecord } from '../domain/generation.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ReadyEntry } from './instance.ts'

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
