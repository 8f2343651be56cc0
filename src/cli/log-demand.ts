import { setTimeout as pause } from 'node:timers/promises'
import { logTrust } from '../agent/log-trust.ts'
import type { LogClient } from '../client/log-client.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { type LogPolicy, unseenLog } from '../tlog/log-state.ts'
import { parseNote } from '../tlog/note.ts'
import { type NoteKey, parseNoteKey } from '../tlog/note-key.ts'
import type { ShownEntry, ShownRelease } from '../tlog/publication.ts'
import { followRecoveries } from '../tlog/recovery.ts'
import type { Io } from './io.ts'
import { givenKey } from './log-pin.ts'
import { checkedProof } from './log-proof.ts'
import { readPolicy } from './policy-file.ts'
import { connectLog, type RegistryFlags } from './settings.ts'

/** What is asked of the logs about a release or revocation: by --log-key, or by `log` of a trust policy. */
export interface LogDemand {
  readonly keys: Readonly<Record<LogName, NoteKey>>
  readonly policy: LogPolicy
  readonly recoveryKeys: readonly NoteKey[]
}

/** Flags by which a release must be in the log. */
export interface LogDemandFlags extends RegistryFlags {
  readonly logKey: readonly string[]
  /** A trust policy, whose `log` counts unless a key is named. */
  readonly policy?: string | undefined
  /** Leaves out what a policy asks of the log. */
  readonly offline: boolean
}

/** What flags ask of the log; undefined for nothing. Throws `usage`, `log_key_invalid`, what a policy throws. */
export async function logDemand({ logKey, policy, offline }: LogDemandFlags): Promise<LogDemand | undefined> {
  if (logKey.length > 0) {
    if (offline)
      throw new DomainError('usage', '--log-key asks the log, --offline does not: give one of them')
    const keyOf = (log: LogName): NoteKey => {
      const key = givenKey(log, logKey.map(parseNoteKey))
      if (key === undefined) throw new DomainError('usage', '--log-key: give the key of the log')
      return key
    }
    const keys = { catalog: keyOf('catalog'), revocations: keyOf('revocations') }
    return { keys, policy: FRESH, recoveryKeys: [] }
  }
  const trust = policy === undefined || offline ? undefined : logTrust((await readPolicy(policy)).policy)
  if (trust === undefined) return undefined
  return trust
}

/** A checkpoint that the log signed lately, whoever else did. */
export const FRESH: LogPolicy = {
  maxAge_s: LIMITS.log_fresh_s,
  witnesses: { keys: [], threshold: 0 },
}

/**
 * The proof that just this release is in the log of the registry, as it is demanded. Throws as {@link checkedProof},
 * `no_registry`.
 */
export async function requireInLog(
  demand: LogDemand,
  release: ShownRelease,
  io: Io,
  flags: LogDemandFlags,
): Promise<ShownEntry> {
  const client = await connectLog(io, flags).catch((thrown: unknown) => {
    if (asDomainError(thrown).code !== 'no_registry') throw thrown
    throw new DomainError(
      'no_registry',
      'the policy asks for the log, which only a registry shows: name it by --url, or leave the log out by --offline',
    )
  })
  return withLogKey(client, 'catalog', demand, (key) => checkedProof(client, release, key, demand.policy))
}

/**
 * What `prove` makes of a log by the key that it goes on under now. Witnesses that have not signed what is new are waited for:
 * it is called again. Throws what it throws, and what refuses a recovery.
 */
export async function withLogKey<T>(
  client: LogClient,
  log: LogName,
  { keys, recoveryKeys }: LogDemand,
  prove: (key: NoteKey) => Promise<T>,
): Promise<T> {
  const key = await goesOnAs(client, log, keys[log], recoveryKeys)
  for (let waits = 0; ; waits++)
    try {
      return await prove(key)
    } catch (thrown) {
      if (asDomainError(thrown).code !== 'witnesses_missing' || waits === LIMITS.witness_waits) throw thrown
      await pause(LIMITS.witness_wait_ms)
    }
}

/** The key under which a log goes on, by statements of its recovery key. */
async function goesOnAs(
  client: LogClient,
  log: LogName,
  key: NoteKey,
  recoveryKeys: readonly NoteKey[],
): Promise<NoteKey> {
  if (recoveryKeys.length === 0) return key
  const { origin } = parseCheckpoint(parseNote(await client.checkpoint(log)).text)
  const read = (epoch: number) => client.recovery(log, epoch)
  return (await followRecoveries(unseenLog(key), origin, recoveryKeys, read)).state.key
}
