import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { canonicalBase64, canonicalNumber } from './canonical.ts'
import { HASH_BYTES } from './merkle.ts'
import { formatNote, type NoteSignerKey, signatureLine } from './note.ts'
import { asCosigner } from './note-key.ts'

/** The text that a log signs: which log it is, how many entries it has, and their root (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Name of the log. */
  readonly origin: string
  readonly size: number
  readonly root: Buffer
  /** Further lines, not empty. Our log writes none: nobody but the log vouches for them. */
  readonly extensions: readonly string[]
}

/** The text of a checkpoint, to be signed as a note. Throws `log_malformed` for parts that cannot stand in one. */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  const text = [origin, size, root.toString('base64'), ...extensions, ''].join('\n')
  parseCheckpoint(text)
  return text
}

/** Reads the text of a note as a checkpoint. Throws `log_malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', sizeText = '', rootText = '', ...extensions] = text.slice(0, -1).split('\n')
  const [size, root] = [canonicalNumber(sizeText), canonicalBase64(rootText)]
  if (!text.endsWith('\n') || origin === '' || size === undefined || root?.length !== HASH_BYTES)
    throw malformed('it is not origin, size and root, a line each')
  if (extensions.length > LIMITS.checkpoint_extensions || extensions.includes(''))
    throw malformed('its extension lines are empty or too many')
  return { origin, size, root, extensions }
}

/**
 * A checkpoint signed by its log, twice with the same key: as a note, and as a cosignature of `time` (POSIX seconds). The
 * second says that the log had nothing newer at that time, and can be made anew while the log does not grow, so that
 * readers can tell a quiet log from one that is withheld. Throws `log_malformed`.
 */
export function signCheckpoint(checkpoint: Checkpoint, signer: NoteSignerKey, time: number): string {
  const text = formatCheckpoint(checkpoint)
  const cosigner = { key: asCosigner(signer.key), privateKey: signer.privateKey }
  return formatNote(text, [signatureLine(text, signer), signatureLine(text, cosigner, time)])
}

const malformed = (why: string): DomainError => new DomainError('log_malformed', `checkpoint: ${why}`)
