import { LIMITS } from '../../src/domain/limits.ts'
import { tilesOf } from '../../src/registry/log-proof.ts'
import type { RegistryLogs } from '../../src/store/logs.ts'
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { acceptCheckpoint, type LogState, unseenLog } from '../../src/tlog/log-state.ts'
import { frontierRoot, leafHash, readFrontier } from '../../src/tlog/merkle.ts'
import { parseNote } from '../../src/tlog/note.ts'
import { consistencyProof, inclusionProof, verifyInclusion } from '../../src/tlog/proof.ts'
import { verifyEntry } from '../../src/tlog/publication.ts'
import { tileHashReader } from '../../src/tlog/tile-reader.ts'
import { type Times, timedInTurns } from '../times.ts'

const POLICY = { maxAge_s: LIMITS.log_fresh_s, witnesses: { keys: [], threshold: 0 } }

/** What is checked of a log. */
export type ProofCase = 'inclusion, signatures' | 'consistency, signatures' | 'inclusion alone'

/**
 * Times to check that an entry is in the log that a checkpoint signs, and that the checkpoint continues an earlier one; each with
 * both signatures of the checkpoint, its time among them, and the parsing of it. And the path of hashes alone.
 */
export async function measureProofs(
  logs: Pick<RegistryLogs, 'key' | 'checkpoint' | 'tile' | 'entry' | 'refresh'>,
  rounds: number,
): Promise<Record<ProofCase, Times>> {
  await logs.refresh('catalog', 0)
  const [key, note] = [await logs.key('catalog'), await logs.checkpoint('catalog')]
  const { size, root } = parseCheckpoint(parseNote(note).text)
  const read = tileHashReader(size, tilesOf(logs, 'catalog'))
  // neither end, nor a power of two, whose proofs are shorter
  const index = Math.floor(size / 3)
  const entry = (await logs.entry('catalog', index))?.data
  if (entry === undefined) throw new Error(`the log has no entry ${index}`)
  const proof = await inclusionProof(index, size, read)
  const from = Math.floor((size * 2) / 3)
  const seen: LogState = { ...unseenLog(key), size: from, root: frontierRoot(await readFrontier(from, read)) }
  const further = await consistencyProof(from, size, read)
  const now = new Date()
  return timedInTurns(
    {
      'inclusion, signatures': () => verifyEntry({ index, entry, proof, note }, key, POLICY, now),
      'consistency, signatures': () => acceptCheckpoint(seen, { note, proof: further }, POLICY, now),
      'inclusion alone': () => verifyInclusion({ index, leaf: leafHash(entry), size, root, proof }),
    },
    rounds,
  )
}
