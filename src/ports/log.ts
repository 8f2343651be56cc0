import type { Actor } from '../domain/account.ts'
import type { LogName } from '../domain/log.ts'
import type { LogEntry } from '../domain/log-entry.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { NoteKey } from '../tlog/note-key.ts'
import type { Tile } from '../tlog/tile.ts'
import type { Readable } from './catalog.ts'

/** An entry with its place. A private one has what it stands for, and the salt of its commitment. */
export interface PlacedEntry {
  readonly index: number
  readonly data: Buffer
  readonly hidden: Buffer | undefined
  readonly salt: Buffer | undefined
}

/** Gives what a log has; nobody's word is needed for it, since all of it is checked against a checkpoint. */
export interface Logs {
  /** Begins the logs that are not there. Throws `log_key_mismatch` when another key signed what is there, `log_key_invalid`. */
  open(): Promise<void>
  /** The key of a log, under its name. */
  key(log: LogName): Promise<NoteKey>
  /** The newest checkpoint, a signed note, with the cosignatures that witnesses gave for it. */
  checkpoint(log: LogName): Promise<string>
  /** The bytes of a tile or bundle, undefined for one that the log has not. */
  tile(log: LogName, tile: Tile): Promise<Buffer | undefined>
  /** An entry, undefined behind the end. */
  entry(log: LogName, index: number): Promise<PlacedEntry | undefined>
  /** The entry of a release's publication, undefined for one that was published before there was a log. */
  published(program: ProgramId, version: string): Promise<PlacedEntry | undefined>
  /** The entry of a revocation, by the digest of its envelope; undefined for one that was never logged. */
  revoked(digest: Digest, log: LogName): Promise<PlacedEntry | undefined>
  /**
   * What hidden entries stand for that are about a namespace, or its programs, as far as these may be read; those behind `after`,
   * in their order, up to LIMITS.log_openings. The namespace's own are for who may read one of its programs.
   */
  openings(log: LogName, namespace: string, readable: Readable, after: number): Promise<PlacedEntry[]>
  /** Signs the newest checkpoint anew when that was done longer than `age_s` ago, so that readers see that nothing is withheld. */
  refresh(log: LogName, age_s: number): Promise<void>
  /** How often a log was begun anew. */
  epoch(log: LogName): Promise<number>
  /** The statement by which an epoch of a log began; undefined for one that did not. */
  recovery(log: LogName, epoch: number): Promise<string | undefined>
  /**
   * Begins both logs anew by signed statements, one for each: under the names of their keys, with all their entries, an entry `epoch`
   * behind them. Statements that are in force already change nothing. Throws `log_untrusted`, `log_recovery_invalid`, `log_fork`,
   * `log_proof_invalid` for one that is not about what this log is.
   */
  beginAnew(statements: Readonly<Record<LogName, string>>, by: Actor): Promise<void>
  /** Keeps a witness's signature of a checkpoint, and forgets older ones of its. */
  addCosignature(log: LogName, witness: string, signed: Cosigned): Promise<void>
  /**
   * The newest checkpoint that `threshold` of the witnesses with these key ids signed, with all that is known of it; undefined for
   * none among the last.
   */
  witnessed(log: LogName, ids: readonly string[], threshold: number): Promise<string | undefined>
}

/** A witness's signature line, and the checkpoint that it is of, a signed note. */
export interface Cosigned {
  readonly line: string
  readonly note: string
}

/** An entry to add; one about a private program is hidden. */
export interface NewEntry {
  readonly entry: LogEntry
  readonly isPrivate: boolean
}
