import { z } from 'zod'
import { Hook, VerdictCounts, XdpVerdict } from './hook.ts'
import { LIMITS } from './limits.ts'
import { Digest, InstanceName, Name } from './names.ts'

/** What an entry of a generation was built from. */
const EntryRecord = z.strictObject({
  instance: InstanceName,
  release: z.string(),
  entry: z.string(),
  object: Digest,
  proceed: z.array(XdpVerdict),
})
export type EntryRecord = z.infer<typeof EntryRecord>

/** One immutable built chain, as the agent remembers it; bpffs holds its program and counters. */
const GenerationRecord = z.strictObject({
  generation: z.int().min(1),
  function: Name,
  revision: z.int().min(1),
  /** SHA-256 of everything that makes the chain what it is: equal digests need no new generation. */
  spec: Digest,
  builtAt: z.iso.datetime(),
  entries: z.array(EntryRecord).min(1).max(LIMITS.chain_entries),
  /** Pinned state maps that it uses. */
  stateKeys: z.array(z.string()),
})

/** The memory of one hook of one interface: its generations, and the packets that those already gone have counted. */
export const ChainRecord = z.strictObject({
  key: z.string(),
  netns: z.string(),
  interface: z.string(),
  ifindex: z.int().min(1),
  hook: Hook,
  generations: z.array(GenerationRecord),
  /** Packets by entry (`function/instance/entry`) over the generations that are gone. */
  totals: z.record(z.string(), VerdictCounts),
})
export type ChainRecord = z.infer<typeof ChainRecord>

/** Names an entry across generations. */
export const entryKey = (functionName: string, entry: EntryRecord): string =>
  `${functionName}/${entry.instance}/${entry.entry}`
