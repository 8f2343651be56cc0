import { DomainError } from '../domain/errors.ts'
import { type LogName, type LogProof, type LogView, logPlace } from '../domain/log.ts'
import { type Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import type { Logs } from '../ports/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { parseNote, verifyNote } from '../tlog/note.ts'
import { asCosigner, formatNoteKey, type NoteKey } from '../tlog/note-key.ts'
import { inclusionProof } from '../tlog/proof.ts'
import { parseTilePath } from '../tlog/tile.ts'
import { type ReadTile, tileHashReader } from '../tlog/tile-reader.ts'

/** A log as it stands, with what its witnesses said of its newest checkpoint. */
export async function logView(
  logs: Pick<Logs, 'key' | 'checkpoint' | 'epoch'>,
  log: LogName,
  witnesses: readonly NoteKey[],
): Promise<LogView> {
  const [note, key] = [parseNote(await logs.checkpoint(log)), await logs.key(log)]
  const { size, root } = parseCheckpoint(note.text)
  const timeOf = (signer: NoteKey): string | undefined => {
    const [signed] = verifyNote(note, [signer])
    return signed?.time === undefined ? undefined : new Date(signed.time * 1000).toISOString()
  }
  return {
    ...{ log, key: formatNoteKey(key), epoch: await logs.epoch(log), size, root: root.toString('base64') },
    signedAt: timeOf(asCosigner(key)) ?? new Date(0).toISOString(),
    witnesses: witnesses.map((witness) => {
      const signedAt = timeOf(witness)
      return { key: formatNoteKey(witness), ...(signedAt === undefined ? {} : { signedAt }) }
    }),
  }
}

/**
 * The proof that a release's publication is part of the log's newest checkpoint. Throws `not_found` for one that was never
 * logged. That it may be read is the caller's to check.
 */
export async function releaseProof(
  logs: Pick<Logs, 'published' | 'checkpoint' | 'tile'>,
  program: ProgramId,
  version: string,
): Promise<LogProof> {
  const place = await logs.published(program, version)
  if (place === undefined)
    throw new DomainError('not_found', `the log does not know ${releaseRef(program, version)}`)
  return { ...logPlace(place), ...(await entryProof(logs, 'catalog', place.index)) }
}

/**
 * The proof that a revocation is part of the newest checkpoint of one of the logs that have it. Throws `not_found` for one that was
 * never logged. That it may be read is the caller's to check.
 */
export async function revocationProof(
  logs: Pick<Logs, 'revoked' | 'checkpoint' | 'tile'>,
  log: LogName,
  digest: Digest,
): Promise<LogProof> {
  const place = await logs.revoked(digest, log)
  if (place === undefined)
    throw new DomainError('not_found', `the log of ${log} does not know the revocation ${digest}`)
  return { ...logPlace(place), ...(await entryProof(logs, log, place.index)) }
}

/** The proof that an entry is part of its log's newest checkpoint. Throws `not_found` for one behind the end. */
export async function entryProof(
  logs: Pick<Logs, 'checkpoint' | 'tile'>,
  log: LogName,
  index: number,
): Promise<Pick<LogProof, 'checkpoint' | 'hashes'>> {
  const checkpoint = await logs.checkpoint(log)
  const { size } = parseCheckpoint(parseNote(checkpoint).text)
  if (index >= size) throw new DomainError('not_found', `the log of ${log} has ${size} entries`)
  const hashes = await inclusionProof(index, size, tileHashReader(size, tilesOf(logs, log)))
  return { checkpoint, hashes: hashes.map((hash) => hash.toString('base64')) }
}

/** The tiles of a log of one's own by their paths. */
export const tilesOf =
  (logs: Pick<Logs, 'tile'>, log: LogName): ReadTile =>
  async (path) => {
    const tile = parseTilePath(path)
    const bytes = tile === undefined ? undefined : await logs.tile(log, tile)
    if (bytes === undefined) throw new DomainError('internal', `the log of ${log} has no ${path}`)
    return bytes
  }
