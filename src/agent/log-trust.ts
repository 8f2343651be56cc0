import { durationSeconds } from '../domain/duration.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { LogName } from '../domain/log.ts'
import type { TrustPolicy } from '../domain/trust-policy.ts'
import type { LogPolicy } from '../tlog/log-state.ts'
import { type NoteKey, noteKeyOf, parseNoteKey } from '../tlog/note-key.ts'
import { parseRecoveryKey } from '../tlog/recovery.ts'
import type { NotedPrograms } from './revocation-notes.ts'

/** The logs that a policy has a node follow, and what it asks of their checkpoints. */
export interface LogTrust {
  readonly keys: Readonly<Record<LogName, NoteKey>>
  readonly policy: LogPolicy
  /** Whose statement leads over to a new log; none where the policy names nobody. */
  readonly recoveryKeys: readonly NoteKey[]
  readonly onStale: 'keep' | 'revoke'
  /** The policy's own rules: notes about other programs are not kept. */
  readonly rules: NotedPrograms
}

const [CATALOG, REVOCATIONS] = ['/catalog', '/revocations'] as const

/**
 * What `log` of trust.yaml asks for; undefined where it asks for nothing. The policy names the key of the catalog's log; a
 * registry signs both of its logs with one key, so that of the revocations is the same under the name that ends in
 * `/revocations`. `file` is what messages call the policy. Throws `invalid_policy`.
 */
export function logTrust(
  { log, programs }: Pick<TrustPolicy, 'log' | 'programs'>,
  file = 'trust.yaml',
): LogTrust | undefined {
  if (log === undefined) return undefined
  try {
    return { ...trustOf(log), rules: { programs } }
  } catch (cause) {
    throw new DomainError('invalid_policy', `${file}: ${asDomainError(cause).message}`, { cause })
  }
}

function trustOf(log: NonNullable<TrustPolicy['log']>): Omit<LogTrust, 'rules'> {
  const { maxAge, onStale, witnesses } = log
  const catalog = keyOf(log.key, 'log.key')
  const { name } = catalog
  if (catalog.type !== 'note' || !name.endsWith(CATALOG))
    throw invalid(`log.key is not that of a log of a catalog, whose name ends in ${CATALOG}`)
  const revocations = noteKeyOf(name.slice(0, -CATALOG.length) + REVOCATIONS, 'note', catalog.key)
  const keys = witnesses.keys.map((text) => keyOf(text, 'log.witnesses'))
  const wrong = keys.find(({ type }) => type !== 'cosignature')
  if (wrong !== undefined)
    throw invalid(`log.witnesses: the key of ${wrong.name} is not one for cosignatures`)
  const policy = { maxAge_s: durationSeconds(maxAge), witnesses: { keys, threshold: witnesses.threshold } }
  const recovering = (text: string): NoteKey => parseRecoveryKey(text, [catalog])
  const recoveryKeys = log.recovery === undefined ? [] : [keyOf(log.recovery, 'log.recovery', recovering)]
  return { keys: { catalog, revocations }, policy, recoveryKeys, onStale }
}

function keyOf(text: string, where: string, parse = parseNoteKey): NoteKey {
  try {
    return parse(text)
  } catch (cause) {
    throw invalid(`${where}: ${asDomainError(cause).message}`)
  }
}

const invalid = (why: string): DomainError => new DomainError('invalid_policy', why)
