import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { LogName } from '../domain/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { parseNote, verifyNote } from '../tlog/note.ts'
import type { NoteKey } from '../tlog/note-key.ts'
import { readLocalText } from './local-file.ts'

/** A checkpoint that somebody saw. */
export interface SeenHead {
  readonly size: number
  readonly root: Buffer
}

/** A checkpoint that says nothing of the logs at hand. */
export interface LeftOut {
  /** Where it was found. */
  readonly file: string
  readonly why: string
}

/** Checkpoints by the log that they are of, and those that are of none. */
export interface SeenCheckpoints {
  readonly heads: Readonly<Record<LogName, readonly SeenHead[]>>
  readonly leftOut: readonly LeftOut[]
}

/**
 * Sorts signed checkpoints, by the names of their files, by the logs whose keys signed them. Throws `log_malformed`,
 * `log_untrusted` for one that a key is said to have signed and has not.
 */
export function sortCheckpoints(
  keys: Readonly<Record<LogName, NoteKey>>,
  notes: Iterable<readonly [file: string, note: string]>,
): SeenCheckpoints {
  const heads: Record<LogName, SeenHead[]> = { catalog: [], revocations: [] }
  const leftOut: LeftOut[] = []
  for (const [file, text] of notes) {
    const note = parseNote(text)
    const { origin, size, root } = parseCheckpoint(note.text)
    const log = LogName.options.find((one) => keys[one].name === origin)
    if (log === undefined) leftOut.push({ file, why: `it is of ${JSON.stringify(origin)}, another log` })
    else if (verifyNote(note, [keys[log]]).length === 0)
      leftOut.push({ file, why: `it is not signed by the key of the log of ${log}` })
    else heads[log].push({ size, root })
  }
  return { heads, leftOut }
}

/** Reads signed checkpoints, each with the name of its file. Throws `file_unreadable`, `too_large`. */
export const readCheckpoints = (files: readonly string[]): Promise<[string, string][]> =>
  Promise.all(
    files.map(
      async (file): Promise<[string, string]> => [
        file,
        await readLocalText(file, LIMITS.note_bytes, 'checkpoint'),
      ],
    ),
  )

/** Refuses checkpoints that would not be looked at: what they contradict would seem to agree. Throws `checkpoint_unknown`. */
export function requireAllUsed(leftOut: readonly LeftOut[]): void {
  if (leftOut.length > 0)
    throw new DomainError('checkpoint_unknown', leftOut.map(({ file, why }) => `${file}: ${why}`).join('; '))
}
