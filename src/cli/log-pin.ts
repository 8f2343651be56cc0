import type { LogClient } from '../client/log-client.ts'
import { DomainError } from '../domain/errors.ts'
import { LogName } from '../domain/log.ts'
import type { LogPolicy } from '../tlog/log-state.ts'
import { formatNoteKey, type NoteKey, noteKeyOf, parseNoteKey } from '../tlog/note-key.ts'
import type { Context } from './io.ts'
import type { LogMemory, Trust } from './log-memory.ts'
import { printable } from './terminal.ts'

/** Flags that say whom to believe about a log. */
export interface LogTrustFlags {
  /** Verifier keys of the log; one is enough for both logs of a registry. */
  readonly logKey: readonly string[]
  /** File with what was seen before. */
  readonly state?: string | undefined
  readonly witness: readonly string[]
  readonly threshold?: number | undefined
  readonly maxAge: number
}

/** A key that a log is held to, and how it came to be known. */
export interface PinnedKey {
  readonly key: NoteKey
  readonly trust: Trust
}

/**
 * The key that signs a log: the one that is named, else the one that is remembered, else, with a note that says so, the one that
 * the registry shows now. Throws `log_untrusted` when the one that is named is another than the one remembered.
 */
export async function pinnedKey(
  log: LogName,
  { logKey }: Pick<LogTrustFlags, 'logKey'>,
  { client, memory, context }: { client: LogClient; memory: LogMemory; context: Context },
): Promise<PinnedKey> {
  const given = givenKey(log, logKey.map(parseNoteKey))
  const known = memory.of(client.registry, log)
  // one who names the first key, and was led on from there, is not contradicted
  const isLedOn =
    known !== undefined && known.epoch > 0 && given?.publicKey.equals(parseNoteKey(known.key).publicKey)
  if (known !== undefined && given !== undefined && known.key !== formatNoteKey(given) && !isLedOn)
    throw new DomainError(
      'log_untrusted',
      `${memory.path} remembers another key of the log of ${log}: ${known.key}`,
    )
  if (given !== undefined && !isLedOn) return { key: given, trust: 'given' }
  if (known !== undefined) return { key: parseNoteKey(known.key), trust: known.trust }
  const shown = (await client.logs()).find((one) => one.log === log)
  if (shown === undefined) throw new DomainError('registry_answer', `the registry has no log of ${log}`)
  context.progress(
    `trusting the key of the log of ${log} on first use; compare it with what its operator publishes, or pass --log-key:\n  ${printable(shown.key)}`,
  )
  return { key: parseNoteKey(shown.key), trust: 'first use' }
}

/** The key for a log among those that are named: under its own name, or under that of the other log, which the same key signs. */
export function givenKey(log: LogName, keys: readonly NoteKey[]): NoteKey | undefined {
  for (const { name, type } of keys)
    if (type !== 'note' || !LogName.options.some((one) => name.endsWith(`/${one}`)))
      throw new DomainError('log_key_invalid', `"${name}" is no key of a registry's log`)
  const own = keys.find(({ name }) => name.endsWith(`/${log}`))
  const [other] = keys
  if (own !== undefined || other === undefined) return own
  const base = other.name.slice(0, other.name.lastIndexOf('/'))
  return noteKeyOf(`${base}/${log}`, 'note', other.key)
}

/** What flags ask of a checkpoint. Throws `log_key_invalid`, `usage`. */
export function logPolicyOf({
  witness,
  threshold,
  maxAge,
}: Omit<LogTrustFlags, 'logKey' | 'state'>): LogPolicy {
  const keys = witness.map(parseNoteKey)
  const wanted = threshold ?? keys.length
  if (wanted > keys.length)
    throw new DomainError('usage', `--threshold: ${wanted} of ${keys.length} witnesses can never sign`)
  return { maxAge_s: maxAge, witnesses: { keys, threshold: wanted } }
}

/** A checkpoint of any age: for proofs that are kept. */
export const ANY_AGE: LogPolicy = {
  maxAge_s: Number.POSITIVE_INFINITY,
  witnesses: { keys: [], threshold: 0 },
}
