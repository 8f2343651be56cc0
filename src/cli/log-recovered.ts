import type { LogClient } from '../client/log-client.ts'
import { LogName } from '../domain/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { unseenLog } from '../tlog/log-state.ts'
import { parseNote } from '../tlog/note.ts'
import { parseNoteKey } from '../tlog/note-key.ts'
import { followRecoveries, parseRecoveryKey } from '../tlog/recovery.ts'
import type { Context } from './io.ts'
import { type LogMemory, remembered, seenLog } from './log-memory.ts'
import { givenKey } from './log-pin.ts'

/**
 * Goes over to logs that were begun anew, where statements of a recovery key lead there, and remembers that; says what it cost. A
 * log that is not known yet is known by the key that is given. Throws as {@link followRecoveries} and {@link parseRecoveryKey}.
 */
export async function followRecovered(
  { logKey, recoveryKey }: { readonly logKey: readonly string[]; readonly recoveryKey: readonly string[] },
  { client, memory, context }: { client: LogClient; memory: LogMemory; context: Context },
): Promise<void> {
  const given = logKey.map(parseNoteKey)
  if (recoveryKey.length === 0) return
  for (const log of LogName.options) {
    const [known, named] = [memory.of(client.registry, log), givenKey(log, given)]
    const seen = known !== undefined ? seenLog(known) : named && unseenLog(named)
    if (seen === undefined) continue
    const keys = recoveryKey.map((text) => parseRecoveryKey(text, [seen.key]))
    const { origin } = parseCheckpoint(parseNote(await client.checkpoint(log)).text)
    const { state, lost, notes } = await followRecoveries(seen, origin, keys, (epoch) =>
      client.recovery(log, epoch),
    )
    if (notes.size === 0) continue
    context.progress(
      `the log of ${log} goes on as ${state.key.name} (epoch ${state.epoch}), by its recovery key; ${lost} entries that were seen are lost`,
    )
    const since = known ?? { trust: 'given' as const, since: new Date().toISOString() }
    await memory.save(client.registry, { [log]: remembered(state, known?.checkpoint ?? '', since) })
  }
}
