import { sha256Digest } from '../attest/keys.ts'
import type { RevocationNote } from '../domain/kept-log.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import { revokedText } from '../domain/revocation.ts'
import { ruleFor, type TrustPolicy } from '../domain/trust-policy.ts'
import { replayEntries, type TreeHead } from '../tlog/audit.ts'
import { parseEntry } from '../tlog/entry.ts'
import type { Frontier } from '../tlog/merkle.ts'
import type { ReadTile } from '../tlog/tile-reader.ts'
import type { NodePolicy } from './node-policy.ts'

/** Which programs a policy has rules for. */
export type NotedPrograms = Pick<TrustPolicy, 'programs'>

/** Whether a node has to know of what the log notes: of a program that it may run, or a file. */
export const matters = ({ revoked }: Pick<RevocationNote, 'revoked'>, policy: NotedPrograms): boolean =>
  revoked.kind === 'file' || ruleFor(policy, revoked.program) !== undefined

/** Names the programs whose notes matter under a policy: under another one those that were passed over may. */
export const scopeOf = ({ programs }: NotedPrograms): Digest =>
  sha256Digest(Buffer.from(JSON.stringify(programs.map(({ match }) => match).sort())))

/** Names what verdicts on revocations depend on: who may revoke what under a policy, and who vouches for identities. */
export const judgedUnder = ({ operators, programs, digest }: NodePolicy): Digest =>
  sha256Digest(Buffer.from(JSON.stringify([operators, programs, digest])))

/** Tells notes apart: an entry may name the envelope of another one. */
export const noteKey = ({ revoked, envelope }: RevocationNote): string =>
  `${revokedText(revoked)} ${envelope}`

/** Notes that are kept, and how many were left out because there are too many. */
export interface KeptNotes {
  readonly notes: RevocationNote[]
  readonly leftOut: number
}

/**
 * Reads what a log got since `from`, and gives the notes that matter among its entries; those of private programs, and entries
 * of later kinds, say nothing here. Throws as {@link replayEntries}.
 */
export async function readNotes(
  range: { from: Frontier; head: TreeHead; readTile: ReadTile },
  policy: NotedPrograms,
): Promise<KeptNotes & { frontier: Frontier }> {
  let found: KeptNotes = { notes: [], leftOut: 0 }
  let added: RevocationNote[] = []
  const frontier = await replayEntries(range, (entries) => {
    for (const entry of entries.map(parseEntry))
      if (entry.kind === 'revoke' && matters(entry, policy))
        added.push({ revoked: entry.revoked, envelope: entry.envelope })
    if (added.length < LIMITS.agent_revocations) return
    found = joinNotes(found, added) // a log without end takes no memory without end
    added = []
  })
  return { ...joinNotes(found, added), frontier }
}

/**
 * Notes with later ones, each once. Where there are more than are kept, each namespace keeps its latest in turn: who floods the log
 * with revocations of his programs crowds out his own.
 */
export function joinNotes(
  before: KeptNotes,
  later: readonly RevocationNote[],
  most: number = LIMITS.agent_revocations,
): KeptNotes {
  const all = new Map<string, RevocationNote>()
  for (const note of [...before.notes, ...later]) if (!all.has(noteKey(note))) all.set(noteKey(note), note)
  const notes = all.size <= most ? [...all.values()] : latestInTurn([...all.values()], most)
  return { notes, leftOut: before.leftOut + all.size - notes.length }
}

function latestInTurn(notes: readonly RevocationNote[], most: number): RevocationNote[] {
  const counts = new Map<string, number>()
  const ranked = notes.toReversed().map((note) => {
    const rank = counts.get(namespaceOf(note)) ?? 0
    counts.set(namespaceOf(note), rank + 1)
    return { note, rank }
  })
  const kept = new Set(
    ranked
      .toSorted((a, b) => a.rank - b.rank)
      .slice(0, most)
      .map(({ note }) => note),
  )
  return notes.filter((note) => kept.has(note))
}

/** Whose programs a note is about; files are the operators'. */
const namespaceOf = ({ revoked }: RevocationNote): string =>
  revoked.kind === 'file' ? '' : (revoked.program.split('/')[0] ?? '')
