import type { LogClient } from '../client/log-client.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { LogName } from '../domain/log.ts'
import { auditLog } from '../tlog/audit.ts'
import { acceptCheckpoint, unseenLog } from '../tlog/log-state.ts'
import { appendLeaves, EMPTY_FRONTIER, frontierRoot, leafHash } from '../tlog/merkle.ts'
import type { NoteSignerKey } from '../tlog/note.ts'
import { formatNoteKey, type NoteKey, noteKeyOf } from '../tlog/note-key.ts'
import { epochOrigin, signRecovery } from '../tlog/recovery.ts'
import type { Context, Outcome } from './io.ts'
import { type PassphraseFlags, readPrivateKey } from './key-file.ts'
import { writeNewFile } from './local-file.ts'
import { openLogMemory } from './log-memory.ts'
import { pinnedKey } from './log-pin.ts'
import { readCheckpoints, requireAllUsed, type SeenHead, sortCheckpoints } from './seen-checkpoints.ts'
import { connectLog, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { counted } from './terminal.ts'

/** Flags of `hookline log recover`. */
export interface LogRecoverFlags extends RegistryFlags, PassphraseFlags {
  /** The recovery key, and the name under which nodes know it. */
  readonly key: string
  readonly name: string
  readonly logKey: readonly string[]
  readonly state?: string | undefined
  /** Files with signed checkpoints that witnesses, nodes or auditors saw. */
  readonly seen: readonly string[]
  /** Sign also when some of these are of no log that is begun anew. */
  readonly leaveOut: boolean
  /** Entries up to which the log is as everybody saw it; default: all of it. */
  readonly catalogSize?: number | undefined
  readonly revocationsSize?: number | undefined
  /** File that keeps both statements. */
  readonly out: string
}

/** One log, and how it goes on. */
interface Plan {
  readonly note: string
  readonly key: string
  readonly good: number
  readonly has: number
  /** Checkpoints that it was held against. */
  readonly seen: number
  /** Of the longest history that is known. */
  readonly lost: number
}

/**
 * Begins the logs of a registry anew that was restored from a backup: reads them whole, holds them against what was seen before,
 * signs a statement for each that names the last good checkpoint and the name under which it goes on, keeps both in a file, and hands
 * them in. Throws what refuses a log, `log_fork` when a history that was seen parts from this one before the size that is
 * said to be good, `checkpoint_unknown` when one that was seen is of neither log, `log_recovery_invalid`, `file_exists`.
 */
export async function logRecover(flags: LogRecoverFlags, context: Context): Promise<Outcome> {
  const { io } = context
  const client = await connectLog(io, flags)
  const memory = await openLogMemory(io, flags.state)
  const signer = await recoverySigner(flags, context)
  const views = await client.logs()
  const pinned = async (log: LogName) => (await pinnedKey(log, flags, { client, memory, context })).key
  const keys = { catalog: await pinned('catalog'), revocations: await pinned('revocations') }
  const remembered = LogName.options.flatMap((log): [string, string][] => {
    const known = memory.of(client.registry, log)
    return known === undefined ? [] : [[memory.path, known.checkpoint]]
  })
  const seen = sortCheckpoints(keys, [...remembered, ...(await readCheckpoints(flags.seen))])
  if (!flags.leaveOut) requireAllUsed(seen.leftOut)
  for (const { file, why } of seen.leftOut) context.progress(`${file} is left out: ${why}`)
  const plans = new Map<LogName, Plan>()
  for (const log of LogName.options) {
    const epoch = (views.find((view) => view.log === log)?.epoch ?? 0) + 1
    const good = log === 'catalog' ? flags.catalogSize : flags.revocationsSize
    const heads = seen.heads[log]
    context.progress(
      `reading the log of ${log}, to hold it against ${counted(heads.length, 'checkpoint')} that others saw`,
    )
    plans.set(log, await plan(client, log, { key: keys[log], epoch, good, heads, signer }))
  }
  const noteOf = (log: LogName): string => plans.get(log)?.note ?? ''
  const statements = { catalog: noteOf('catalog'), revocations: noteOf('revocations') }
  await writeNewFile(flags.out, JSON.stringify(statements, undefined, 2))
  await client.recover(statements)
  const logs = [...plans].map(([log, { note: _, ...rest }]) => ({ log, ...rest }))
  const rows = logs.map(({ log, good, has, lost, key }) => [
    log,
    String(good),
    String(has),
    String(lost),
    key,
  ])
  return {
    json: { logs, leftOut: seen.leftOut, file: flags.out, recoveryKey: formatNoteKey(signer.key) },
    text: `${renderTable(io, ['log', 'good', 'has', 'lost', 'goes on as'], rows)}
both statements are in ${flags.out}: show them in public; tell witnesses without --recovery-key the new keys (--log)`,
  }
}

/** The verifier key of a recovery key, for trust.yaml. */
export async function logRecoveryKey(
  flags: PassphraseFlags & { key: string; name: string },
  context: Context,
): Promise<Outcome> {
  const key = formatNoteKey((await recoverySigner(flags, context)).key)
  return { json: { key }, text: key }
}

async function recoverySigner(
  { key: path, name, ...flags }: PassphraseFlags & { key: string; name: string },
  { io }: Context,
): Promise<NoteSignerKey> {
  const { key } = await readPrivateKey(path, io, flags)
  return { key: noteKeyOf(name, 'note', key), privateKey: key }
}

/** Reads a log whole, and signs how it goes on. */
async function plan(
  client: LogClient,
  log: LogName,
  {
    key,
    epoch,
    good,
    heads,
    signer,
  }: {
    key: NoteKey
    epoch: number
    good: number | undefined
    heads: readonly SeenHead[]
    signer: NoteSignerKey
  },
): Promise<Plan> {
  const policy = { maxAge_s: LIMITS.log_fresh_s, witnesses: { keys: [], threshold: 0 } }
  const shown = { note: await client.checkpoint(log), proof: [] }
  const head = acceptCheckpoint(unseenLog(key), shown, policy, new Date())
  const leaves: Buffer[] = []
  await auditLog({ head, readTile: client.tiles(log) }, (entries) => {
    for (const entry of entries) leaves.push(leafHash(entry))
  })
  const rootAt = (size: number): Buffer =>
    frontierRoot(appendLeaves(EMPTY_FRONTIER, leaves.slice(0, size)).frontier)
  const size = good ?? head.size
  if (size > head.size)
    throw new DomainError('log_recovery_invalid', `the log of ${log} has ${head.size} entries, not ${size}`)
  const other = heads.find((seen) => seen.size <= size && !seen.root.equals(rootAt(seen.size)))
  if (other !== undefined)
    throw new DomainError(
      'log_fork',
      `the log of ${log} is not what was seen of it at ${other.size} entries: name a smaller good size`,
    )
  const goesOn = noteKeyOf(epochOrigin(key.name, epoch), 'note', key.key)
  const recovery = { origin: key.name, epoch, size, root: rootAt(size), key: goesOn }
  return {
    ...{ note: signRecovery(recovery, signer), key: formatNoteKey(goesOn), good: size, has: head.size },
    seen: heads.length,
    lost: Math.max(0, ...heads.map((seen) => seen.size - size)),
  }
}
