import { DomainError } from '../domain/errors.ts'
import { decodeBundle } from './entry-bundle.ts'
import { HASH_BYTES, nodeHash, type ReadHashes } from './merkle.ts'
import { nodePlace, TILE_WIDTH, type Tile, tileAt, tilePath } from './tile.ts'

/**
 * Fetches a tile or bundle by its path, such as `tile/0/x001/234.p/17`. For a partial one, which a log may delete, the
 * full one's bytes will do.
 */
export type ReadTile = (path: string) => Promise<Buffer>

/**
 * Reads nodes of a log of `size` from its tiles; each tile is fetched once per call, all at once. The tiles are believed:
 * what is made of the hashes must be checked against a checkpoint. Throws `log_malformed` for a tile of another length,
 * a RangeError for a node that such a log has not.
 */
export function tileHashReader(size: number, readTile: ReadTile): ReadHashes {
  return async (nodes) => {
    const places = nodes.map((node) => nodePlace(node, size))
    const tiles = new Map(places.map(({ tile }) => [tilePath(tile), tile]))
    const read = await Promise.all(
      [...tiles].map(async ([path, tile]) => [path, await readHashTile(tile, readTile)] as const),
    )
    const bytes = new Map(read)
    return places.map(({ tile, start, end }) => {
      const held = bytes.get(tilePath(tile))
      if (held === undefined) throw new RangeError(`no tile ${tilePath(tile)}`)
      return subtreeHash(held.subarray(start, end))
    })
  }
}

/** The bytes of a tile's hashes: 32 for each. Throws `log_malformed`. */
export async function readHashTile(tile: Tile, readTile: ReadTile): Promise<Buffer> {
  const bytes = await readTile(tilePath(tile))
  const length = tile.width * HASH_BYTES
  if (bytes.length !== length && bytes.length !== TILE_WIDTH * HASH_BYTES)
    throw new DomainError('log_malformed', `log: ${tilePath(tile)} has ${bytes.length} bytes, not ${length}`)
  return bytes.subarray(0, length)
}

/** The entries of a bundle, which may hold more than the partial one that was asked for. Throws `log_malformed`. */
export const readBundle = async (bundle: Tile, readTile: ReadTile): Promise<Buffer[]> =>
  decodeBundle(await readTile(tilePath(bundle)), bundle.width)

/** An entry as it stands in a log. */
export interface EntryAt {
  readonly index: number
  readonly data: Buffer
}

/** Entries `from` to before `to` of a log of `size`, believed as they come. Throws `log_malformed`. */
export async function readEntries(
  { from, to, size }: { from: number; to: number; size: number },
  readTile: ReadTile,
): Promise<EntryAt[]> {
  const read: EntryAt[] = []
  for (let index = Math.floor(from / TILE_WIDTH); index * TILE_WIDTH < to; index++) {
    const bundle = tileAt('entries', index, size)
    if (bundle === undefined) break
    const entries = await readBundle(bundle, readTile)
    read.push(...entries.map((data, at) => ({ index: index * TILE_WIDTH + at, data })))
  }
  return read.filter(({ index }) => index >= from && index < to)
}

/** Hash over a power of two of consecutive hashes. */
function subtreeHash(bytes: Buffer): Buffer {
  if (bytes.length === HASH_BYTES) return bytes
  const middle = bytes.length / 2
  return nodeHash(subtreeHash(bytes.subarray(0, middle)), subtreeHash(bytes.subarray(middle)))
}
