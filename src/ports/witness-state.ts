import type { TreeHead } from '../tlog/audit.ts'

/** Keeps the newest checkpoint of each log that a witness signed. */
export interface WitnessState {
  /** Undefined for a log that was never signed. Throws when what is kept cannot be read: then nothing may be signed. */
  newest(origin: string): Promise<TreeHead | undefined>
  /** Durable once it resolves: a power cut does not take it back. */
  save(origin: string, head: TreeHead): Promise<void>
}
