import { HASH_BYTES, type HashedNode, type TreeNode } from './merkle.ts'

/** Levels of the tree in one tile, and hashes of a full one (C2SP tlog-tiles). */
const TILE_HEIGHT = 8
export const TILE_WIDTH = 2 ** TILE_HEIGHT

/** Up to 256 consecutive hashes of complete subtrees of `256^level` leaves; `entries`: the entries themselves. */
export interface Tile {
  readonly level: number | 'entries'
  readonly index: number
  /** 1 to 256; below 256 the tile is partial. */
  readonly width: number
}

/**
 * Where a tile is served below the log's prefix: `tile/<level>/<index>`, and `.p/<width>` behind it when it is partial.
 * The index is in elements of three digits, all but the last with an x before: 1234067 is `x001/x234/067` (C2SP tlog-tiles).
 */
export function tilePath({ level, index, width }: Tile): string {
  let path = digits(index % 1000)
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    path = `x${digits(rest % 1000)}/${path}`
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

const digits = (number: number): string => String(number).padStart(3, '0')

const PATH =
  /^tile\/(entries|0|[1-5]?[0-9]|6[0-3])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/

/** The tile at a path as {@link tilePath} writes it; undefined for any other path. */
export function parseTilePath(path: string): Tile | undefined {
  const [, level, elements, width] = PATH.exec(path) ?? []
  if (level === undefined || elements === undefined) return undefined
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(elements.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  }
  // One path for a tile: x000/001, a width of 256, and what is too large to be counted are none.
  return Number.isSafeInteger(tile.index) && tilePath(tile) === path ? tile : undefined
}

/** How many hashes tiles of a level hold in all, in a log of `size`. */
const hashesAt = (level: Tile['level'], size: number): number =>
  level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level)

/** The tile of a log of `size` that has this level and index; undefined when it would be empty. */
export function tileAt(level: Tile['level'], index: number, size: number): Tile | undefined {
  const width = Math.min(TILE_WIDTH, hashesAt(level, size) - index * TILE_WIDTH)
  return width > 0 ? { level, index, width } : undefined
}

/**
 * The tiles and bundles that a log of `size` has and one of `before` had not, partial ones among them: what is written
 * when a log grows, and, from 0, all that the checkpoint of `size` requires. By level, entries first.
 */
export function newTiles(before: number, size: number): Tile[] {
  const tiles: Tile[] = []
  for (const level of tileLevels(size)) {
    const first = Math.floor(hashesAt(level, before) / TILE_WIDTH)
    for (let index = first; ; index++) {
      const tile = tileAt(level, index, size)
      if (tile === undefined) break
      if (tileAt(level, index, before)?.width !== tile.width) tiles.push(tile)
    }
  }
  return tiles
}

function tileLevels(size: number): Tile['level'][] {
  const levels: Tile['level'][] = ['entries']
  for (let level = 0; hashesAt(level, size) > 0; level++) levels.push(level)
  return levels
}

/** Of the nodes that became complete, those that are hashes of tiles: `position` is that among all hashes of its level. */
export function tileHashes(
  nodes: readonly HashedNode[],
): { level: number; position: number; hash: Buffer }[] {
  return nodes
    .filter(({ level }) => level % TILE_HEIGHT === 0)
    .map(({ level, index, hash }) => ({ level: level / TILE_HEIGHT, position: index, hash }))
}

/** Where the hash of a node is: a range of hashes of one tile, which are the leaves below the node. */
export interface NodePlace {
  readonly tile: Tile
  /** Bytes of the tile. */
  readonly start: number
  readonly end: number
}

/** The tile that holds a node, in a log of `size`. Throws a RangeError for a node that is not complete then. */
export function nodePlace({ level, index }: TreeNode, size: number): NodePlace {
  const tileLevel = Math.floor(level / TILE_HEIGHT)
  const hashes = 2 ** (level % TILE_HEIGHT)
  const [first, offset] = [Math.floor((index * hashes) / TILE_WIDTH), (index * hashes) % TILE_WIDTH]
  const tile = tileAt(tileLevel, first, size)
  if (tile === undefined || offset + hashes > tile.width)
    throw new RangeError(`a log of ${size} has no node ${level}/${index}`)
  return { tile, start: offset * HASH_BYTES, end: (offset + hashes) * HASH_BYTES }
}
