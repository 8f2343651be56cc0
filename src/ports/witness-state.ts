import type { TreeHead } from '../tlog/audit.ts'
import type { LogState } from '../tlog/log-state.ts'

/** A log by the key that signs it now. */
export type LogEpoch = Pick<LogState, 'key' | 'epoch'>

/** What a witness remembers of a log: the newest checkpoint that it signed, and, once it was given up, as what it goes on. */
export interface WitnessedLog extends TreeHead {
  readonly goesOn?: LogEpoch | undefined
}

/** A witness's memory of logs, by their names. */
export interface WitnessState {
  /** Undefined for a log that was never signed. Throws when what is kept cannot be read: then nothing may be signed. */
  newest(origin: string): Promise<WitnessedLog | undefined>
  /** Durable once it resolves: a power cut does not take it back. */
  save(origin: string, log: WitnessedLog): Promise<void>
}
