import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { LogName } from '../domain/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { type NoteSignerKey, parseNote, verifyNote } from '../tlog/note.ts'
import { formatNoteKey, type NoteKey } from '../tlog/note-key.ts'
import { consistencyProof, verifyConsistency } from '../tlog/proof.ts'
import { epochOrigin, readRecovery } from '../tlog/recovery.ts'
import { parseTilePath, type Tile } from '../tlog/tile.ts'
import { tileHashReader } from '../tlog/tile-reader.ts'
import { audit, type Transaction } from './database.ts'

/** A statement about one log, and what the registry has of that log. */
interface Beginning {
  readonly log: LogName
  /** The signed statement. */
  readonly note: string
  readonly signerOf: (tree: { readonly origin: string }) => NoteSignerKey
  readonly recoveryKey: NoteKey | undefined
  readonly tile: (tile: Tile) => Promise<Buffer | undefined>
}

/**
 * Gives a log the name that a statement says, under the lock of the logs; gives the epoch that begins, undefined when the
 * statement is in force already. Each reader decides again by the key that he knows; one of another key, or one that does not fit
 * this log, would leave it where nobody could follow. Throws `log_malformed`, `log_untrusted`, `log_recovery_invalid`,
 * `log_fork`, `log_proof_invalid`.
 */
export async function beginEpoch(
  transaction: Transaction,
  { log, note, signerOf, recoveryKey, tile }: Beginning,
  by: Actor,
): Promise<number | undefined> {
  const { origin, epoch, size, root, key } = readRecovery(note)
  if (recoveryKey === undefined || verifyNote(parseNote(note), [recoveryKey]).length === 0)
    throw new DomainError(
      'log_untrusted',
      recoveryKey === undefined
        ? 'this registry knows no recovery key: start it with HOOKLINE_LOG_RECOVERY_KEY'
        : `the statement is not signed by ${recoveryKey.name}`,
    )
  const before = await transaction.logRecovery.count({ where: { log } })
  const same = await transaction.logRecovery.findUnique({ where: { log_epoch: { log, epoch } } })
  if (same?.note === note) return undefined
  const tree = await transaction.logTree.findUniqueOrThrow({ where: { log } })
  if (origin !== tree.origin)
    throw invalid(`it is about ${JSON.stringify(origin)}, this log is ${JSON.stringify(tree.origin)}`)
  if (epoch !== before + 1) throw invalid(`it begins epoch ${epoch}, the next one is ${before + 1}`)
  // a name that it had before would have those who know it by that, witnesses too, take it for that log gone back
  const own = formatNoteKey(signerOf({ origin: epochOrigin(origin, epoch) }).key)
  if (formatNoteKey(key) !== own)
    throw invalid(`the new log is to be signed by ${formatNoteKey(key)}, this registry will sign as ${own}`)
  const now = parseCheckpoint(parseNote(tree.checkpoint).text)
  if (size > now.size) throw invalid(`it begins with ${size} entries, this log has ${now.size}`)
  const readHashes = tileHashReader(now.size, async (path) => {
    const parsed = parseTilePath(path)
    const bytes = parsed === undefined ? undefined : await tile(parsed)
    if (bytes === undefined) throw new DomainError('internal', `the log of ${log} has no ${path}`)
    return bytes
  })
  const proof = await consistencyProof(size, now.size, readHashes)
  verifyConsistency({ from: size, fromRoot: root, to: now.size, toRoot: now.root, proof })
  await transaction.logRecovery.create({ data: { log, epoch, note } })
  await transaction.logTree.update({ where: { log }, data: { origin: key.name } })
  // they are of a log that is given up
  await transaction.logCosignature.deleteMany({ where: { log } })
  await audit(transaction, by, 'log.recover', key.name, { before: { origin }, after: { epoch, size } })
  return epoch
}

const invalid = (why: string): DomainError => new DomainError('log_recovery_invalid', `recovery: ${why}`)
