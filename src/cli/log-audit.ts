import { writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { LogClient } from '../client/log-client.ts'
import { DomainError, type ErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import { auditLog, replayEntries } from '../tlog/audit.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { emptyHistory, type LogHistory, type Opening } from '../tlog/history.ts'
import { acceptCheckpoint, type LogPolicy, type LogState, unseenLog } from '../tlog/log-state.ts'
import type { Frontier } from '../tlog/merkle.ts'
import { parseNote, verifyNote } from '../tlog/note.ts'
import { asCosigner, type NoteKey } from '../tlog/note-key.ts'
import { consistencyProof } from '../tlog/proof.ts'
import { type ReadTile, tileHashReader } from '../tlog/tile-reader.ts'
import { patiently } from './patiently.ts'

/** A disagreement: what about, and what was found. */
export interface Finding {
  readonly code: ErrorCode
  readonly subject: string
  readonly detail: string
}

/** A log all of whose entries were read and make the root that it signed. */
export interface AuditedLog {
  readonly state: LogState
  /** The signed checkpoint. */
  readonly note: Buffer
  readonly frontier: Frontier
  readonly history: LogHistory
}

/** What a reader holds against a registry's log: where it stands, and how fresh and witnessed a checkpoint must be. */
interface Reading {
  readonly client: LogClient
  readonly log: LogName
  readonly policy: LogPolicy
}

/** The tiles of a log. A long one has more than a registry gives at once: a few thousand requests a minute. */
const tilesOf =
  ({ client, log }: Omit<Reading, 'policy'>): ReadTile =>
  (path) =>
    patiently(() => client.tiles(log)(path))

/**
 * Goes on to the newest checkpoint of a log, from what was seen. One that witnesses have not signed yet is asked for again: it may be
 * new. Throws what {@link acceptCheckpoint} does.
 */
async function nextCheckpoint(
  { client, log, policy }: Reading,
  seen: LogState,
): Promise<{ state: LogState; note: Buffer }> {
  for (let waits = 0; ; waits++) {
    const note = await patiently(() => client.checkpoint(log))
    const { size } = parseCheckpoint(parseNote(note).text)
    const readHashes = tileHashReader(size, tilesOf({ client, log }))
    // a shorter log has no proof to give: it is refused for that
    const proof = size <= seen.size ? [] : await consistencyProof(seen.size, size, readHashes)
    try {
      return { state: acceptCheckpoint(seen, { note, proof }, policy, new Date()), note }
    } catch (thrown) {
      const isEarly = thrown instanceof DomainError && thrown.code === 'witnesses_missing'
      if (!isEarly || waits === LIMITS.witness_waits) throw thrown
      await pause(LIMITS.witness_wait_ms)
    }
  }
}

/**
 * Reads a whole log, after its newest checkpoint was found to continue what was seen of it; `onEntries` is told how many were read
 * and how many there are; hidden ones are opened by `openings`. Throws what {@link nextCheckpoint} and {@link auditLog} do.
 */
export async function auditWhole(
  reading: Reading,
  seen: LogState | NoteKey,
  onEntries: (done: number, total: number) => void,
  openings: ReadonlyMap<number, Opening> = new Map(),
): Promise<AuditedLog> {
  const { state, note } = await nextCheckpoint(reading, 'root' in seen ? seen : unseenLog(seen))
  const history = emptyHistory(openings)
  const readTile = tilesOf(reading)
  const frontier = await auditLog({ head: state, readTile }, (entries, index) => {
    history.take(entries, index)
    onEntries(index + entries.length, state.size)
  })
  return { state, note, frontier, history }
}

/** Reads what a log got since it was audited; its history goes on. Throws likewise. */
export async function auditFurther(reading: Reading, audited: AuditedLog): Promise<AuditedLog> {
  const { state, note } = await nextCheckpoint(reading, audited.state)
  const readTile = tilesOf(reading)
  const { history } = audited
  const frontier = await replayEntries({ from: audited.frontier, head: state, readTile }, history.take)
  return { state, note, frontier, history }
}

/**
 * Entries whose time does not fit where they stand: older than one before them, or newer than the checkpoint, beyond
 * LIMITS.log_entry_skew_s. A node counts a release's age by it.
 */
export function compareTimes(log: LogName, { history, note, state }: AuditedLog): Finding[] {
  const finding = ({ value, index }: { value: string; index: number }): Finding => ({
    ...{ code: 'log_times_differ', subject: `entry ${index} of the log of ${log}`, detail: value },
  })
  const { newest, backdated } = history
  const [signed] = verifyNote(parseNote(note), [asCosigner(state.key)])
  const time = signed?.time ?? 0
  const ahead = newest.value > time + LIMITS.log_entry_skew_s
  const value = `it is of ${newest.value}, the checkpoint of ${time}`
  return [...backdated, ...(ahead ? [{ value, index: newest.index }] : [])].map(finding)
}

/** What is told of revocations in one log and not in the other, of `catalog` only what was there before `before`. */
export function compareRevocations(catalog: LogHistory, revocations: LogHistory, before: number): Finding[] {
  const text = ({ value: { revoked, reason, envelope } }: LogHistory['revocations'][number]): string =>
    JSON.stringify([revoked, reason, envelope])
  const [inCatalog, inOwn] = [
    new Set(catalog.revocations.map(text)),
    new Set(revocations.revocations.map(text)),
  ]
  const finding = ({ value, index }: LogHistory['revocations'][number], detail: string): Finding => ({
    code: 'log_revocations_differ',
    subject: `revocation ${value.envelope}`,
    detail: `${detail} (entry ${index})`,
  })
  return [
    ...catalog.revocations
      .filter((one) => one.index < before && !inOwn.has(text(one)))
      .map((one) => finding(one, 'it is in the log of the catalog, and not in that of revocations')),
    ...revocations.revocations
      .filter((one) => !inCatalog.has(text(one)))
      .map((one) => finding(one, 'it is in the log of revocations, and not in that of the catalog')),
  ]
}

/**
 * Keeps the checkpoint that a log was refused for, beside the one that is remembered: together they convict it. Gives the file's
 * path; undefined for a refusal that proves nothing.
 */
export async function keepEvidence(
  path: string,
  log: LogName,
  thrown: unknown,
  notes: readonly (string | Buffer)[],
): Promise<string | undefined> {
  if (!(thrown instanceof DomainError) || !['log_fork', 'log_rollback'].includes(thrown.code))
    return undefined
  const file = `${path}.${log}-${thrown.code}.${Date.now()}`
  await writeFile(file, notes.map(String).join('\n'), { mode: 0o600 })
  return file
}
