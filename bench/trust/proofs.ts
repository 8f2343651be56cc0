import { LIMITS } from '../../src/domain/limits.ts'
import { tilesOf } from '../../src/registry/log-proof.ts'
import type { RegistryLogs } from '../../src/store/logs.ts'
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { acceptCheckpoint, type LogState, unseenLog } from '../../src/tlog/log-state.ts'
import { frontierRoot, leafHash, readFrontier } from '../../src/tlog/merkle.ts'
import { parseNote, verifyNote } from '../../src/tlog/note.ts'
import type { NoteKey } from '../../src/tlog/note-key.ts'
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from '../../src/tlog/proof.ts'
import { verifyEntry } from '../../src/tlog/publication.ts'
import { tileHashReader } from '../../src/tlog/tile-reader.ts'

const POLICY = { maxAge_s: LIMITS.log_fresh_s, witnesses: { keys: [], threshold: 0 } }

/** What is checked of a log. */
export type ProofCase =
  | 'inclusion'
  | 'consistency'
  | 'inclusion with checkpoint'
  | 'consistency with checkpoint'
  | 'inclusion, fresh'
  | 'consistency, fresh'

/**
 * Checks, to be timed, that an entry is in the log and that the log continues an earlier one: the hashes of the proof lead to a root
 * that is known, as an agent has it for each release once it followed the log. "With checkpoint" a checkpoint is parsed and its
 * signature checked first; "fresh" is all that a reader asks of one, with the log's second signature over the time.
 */
export async function proofChecks(
  logs: Pick<RegistryLogs, 'key' | 'checkpoint' | 'tile' | 'entry' | 'refresh'>,
): Promise<Record<ProofCase, () => unknown>> {
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
  const included = (head: { size: number; root: Buffer }): void =>
    verifyInclusion({ index, leaf: leafHash(entry), ...head, proof })
  const continued = (head: { size: number; root: Buffer }): void =>
    verifyConsistency({ from, fromRoot: seen.root, to: head.size, toRoot: head.root, proof: further })
  return {
    inclusion: () => included({ size, root }),
    consistency: () => continued({ size, root }),
    'inclusion with checkpoint': () => included(signedHead(note, key)),
    'consistency with checkpoint': () => continued(signedHead(note, key)),
    'inclusion, fresh': () => verifyEntry({ index, entry, proof, note }, key, POLICY, now),
    'consistency, fresh': () => acceptCheckpoint(seen, { note, proof: further }, POLICY, now),
  }
}

/** Size and root that the log's key signed. */
function signedHead(text: string, key: NoteKey): { size: number; root: Buffer } {
  const note = parseNote(text)
  if (verifyNote(note, [key]).length === 0) throw new Error('the log did not sign its checkpoint')
  return parseCheckpoint(note.text)
}
