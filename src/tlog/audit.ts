import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { appendLeaves, EMPTY_FRONTIER, type Frontier, frontierRoot, leafHash } from './merkle.ts'
import { TILE_WIDTH, type Tile, tileAt, tileHashes, tilePath } from './tile.ts'
import { type ReadTile, readBundle, readHashTile } from './tile-reader.ts'

/** A tree whose root somebody signed. */
export interface TreeHead {
  readonly size: number
  readonly root: Buffer
}

/** Takes entries in their order, `index` being the first one's place in the log. */
export type TakeEntries = (entries: readonly Buffer[], index: number) => void

/**
 * Reads what a log got since `from`, a frontier that was checked before: its entries alone make the root of `head`, which
 * shows that the log continues the one known and that these are its entries, without any further proof. `take` gets them
 * as they come; none may be believed before the promise is fulfilled. Gives the frontier to go on from.
 *
 * Throws `log_rollback` when the log is shorter than `from`, `log_malformed`, `log_mismatch`, and what `readTile` throws.
 */
export async function replayEntries(
  { from, head, readTile }: { from: Frontier; head: TreeHead; readTile: ReadTile },
  take: TakeEntries,
): Promise<Frontier> {
  if (head.size < from.size)
    throw new DomainError('log_rollback', `the log has ${head.size} entries, it had ${from.size}`)
  let frontier = from
  for await (const { tile, entries } of readAhead(bundlesFrom(from.size, head.size), async (tile) => ({
    tile,
    entries: await readBundle(tile, readTile),
  }))) {
    const start = Math.max(tile.index * TILE_WIDTH, from.size)
    const added = entries.slice(start - tile.index * TILE_WIDTH)
    take(added, start)
    frontier = appendLeaves(frontier, added.map(leafHash)).frontier
  }
  requireRoot(frontier, head)
  return frontier
}

/**
 * Reads a whole log, entry for entry and tile for tile: each bundle, the level 0 tile beside it, and each tile above are
 * what the entries make them, and their root is that of `head`. `take` as in {@link replayEntries}.
 *
 * Throws `log_mismatch` with the first path at fault, `log_malformed`, and what `readTile` throws.
 */
export async function auditLog(
  { head, readTile }: { head: TreeHead; readTile: ReadTile },
  take: TakeEntries,
): Promise<Frontier> {
  let frontier = EMPTY_FRONTIER
  const upper = new Map<number, Buffer[]>() // hashes of each level above 0 since its last full tile
  for await (const { tile, entries, hashes } of readAhead(bundlesFrom(0, head.size), async (tile) => {
    const [entries, hashes] = await Promise.all([
      readBundle(tile, readTile),
      readHashTile({ ...tile, level: 0 }, readTile),
    ])
    return { tile, entries, hashes }
  })) {
    take(entries, tile.index * TILE_WIDTH)
    const leaves = entries.map(leafHash)
    requireTile({ ...tile, level: 0 }, leaves, hashes)
    const added = appendLeaves(frontier, leaves)
    frontier = added.frontier
    for (const { level, position, hash } of tileHashes(added.nodes)) {
      if (level === 0) continue
      const held = upper.get(level) ?? []
      held.push(hash)
      upper.set(level, held)
      if (held.length < TILE_WIDTH) continue
      await auditTile({ level, index: Math.floor(position / TILE_WIDTH), width: TILE_WIDTH }, held, readTile)
      upper.set(level, [])
    }
  }
  for (const [level, held] of upper) {
    const index = Math.floor(head.size / TILE_WIDTH ** (level + 1))
    if (held.length > 0) await auditTile({ level, index, width: held.length }, held, readTile)
  }
  requireRoot(frontier, head)
  return frontier
}

async function auditTile(tile: Tile, hashes: readonly Buffer[], readTile: ReadTile): Promise<void> {
  requireTile(tile, hashes, await readHashTile(tile, readTile))
}

function requireTile(tile: Tile, hashes: readonly Buffer[], served: Buffer): void {
  if (!Buffer.concat(hashes).equals(served))
    throw new DomainError('log_mismatch', `log: ${tilePath(tile)} is not what the entries make it`)
}

function requireRoot(frontier: Frontier, { size, root }: TreeHead): void {
  if (frontier.size !== size || !frontierRoot(frontier).equals(root))
    throw new DomainError('log_mismatch', `log: its ${size} entries do not make the root of the checkpoint`)
}

/** The bundles that hold entries `from` to before `size`. */
function* bundlesFrom(from: number, size: number): Generator<Tile> {
  if (from === size) return
  for (let index = Math.floor(from / TILE_WIDTH); ; index++) {
    const bundle = tileAt('entries', index, size)
    if (bundle === undefined) return
    yield bundle
  }
}

/** What `read` makes of each tile, in their order, while the next ones are already being read. */
async function* readAhead<T>(tiles: Iterable<Tile>, read: (tile: Tile) => Promise<T>): AsyncGenerator<T> {
  const waiting: Promise<T>[] = []
  for (const tile of tiles) {
    const reading = read(tile)
    reading.catch(() => {}) // it is thrown when its turn comes; until then, and when an earlier one failed, nobody waits
    waiting.push(reading)
    if (waiting.length <= LIMITS.log_audit_ahead) continue
    const next = waiting.shift()
    if (next !== undefined) yield next
  }
  yield* waiting
}
