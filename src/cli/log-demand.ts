import { setTimeout as pause } from 'node:timers/promises'
import { logTrust } from '../agent/log-trust.ts'
import type { LogClient } from '../client/log-client.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
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

/** What is asked of the log about a release: by --log-key, or by `log` of a trust policy. */
interface LogDemand {
  readonly key: NoteKey
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
    const key = givenKey('catalog', logKey.map(parseNoteKey))
    if (key === undefined) throw new DomainError('usage', '--log-key: give the key of the log')
    const asked = { maxAge_s: LIMITS.log_fresh_s, witnesses: { keys: [], threshold: 0 } }
    return { key, policy: asked, recoveryKeys: [] }
  }
  const trust = policy === undefined || offline ? undefined : logTrust((await readPolicy(policy)).policy)
  if (trust === undefined) return undefined
  return { key: trust.keys.catalog, policy: trust.policy, recoveryKeys: trust.recoveryKeys }
}

/**
 * The proof that just this release is in the log of the registry, as it is demanded. Witnesses that have not signed what is new
 * are waited for. Throws as {@link checkedProof}, `no_registry`.
 */
export async function requireInLog(
  { key: first, policy, recoveryKeys }: LogDemand,
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
  const key = await goesOnAs(client, first, recoveryKeys)
  for (let waits = 0; ; waits++)
    try {
      return await checkedProof(client, release, key, policy)
    } catch (thrown) {
      if (asDomainError(thrown).code !== 'witnesses_missing' || waits === LIMITS.witness_waits) throw thrown
      await pause(LIMITS.witness_wait_ms)
    }
}

/** The key under which a log goes on, by statements of its recovery key. */
async function goesOnAs(client: LogClient, key: NoteKey, recoveryKeys: readonly NoteKey[]): Promise<NoteKey> {
  if (recoveryKeys.length === 0) return key
  const { origin } = parseCheckpoint(parseNote(await client.checkpoint('catalog')).text)
  const read = (epoch: number) => client.recovery('catalog', epoch)
  return (await followRecoveries(unseenLog(key), origin, recoveryKeys, read)).state.key
}
