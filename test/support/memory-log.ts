import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import { signCheckpoint } from '../../src/tlog/checkpoint.ts'
import {
  appendLeaves,
  EMPTY_FRONTIER,
  frontierRoot,
  leafHash,
  type ReadHashes,
} from '../../src/tlog/merkle.ts'
import type { NoteSignerKey } from '../../src/tlog/note.ts'
import { noteKeyOf } from '../../src/tlog/note-key.ts'
import { consistencyProof } from '../../src/tlog/proof.ts'

/** A signer of a new key. */
export function newSigner(name: string, type: 'note' | 'cosignature' = 'note'): NoteSignerKey {
  const privateKey = parsePrivateKey(generateKeyPair('ed25519').privateKey).key
  return { key: noteKeyOf(name, type, privateKey), privateKey }
}

/** A log in memory, which may show any part of itself. */
export interface MemoryLog {
  readonly signer: NoteSignerKey
  /** The signed checkpoint of its first `size` entries. */
  checkpoint(size: number, time_s?: number): string
  consistency(from: number, to: number): Promise<Buffer[]>
}

/** A log of these entries. */
export function memoryLog(signer: NoteSignerKey, entries: readonly string[]): MemoryLog {
  const leaves = entries.map((entry) => leafHash(Buffer.from(entry)))
  const { nodes } = appendLeaves(EMPTY_FRONTIER, leaves)
  const hashes = new Map(nodes.map(({ level, index, hash }) => [`${level}/${index}`, hash]))
  const read: ReadHashes = async (wanted) =>
    wanted.map(({ level, index }) => hashes.get(`${level}/${index}`) ?? Buffer.alloc(32))
  return {
    signer,
    checkpoint: (size, time_s = Math.floor(Date.now() / 1000)) => {
      const root = frontierRoot(appendLeaves(EMPTY_FRONTIER, leaves.slice(0, size)).frontier)
      return signCheckpoint({ origin: signer.key.name, size, root, extensions: [] }, signer, time_s)
    },
    consistency: (from, to) => consistencyProof(from, to, read),
  }
}
