import { asDomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { LogName } from '../domain/log.ts'
import type { ChangeNotices } from '../ports/change-notices.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logs } from '../ports/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { parseNote, verifyNote } from '../tlog/note.ts'
import { asCosigner, type NoteKey } from '../tlog/note-key.ts'
import { askWitness, type LogWitness } from './witnesses.ts'

/** What keeps the logs' checkpoints fresh and witnessed: one in every registry process. */
export interface LogWorker {
  /** Ends: what is under way is waited for. */
  close(): Promise<void>
}

interface LogWorkerParts {
  readonly logs: Pick<Logs, 'key' | 'checkpoint' | 'tile' | 'recovery' | 'refresh' | 'addCosignature'>
  readonly witnesses: readonly LogWitness[]
  readonly notices: ChangeNotices
  readonly clock: Clock
  readonly report: (error: unknown) => void
}

/** One witness and one log: what was last heard, and when to ask again. */
interface Line {
  readonly log: LogName
  readonly witness: LogWitness
  asking: boolean
  /** Size that the witness signed last, as far as this process knows. */
  signed: number
  failures: number
  notBefore: number
}

/**
 * From now on signs the newest checkpoint of each log anew when nothing was signed for LIMITS.log_resign_s, and has the
 * witnesses cosign what they have not, or not lately. What was done is read from the checkpoint itself, so that of several
 * registries on a database one does it and the others find it done. A witness that fails is asked again after pauses that
 * double; nothing waits for it. `report` is told when one begins to fail.
 */
export function startLogWorker(parts: LogWorkerParts): LogWorker {
  const { notices, report } = parts
  const ending = new AbortController()
  const lines: Line[] = LogName.options.flatMap((log) =>
    parts.witnesses.map((witness) => ({ log, witness, asking: false, signed: 0, failures: 0, notBefore: 0 })),
  )
  const under = new Set<Promise<void>>()
  let failing = false
  const work = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const { seen } = notices
      const answered = new AbortController()
      try {
        for (const log of LogName.options) {
          const note = await freshCheckpoint(parts, log)
          for (const line of lines) {
            if (line.log !== log || !isDue(line, note, parts.clock())) continue
            // what came while it was asked it is asked at once
            const asked = ask(parts, line, note).finally(() => {
              under.delete(asked)
              answered.abort()
            })
            under.add(asked)
          }
        }
        failing = false
      } catch (error) {
        if (!failing && !ending.signal.aborted) report(error)
        failing = true
      }
      await notices.next(seen, LIMITS.log_poll_ms, AbortSignal.any([ending.signal, answered.signal]))
    }
  }
  const working = work()
  return {
    close: async () => {
      ending.abort()
      await working
      await Promise.all(under)
    },
  }
}

/** The newest checkpoint, signed anew if that is due. */
async function freshCheckpoint({ logs, clock }: LogWorkerParts, log: LogName): Promise<string> {
  const note = await logs.checkpoint(log)
  if (ageOf(note, asCosigner(await logs.key(log)), clock()) < LIMITS.log_resign_s) return note
  await logs.refresh(log, LIMITS.log_resign_s)
  return logs.checkpoint(log)
}

/** Seconds since a key last signed a checkpoint; infinite when it did not. */
function ageOf(note: string, key: NoteKey, now: Date): number {
  const [signer] = verifyNote(parseNote(note), [key])
  return signer?.time === undefined ? Number.POSITIVE_INFINITY : now.getTime() / 1000 - signer.time
}

const isDue = ({ asking, notBefore, witness }: Line, note: string, now: Date): boolean =>
  !asking && now.getTime() >= notBefore && ageOf(note, witness.key, now) >= LIMITS.log_resign_s

/** Has a witness cosign a checkpoint, and keeps what it gave; never rejects. */
async function ask({ logs, clock, report }: LogWorkerParts, line: Line, note: string): Promise<void> {
  const { log, witness } = line
  line.asking = true
  try {
    const signature = await askWitness(witness, { logs, log, note, clock }, line.signed)
    line.failures = 0
    if (signature === undefined) return
    const { size } = parseCheckpoint(parseNote(note).text)
    await logs.addCosignature(log, witness.key.name, { line: signature, note })
    line.signed = size
  } catch (thrown) {
    if (line.failures === 0) report(asDomainError(thrown))
    const pause = Math.min(LIMITS.witness_pause_ms * 2 ** line.failures, LIMITS.witness_pause_most_ms)
    line.failures += 1
    line.notBefore = clock().getTime() + pause
  } finally {
    line.asking = false
  }
}
