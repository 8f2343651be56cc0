import { DomainError } from '../domain/errors.ts'
import { type LogName, type LogProof, type LogView, logPlace } from '../domain/log.ts'
import { type ProgramId, releaseRef } from '../domain/names.ts'
import type { Logs } from '../ports/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { parseNote } from '../tlog/note.ts'
import { formatNoteKey } from '../tlog/note-key.ts'
import { inclusionProof } from '../tlog/proof.ts'
import { parseTilePath } from '../tlog/tile.ts'
import { type ReadTile, tileHashReader } from '../tlog/tile-reader.ts'

/** A log as it stands. */
export async function logView(logs: Pick<Logs, 'key' | 'checkpoint'>, log: LogName): Promise<LogView> {
  const { size, root } = parseCheckpoint(parseNote(await logs.checkpoint(log)).text)
  return { log, key: formatNoteKey(await logs.key(log)), size, root: root.toString('base64') }
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
  const checkpoint = await logs.checkpoint('catalog')
  const { size } = parseCheckpoint(parseNote(checkpoint).text)
  const hashes = await inclusionProof(place.index, size, tileHashReader(size, tilesOf(logs, 'catalog')))
  return { ...logPlace(place), checkpoint, hashes: hashes.map((hash) => hash.toString('base64')) }
}

/** The tiles of a log of one's own by their paths. */
const tilesOf =
  (logs: Pick<Logs, 'tile'>, log: LogName): ReadTile =>
  async (path) => {
    const tile = parseTilePath(path)
    const bytes = tile === undefined ? undefined : await logs.tile(log, tile)
    if (bytes === undefined) throw new DomainError('internal', `the log of ${log} has no ${path}`)
    return bytes
  }
