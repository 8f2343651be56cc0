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
  /** Bytes of a tile of up to 256 entries; a log of tests has no more. */
  tile(path: string): Buffer | undefined
}

/** A log of these entries. */
export function memoryLog(signer: NoteSignerKey, entries: readonly (string | Buffer)[]): MemoryLog {
  if (entries.length > TILE_WIDTH) throw new RangeError('a log of tests is small')
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
      if (tile === undefined || tile.index > 0 || (tile.level !== 0 && tile.level !== 'entries'))
        return undefined
      return tile.level === 0
        ? Buffer.concat(leaves.slice(0, tile.width))
        : encodeBundle(bytes.slice(0, tile.width))
    },
  }
}
