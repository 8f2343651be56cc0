import type { ObjectReport } from '../../elf/describe.ts'
import { isPerCpu } from '../../elf/map-types.ts'
import { byteText, counted } from '../text.ts'

/** A map as a report has it. */
export type MapReport = ObjectReport['maps'][number]

/** What kinds of maps are, for whoever has never seen one. */
const WORDS: Readonly<Record<string, string>> = {
  hash: 'table by key',
  percpu_hash: 'table by key, on each CPU',
  lru_hash: 'table by key; when full, the least used goes',
  lru_percpu_hash: 'table by key on each CPU; the least used goes',
  array: 'numbered slots',
  percpu_array: 'numbered slots, on each CPU',
  prog_array: 'programs to go on with',
  perf_event_array: 'events for user space, by CPU',
  ringbuf: 'queue of events for user space',
  user_ringbuf: 'queue of messages from user space',
  lpm_trie: 'address prefixes; the longest that fits counts',
  array_of_maps: 'numbered slots with maps in them',
  hash_of_maps: 'table of maps by key',
  devmap: 'interfaces to send packets to',
  devmap_hash: 'interfaces to send packets to, by key',
  cpumap: 'CPUs to hand packets to',
  xskmap: 'sockets that take packets as they are',
  sockmap: 'sockets',
  sockhash: 'sockets by key',
  queue: 'queue: first in, first out',
  stack: 'stack: last in, first out',
  bloom_filter: 'set that may say yes too often, never no',
  sk_storage: 'something kept with each socket',
  stack_trace: 'traces of calls',
  arena: 'memory shared with user space',
}
const SECTIONS = {
  rodata: 'constants, and the configuration',
  data: 'variables with a first value',
  bss: 'variables that begin at zero',
} as const

/** What a map is, in plain words. */
export const mapWords = ({ kind, typeName }: MapReport): string =>
  kind === 'map' ? (WORDS[typeName] ?? typeName) : SECTIONS[kind]

/** How many entries of which size a map has. */
export function mapSizes({ kind, typeName, keySize, valueSize, maxEntries }: MapReport): string {
  if (kind !== 'map') return byteText(valueSize)
  if (isRing(typeName)) return byteText(maxEntries)
  if (keySize === 0) return `${counted(maxEntries, 'item')} of ${counted(valueSize, 'byte')}`
  return `${counted(maxEntries, 'entry', 'entries')}, ${keySize} → ${counted(valueSize, 'byte')}`
}

const isRing = (typeName: string): boolean => typeName === 'ringbuf' || typeName === 'user_ringbuf'

/** Bytes of keys and values when a map is full; values are rounded up to eight bytes, as the kernel does. */
export function mapMemory(map: MapReport): string {
  const { kind, typeName, keySize, valueSize, maxEntries } = map
  if (kind !== 'map') return byteText(valueSize)
  if (isRing(typeName)) return byteText(maxEntries)
  const value = Math.ceil(valueSize / 8) * 8
  const keys = typeName.includes('array') ? 0 : keySize
  return `${byteText(maxEntries * (value + keys))}${isPerCpu(typeName) ? ' on each CPU' : ''}`
}
