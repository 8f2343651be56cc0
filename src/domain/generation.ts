import { z } from 'zod'
import { EntryForm, Hook, Verdict, VerdictCounts } from './hook.ts'
import { LIMITS } from './limits.ts'
import { Digest, InstanceName, Name } from './names.ts'

/** What an entry of a generation was built from. */
const EntryRecord = z.strictObject({
  function: Name,
  instance: InstanceName,
  release: z.string(),
  entry: z.string(),
  object: Digest,
  proceed: z.array(Verdict),
  /** SHA-256 of everything that makes the entry what it is, its configuration and maps included. */
  spec: Digest,
})
export type EntryRecord = z.infer<typeof EntryRecord>

/** A function's part in a generation. */
const FunctionPart = z.strictObject({ name: Name, revision: z.int().min(1) })
export type FunctionPart = z.infer<typeof FunctionPart>

/** One immutable built chain, as the agent remembers it; bpffs holds its program and counters. */
const GenerationRecord = z.strictObject({
  generation: z.int().min(1),
  /** Whose entries it has, in the order of the chain. */
  functions: z.array(FunctionPart).min(1),
  /** SHA-256 of everything that makes the chain what it is: equal digests need no new generation. */
  spec: Digest,
  builtAt: z.iso.datetime(),
  entries: z
    .array(z.strictObject({ ...EntryRecord.shape, form: EntryForm }))
    .min(1)
    .max(LIMITS.chain_entries),
  /** Pinned state maps that it uses. */
  stateKeys: z.array(z.string()),
})
export type GenerationRecord = z.infer<typeof GenerationRecord>

/** What a change made of a function on one hook: its revision, and what tells its entries there from others. */
const UndonePart = z.strictObject({ name: Name, revision: z.int().min(1), part: z.string() })

/** The memory of one hook of one interface: its generations, and the packets that those already gone have counted. */
export const ChainRecord = z.strictObject({
  key: z.string(),
  netns: z.string(),
  interface: z.string(),
  ifindex: z.int().min(1),
  hook: Hook,
  generations: z.array(GenerationRecord),
  /** The generation that ran before the one that runs: kept, to go back to it in one step. */
  previous: z.int().min(1).optional(),
  /** The generation that was switched to while the registry was within reach, and has not been heard of through it since. */
  unconfirmed: z.int().min(1).optional(),
  /**
   * What a change that was never confirmed had made here when the host, or the interface, went down: it is not made again
   * before the registry is within reach.
   */
  undone: z.array(UndonePart).optional(),
  /** Packets by entry (`function/instance/entry`) over the generations that are gone, the latest last. */
  totals: z.record(z.string(), VerdictCounts),
})
export type ChainRecord = z.infer<typeof ChainRecord>

/** Names an entry across generations. */
export const entryKey = (entry: Pick<EntryRecord, 'function' | 'instance' | 'entry'>): string =>
  `${entry.function}/${entry.instance}/${entry.entry}`
