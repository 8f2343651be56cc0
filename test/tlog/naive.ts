import { createHash } from 'node:crypto'
import { encodeBundle } from '../../src/tlog/entry-bundle.ts'
import { appendLeaves, EMPTY_FRONTIER, leafHash, type ReadHashes } from '../../src/tlog/merkle.ts'
import { newTiles, tileHashes, tilePath } from '../../src/tlog/tile.ts'
import type { ReadTile } from '../../src/tlog/tile-reader.ts'

const sha256 = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

/** The largest power of two below `size`. */
const split = (size: number): number => 2 ** (size - 1).toString(2).length / 2

/** MTH of RFC 9162 section 2.1.1, word for word. */
export function naiveRoot(entries: readonly Buffer[]): Buffer {
  const [first] = entries
  if (first === undefined) return sha256()
  if (entries.length === 1) return sha256(Buffer.from([0]), first)
  const k = split(entries.length)
  return sha256(Buffer.from([1]), naiveRoot(entries.slice(0, k)), naiveRoot(entries.slice(k)))
}

/** PATH of section 2.1.3.1. */
export function naivePath(m: number, entries: readonly Buffer[]): Buffer[] {
  if (entries.length === 1) return []
  const k = split(entries.length)
  return m < k
    ? [...naivePath(m, entries.slice(0, k)), naiveRoot(entries.slice(k))]
    : [...naivePath(m - k, entries.slice(k)), naiveRoot(entries.slice(0, k))]
}

/** SUBPROOF of section 2.1.4.1; PROOF(m, D) is SUBPROOF(m, D, true). */
export function naiveProof(m: number, entries: readonly Buffer[], whole = true): Buffer[] {
  if (m === entries.length) return whole ? [] : [naiveRoot(entries)]
  const k = split(entries.length)
  return m <= k
    ? [...naiveProof(m, entries.slice(0, k), whole), naiveRoot(entries.slice(k))]
    : [...naiveProof(m - k, entries.slice(k), false), naiveRoot(entries.slice(0, k))]
}

/** Numbers in [0, 1) that look random and are the same in every run (a linear congruential generator). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Entries of 0 to 40 bytes. */
export function randomEntries(count: number, random: () => number): Buffer[] {
  return Array.from({ length: count }, () =>
    Buffer.from(Array.from({ length: Math.floor(random() * 41) }, () => Math.floor(random() * 256))),
  )
}

/** A reader of nodes over all that adding the entries made. */
export function nodesOf(entries: readonly Buffer[]): ReadHashes {
  const { nodes } = appendLeaves(EMPTY_FRONTIER, entries.map(leafHash))
  const held = new Map(nodes.map(({ level, index, hash }) => [`${level}/${index}`, hash]))
  return (asked) =>
    Promise.resolve(
      asked.map(({ level, index }) => {
        const hash = held.get(`${level}/${index}`)
        if (hash === undefined) throw new Error(`no node ${level}/${index}`)
        return hash
      }),
    )
}

/** The tiles and bundles of a log by path, as it grew through `sizes`; no partial tile is ever removed. */
export function tilesOf(
  entries: readonly Buffer[],
  sizes: readonly number[] = [entries.length],
): Map<string, Buffer> {
  const tiles = new Map<string, Buffer>()
  const { nodes } = appendLeaves(EMPTY_FRONTIER, entries.map(leafHash))
  const levels: Buffer[][] = []
  for (const { level, position, hash } of tileHashes(nodes)) {
    levels[level] ??= []
    levels[level][position] = hash
  }
  let before = 0
  for (const size of sizes) {
    for (const tile of newTiles(before, size)) {
      const [start, end] = [tile.index * 256, tile.index * 256 + tile.width]
      const bytes =
        tile.level === 'entries'
          ? encodeBundle(entries.slice(start, end))
          : Buffer.concat((levels[tile.level] ?? []).slice(start, end))
      tiles.set(tilePath(tile), bytes)
    }
    before = size
  }
  return tiles
}

/** Reads from a map, as a log's server would. */
export const readFrom =
  (tiles: ReadonlyMap<string, Buffer>): ReadTile =>
  (path) => {
    const bytes = tiles.get(path)
    return bytes === undefined ? Promise.reject(new Error(`404 ${path}`)) : Promise.resolve(bytes)
  }
