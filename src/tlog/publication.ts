import { DomainError } from '../domain/errors.ts'
import type { LogEntry } from '../domain/log-entry.ts'
import { type Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import { hides, type OpaqueEntry, parseEntry } from './entry.ts'
import { acceptCheckpoint, type LogPolicy, type LogState, unseenLog } from './log-state.ts'
import { leafHash } from './merkle.ts'
import type { NoteKey } from './note-key.ts'
import { verifyInclusion } from './proof.ts'

/** An entry that is said to be in a log, and the proof. */
export interface ShownEntry {
  readonly index: number
  readonly entry: Buffer
  readonly proof: readonly Buffer[]
  /** The signed checkpoint that the proof leads to. */
  readonly note: string
}

/**
 * Checks that an entry is in the log of `key`, by a checkpoint that `policy` accepts, and gives the log as it was then.
 * Throws what {@link acceptCheckpoint} does, and `log_proof_invalid`.
 */
export function verifyEntry(
  { index, entry, proof, note }: ShownEntry,
  key: NoteKey,
  policy: LogPolicy,
  now: Date,
): LogState {
  const state = acceptCheckpoint(unseenLog(key), { note, proof: [] }, policy, now)
  verifyInclusion({ index, leaf: leafHash(entry), size: state.size, root: state.root, proof })
  return state
}

/**
 * The entry that bytes of a log stand for: themselves, or, of a private program, what they hide. Throws
 * `log_proof_invalid` when they hide something else, `log_entry_invalid`.
 */
export function openEntry(
  logged: Buffer,
  hidden?: { readonly entry: Buffer; readonly salt: Buffer },
): LogEntry | OpaqueEntry {
  const entry = parseEntry(logged)
  if (hidden === undefined) return entry
  const shown = parseEntry(hidden.entry)
  if (shown.kind === 'opaque' || !hides(entry, shown, hidden.salt))
    throw new DomainError('log_proof_invalid', 'the log’s entry hides something else than what is shown')
  return shown
}

/** What of a release its entry is compared with. */
export interface ShownRelease {
  readonly program: ProgramId
  readonly version: string
  readonly files: readonly { readonly name: string; readonly digest: Digest }[]
  /** Of the bytes of its bundle. */
  readonly bundle: Digest
}

/** Checks that an entry is the publication of just this release. Throws `log_release_differs`. */
export function requirePublication(entry: LogEntry | OpaqueEntry, release: ShownRelease): void {
  const ref = releaseRef(release.program, release.version)
  const differs = (what: string): DomainError =>
    new DomainError('log_release_differs', `${ref}: ${what} than was logged`)
  if (entry.kind !== 'publish') throw differs('something else')
  if (releaseRef(entry.program, entry.version) !== ref) throw differs('another release')
  if (entry.bundle !== release.bundle) throw differs('it has another bundle')
  const text = (files: ShownRelease['files']): string =>
    files
      .map(({ name, digest }) => `${name} ${digest}`)
      .sort()
      .join('\n')
  if (text(entry.files) !== text(release.files)) throw differs('it has other files')
}
