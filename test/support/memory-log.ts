import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import { signCheckpoint } from '../../src/tlog/checkpoint.ts'
import { encodeBundle } from '../../src/tlog/entry-bundle.ts'
import {
  appendLeaves,
  EMPTY_FRONTIER,
  frontierRoot,
  leafHash,
  type ReadHashes,
} from '../../src/tlog/merkle.ts'
import type { NoteSignerKey } from '../../src/tlog/note.ts'
import { noteKeyOf } from '../../src/tlog/note-key.ts'
import { consistencyProof, inclusionProof } from '../../src/tlog/proof.ts'
import { parseTilePath, TILE_WIDTH } from '../../src/tlog/tile.ts'

/** A signer of a new key. */
export function newSigner(name: string, type: 'note' | 'cosignature' = 'note'): NoteSignerKey {
  const privateKey = parsePrivateKey(generateKeyPair('ed25519').privateKey).key
  return { key: noteKeyOf(name, type, privateKey), privateKey }
}

/** A log in memory, which may show any part of itself. */
export interface MemoryLog {
  readonly signer: NoteSignerKey
  readonly size: number
  /** The signed checkpoint of its first `size` entries. */
  checkpoint(size: number, time_s?: number): string
  consistency(from: number, to: number): Promise<Buffer[]>
  inclusion(index: number, size: number): Promise<Buffer[]>
  /** Bytes of a tile; undefined where the log has no such. */
  tile(path: string): Buffer | undefined
}

/** Levels of the tree that a tile stands for: it is 2 ** 8 hashes wide. */
const TILE_LEVELS = Math.log2(TILE_WIDTH)

/** A log of these entries. */
export function memoryLog(signer: NoteSignerKey, entries: readonly (string | Buffer)[]): MemoryLog {
  const bytes = entries.map((entry) => Buffer.from(entry))
  const leaves = bytes.map(leafHash)
  const { nodes } = appendLeaves(EMPTY_FRONTIER, leaves)
  const hashes = new Map(nodes.map(({ level, index, hash }) => [`${level}/${index}`, hash]))
  const read: ReadHashes = async (wanted) =>
    wanted.map(({ level, index }) => hashes.get(`${level}/${index}`) ?? Buffer.alloc(32))
  return {
    ...{ signer, size: entries.length },
    checkpoint: (size, time_s = Math.floor(Date.now() / 1000)) => {
      const root = frontierRoot(appendLeaves(EMPTY_FRONTIER, leaves.slice(0, size)).frontier)
      return signCheckpoint({ origin: signer.key.name, size, root, extensions: [] }, signer, time_s)
    },
    consistency: (from, to) => consistencyProof(from, to, read),
    inclusion: (index, size) => inclusionProof(index, size, read),
    tile: (path) => {
      const tile = parseTilePath(path)
      if (tile === undefined) return undefined
      const [from, to] = [tile.index * TILE_WIDTH, tile.index * TILE_WIDTH + tile.width]
      if (tile.level === 'entries') return to > bytes.length ? undefined : encodeBundle(bytes.slice(from, to))
      const level = tile.level * TILE_LEVELS
      const found = Array.from({ length: to - from }, (_, at) => hashes.get(`${level}/${from + at}`) ?? [])
      return found.flat().length < to - from ? undefined : Buffer.concat(found.flat())
    },
  }
}
