import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { canonicalBase64, canonicalNumber } from './canonical.ts'
import type { LogState } from './log-state.ts'
import { HASH_BYTES } from './merkle.ts'
import { formatNote, type NoteSignerKey, parseNote, signatureLine, verifyNote } from './note.ts'
import { formatNoteKey, type NoteKey, parseNoteKey } from './note-key.ts'

/** Says that a log lost entries and goes on as another: under a new name, with the entries that the old one had at `size`. */
export interface Recovery {
  /** Name of the log that is given up. */
  readonly origin: string
  /** Number of the epoch that begins; it only grows. */
  readonly epoch: number
  /** The last checkpoint of the old log that is good, with which the new one begins. */
  readonly size: number
  readonly root: Buffer
  /** Key of the new log, under its name. */
  readonly key: NoteKey
}

/** First line, which no checkpoint of a log has: one is never taken for the other. */
const HEADER = 'hookline-log-recovery/v1'

/**
 * Reads the verifier key that may give up these logs. Throws `log_key_invalid`, also for the key of such a log, which could give up
 * its own history, and for one for cosignatures, which say another thing.
 */
export function parseRecoveryKey(text: string, logs: readonly NoteKey[]): NoteKey {
  const key = parseNoteKey(text)
  if (key.type !== 'note' || logs.some(({ publicKey }) => publicKey.equals(key.publicKey)))
    throw new DomainError(
      'log_key_invalid',
      `${JSON.stringify(key.name)} is the key of the log itself, or one for cosignatures: it can recover nothing`,
    )
  return key
}

/** Signs a recovery with a key that is kept offline, and that is not the log's. Throws `log_recovery_invalid`. */
export function signRecovery(recovery: Recovery, signer: NoteSignerKey): string {
  const { origin, epoch, size, root, key } = recovery
  const text = [HEADER, origin, epoch, size, root.toString('base64'), formatNoteKey(key), ''].join('\n')
  parseRecovery(text)
  return formatNote(text, [signatureLine(text, signer)])
}

/**
 * Decides whether a reader goes over to a new log, and gives what to remember of it. A reader who has seen no more than
 * the new log begins with demands that it continues what was seen; one who has seen more goes back to the last good
 * checkpoint, and `lost` says by how many entries. A statement is about the log that is followed, and epochs only grow: an
 * old one cannot take a reader back.
 *
 * Throws `log_malformed`, `log_untrusted` unless one of `recoveryKeys` signed, `log_recovery_invalid` when it is about
 * another log or a past epoch, and `log_fork` when the reader has seen another log of that size.
 */
export function acceptRecovery(
  seen: LogState,
  note: string | Buffer,
  recoveryKeys: readonly NoteKey[],
): { state: LogState; lost: number } {
  const parsed = parseNote(note)
  const [signer] = verifyNote(
    parsed,
    recoveryKeys.filter(({ type }) => type === 'note'),
  ) // a cosignature says another thing
  if (signer === undefined)
    throw new DomainError('log_untrusted', 'the recovery is not signed by a recovery key')
  const { origin, epoch, size, root, key } = parseRecovery(parsed.text)
  if (origin !== seen.key.name) throw invalid(`it is about ${JSON.stringify(origin)}, another log`)
  if (epoch <= seen.epoch) throw invalid(`it begins epoch ${epoch}, this is ${seen.epoch} already`)
  if (seen.size === size && !seen.root.equals(root))
    throw new DomainError('log_fork', `the recovery names another log of ${size} entries than was seen`)
  return seen.size <= size
    ? { state: { key, epoch, size: seen.size, root: seen.root }, lost: 0 }
    : { state: { key, epoch, size, root }, lost: seen.size - size }
}

/** A reader who went over to a new log, by how many statements and what it cost. */
export interface Recovered {
  readonly state: LogState
  /** Entries that were seen and are in the log no more. */
  readonly lost: number
  /** The statements by which the reader went over, by epoch. */
  readonly notes: ReadonlyMap<number, Buffer>
}

/**
 * Goes over from the log that was seen to the one called `origin`, by the statements that `read` gives by epoch (undefined behind
 * the last), in their order and each once. Statements about logs that were given up before are passed over. A reader who
 * follows that log already, or whom no statement leads there, stays where he is.
 *
 * Throws as {@link acceptRecovery}, and what `read` throws.
 */
export async function followRecoveries(
  seen: LogState,
  origin: string,
  recoveryKeys: readonly NoteKey[],
  read: (epoch: number) => Promise<Buffer | undefined>,
): Promise<Recovered> {
  let [state, lost] = [seen, 0]
  const notes = new Map<number, Buffer>()
  for (let epoch = seen.epoch + 1; state.key.name !== origin && epoch <= LIMITS.log_epochs; epoch++) {
    const note = recoveryKeys.length === 0 ? undefined : await read(epoch)
    if (note === undefined) break
    const statement = readRecovery(note)
    if (statement.epoch !== epoch) throw invalid(`it begins epoch ${statement.epoch}, shown as ${epoch}`)
    if (statement.origin !== state.key.name && state.epoch === 0) continue
    const accepted = acceptRecovery(state, note, recoveryKeys)
    state = accepted.state
    lost += accepted.lost
    notes.set(epoch, note)
  }
  return { state, lost, notes }
}

/** What a statement says, nobody's signature checked. Throws `log_malformed`, `log_recovery_invalid`. */
export const readRecovery = (note: string | Buffer): Recovery => parseRecovery(parseNote(note).text)

/**
 * The name of the log that goes on from `origin` in an epoch: `registry.example/catalog` goes on as
 * `registry.example/epoch-1/catalog`, and that as `registry.example/epoch-2/catalog`.
 */
export function epochOrigin(origin: string, epoch: number): string {
  const [, base = '', log = ''] = /^(.*?)(?:\/epoch-\d+)?\/([^/]+)$/.exec(origin) ?? []
  return `${base}/epoch-${epoch}/${log}`
}

function parseRecovery(text: string): Recovery {
  const [header, origin = '', epochText = '', sizeText = '', rootText = '', keyText = '', ...rest] =
    text.split('\n')
  const [epoch, size] = [canonicalNumber(epochText), canonicalNumber(sizeText)]
  const root = canonicalBase64(rootText)
  if (header !== HEADER || rest.join() !== '' || rest.length !== 1)
    throw invalid(`it is not the six lines of ${HEADER}`)
  if (origin === '' || !epoch || size === undefined || root?.length !== HASH_BYTES)
    throw invalid('it is not origin, epoch, size, root and key, a line each')
  const key = newKey(keyText)
  // Witnesses remember a log by its name: under the old one they would, rightly, never sign a shorter log.
  if (key.name === origin) throw invalid('the new log has the name of the old one')
  return { origin, epoch, size, root, key }
}

function newKey(text: string): NoteKey {
  try {
    const key = parseNoteKey(text)
    if (key.type === 'note') return key
  } catch (cause) {
    throw new DomainError('log_recovery_invalid', 'recovery: the key cannot be read', { cause })
  }
  throw invalid('the key is one for cosignatures')
}

const invalid = (why: string): DomainError => new DomainError('log_recovery_invalid', `recovery: ${why}`)
