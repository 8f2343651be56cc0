import { sha256Digest } from '../attest/keys.ts'
import type { LogClient } from '../client/log-client.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { LogName, type LogProof } from '../domain/log.ts'
import type { LogEntry } from '../domain/log-entry.ts'
import { releaseRef } from '../domain/names.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { type OpaqueEntry, parseEntry } from '../tlog/entry.ts'
import { entryText } from '../tlog/entry-text.ts'
import type { LogPolicy } from '../tlog/log-state.ts'
import { parseNote, verifyNote } from '../tlog/note.ts'
import { asCosigner, type NoteKey, parseNoteKey } from '../tlog/note-key.ts'
import { formatLogProof, parseLogProof } from '../tlog/proof-text.ts'
import {
  openEntry,
  requirePublication,
  type ShownEntry,
  type ShownRelease,
  verifyEntry,
} from '../tlog/publication.ts'
import { findRelease } from './fetch-release.ts'
import type { Context, Outcome } from './io.ts'
import { readLocalText, writeNewFile } from './local-file.ts'
import { openLogMemory } from './log-memory.ts'
import { ANY_AGE, givenKey, type LogTrustFlags, logPolicyOf, pinnedKey } from './log-pin.ts'
import { connect, connectLog, type RegistryFlags } from './settings.ts'
import { renderFields } from './table.ts'

/** Fetches the proof that a release's publication is in the log, and checks it here. */
export async function logProof(
  { ref, out, ...flags }: RegistryFlags & LogTrustFlags & { ref: string; out?: string | undefined },
  context: Context,
): Promise<Outcome> {
  const { io } = context
  const client = await connectLog(io, flags)
  const memory = await openLogMemory(io, flags.state)
  const { key } = await pinnedKey('catalog', flags, { client, memory, context })
  const view = await findRelease(await connect(io, flags), ref)
  const release = { ...view, bundle: sha256Digest(Buffer.from(view.bundle)) }
  const proof = await checkedProof(client, release, key, logPolicyOf(flags))
  if (out !== undefined) await writeNewFile(out, formatLogProof({ ...proof, extra: proof.entry }))
  return outcome(proof, key, releaseRef(release.program, release.version), out)
}

/**
 * The proof of a release, checked: its entry is in the log of `key`, by a checkpoint that `policy` accepts, and says what the release
 * is made of. Throws `not_found` for one that was never logged, `log_proof_invalid`, `log_release_differs`, and what refuses a
 * checkpoint.
 */
export async function checkedProof(
  client: Pick<LogClient, 'releaseProof'>,
  release: ShownRelease,
  key: NoteKey,
  policy: LogPolicy,
): Promise<ShownEntry> {
  const { proof, entry } = checkProof(
    await client.releaseProof(release.program, release.version),
    key,
    policy,
  )
  requirePublication(entry, release)
  return proof
}

/**
 * Checks a proof that a registry shows, by the key of its log, and gives it with the entry that it is of. Throws `log_proof_invalid`,
 * and what refuses a checkpoint.
 */
export function checkProof(
  shown: LogProof,
  key: NoteKey,
  policy: LogPolicy,
): { proof: ShownEntry; entry: LogEntry | OpaqueEntry } {
  const proof = {
    ...{ index: shown.index, entry: Buffer.from(shown.entry), note: shown.checkpoint },
    proof: shown.hashes.map((hash) => Buffer.from(hash, 'base64')),
  }
  verifyEntry(proof, key, policy, new Date())
  const { hidden, salt } = shown
  const opened =
    hidden === undefined || salt === undefined
      ? undefined
      : { entry: Buffer.from(hidden), salt: Buffer.from(salt, 'base64') }
  return { proof, entry: openEntry(proof.entry, opened) }
}

/** Checks a proof in a file, without asking anybody: by a key that is named, or one that is remembered under the log's name. */
export async function logCheck(
  { file, ...flags }: Pick<LogTrustFlags, 'logKey' | 'state' | 'witness' | 'threshold'> & { file: string },
  { io }: Context,
): Promise<Outcome> {
  const { index, proof, note, extra } = parseLogProof(
    await readLocalText(file, LIMITS.note_bytes + LIMITS.log_entry_bytes * 2, 'proof'),
  )
  if (extra === undefined)
    throw new DomainError('log_malformed', `${file} does not bring the entry that it is about`)
  const { origin } = parseCheckpoint(parseNote(note).text)
  const key = await keyFor(origin, flags, io)
  const policy = { ...logPolicyOf({ ...flags, maxAge: 0 }), maxAge_s: ANY_AGE.maxAge_s }
  verifyEntry({ index, entry: extra, proof, note }, key, policy, new Date())
  return outcome({ index, entry: extra, proof, note }, key, file)
}

async function keyFor(
  origin: string,
  { logKey, state }: Pick<LogTrustFlags, 'logKey' | 'state'>,
  io: Context['io'],
): Promise<NoteKey> {
  const log = LogName.options.find((name) => origin.endsWith(`/${name}`))
  const given = log && givenKey(log, logKey.map(parseNoteKey))
  if (given !== undefined) return given
  const known = (await openLogMemory(io, state)).all().map(({ key }) => parseNoteKey(key))
  const own = known.filter(({ name }) => name === origin)
  const [key] = own
  if (key !== undefined && own.length === 1) return key
  throw new DomainError('usage', `no key of the log ${JSON.stringify(origin)} is known: pass --log-key`)
}

function outcome({ index, entry, note }: ShownEntry, key: NoteKey, about: string, out?: string): Outcome {
  const { origin, size, root } = parseCheckpoint(parseNote(note).text)
  const [signed] = verifyNote(parseNote(note), [asCosigner(key)])
  const at = signed?.time === undefined ? undefined : new Date(signed.time * 1000).toISOString()
  const said = entryText(parseEntry(entry))
  const json = {
    ...{ log: origin, index, size, root: root.toString('base64'), signedAt: at },
    ...{ entry: entry.toString('utf8'), said, ...(out === undefined ? {} : { file: out }) },
  }
  const fields = renderFields([
    ['entry', `${index} of ${size}`],
    ['log', origin],
    ['says', said],
    ['root', root.toString('base64')],
    ['signed', at],
    ['written to', out],
  ])
  return { json, text: `${about} is in the log:\n${fields}` }
}
