import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logs } from '../ports/log.ts'
import { canonicalNumber } from '../tlog/canonical.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { formatNote, parseNote, verifyNote } from '../tlog/note.ts'
import type { NoteKey } from '../tlog/note-key.ts'
import { consistencyProof } from '../tlog/proof.ts'
import { formatWitnessRequest } from '../tlog/proof-text.ts'
import { tileHashReader } from '../tlog/tile-reader.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { tilesOf } from './log-proof.ts'

/** A witness that the registry asks: its key, of type cosignature, and where it listens. */
export interface LogWitness {
  /** The submission prefix; `/add-checkpoint` is below it. */
  readonly url: URL
  readonly key: NoteKey
}

/**
 * Asks a witness to cosign a checkpoint, and gives its signature line, checked. `from` is the size that it is thought to have
 * signed last; where it says another, it is asked again from there (C2SP tlog-witness). One that does not know the log is told the
 * statements by which it was begun anew, and asked again. Undefined when the log went on meanwhile, and
 * another registry had the witness sign that.
 *
 * Throws `delivery_failed` when no answer of a witness came, `log_rollback` when it has signed a longer log, `log_fork` when it
 * has signed another one, `log_untrusted` when its signature does not hold, `log_stale` when that is of another time.
 */
export async function askWitness(
  { url, key }: LogWitness,
  {
    logs,
    log,
    note,
    clock,
  }: { logs: Pick<Logs, 'tile' | 'checkpoint' | 'recovery'>; log: LogName; note: string; clock: Clock },
  from: number,
): Promise<string | undefined> {
  const { text } = parseNote(note)
  const { size } = parseCheckpoint(text)
  const readHashes = tileHashReader(size, tilesOf(logs, log))
  let begin = Math.min(from, size)
  for (let tries = 1; ; tries++) {
    const proof = await consistencyProof(begin, size, readHashes)
    const request = formatWitnessRequest({ from: begin, proof, note })
    const { status, body } = await post(url, 'add-checkpoint', request)
    if (status === 404 && tries === 1 && (await tellRecoveries(url, logs, log))) continue
    if (status === 200) return ownLine(text, body, key, clock())
    if (status !== 409)
      throw new DomainError('delivery_failed', `witness ${key.name}: ${status} ${firstLine(body)}`)
    const signed = canonicalNumber(firstLine(body))
    if (signed === undefined || tries === LIMITS.witness_tries)
      throw new DomainError('delivery_failed', `witness ${key.name}: it does not say from where to go on`)
    if (signed > size) {
      const newest = parseCheckpoint(parseNote(await logs.checkpoint(log)).text).size
      if (signed <= newest) return undefined
      throw new DomainError(
        'log_rollback',
        `witness ${key.name} signed a log of ${signed}, this one has ${newest}`,
      )
    }
    if (signed === begin)
      throw new DomainError('log_fork', `witness ${key.name} signed another log of ${signed} entries`)
    begin = signed
  }
}

/** Tells a witness all statements by which a log was begun anew; false where there are none. It takes those that it may. */
async function tellRecoveries(url: URL, logs: Pick<Logs, 'recovery'>, log: LogName): Promise<boolean> {
  for (let epoch = 1; ; epoch++) {
    const statement = await logs.recovery(log, epoch)
    if (statement === undefined) return epoch > 1
    await post(url, 'add-recovery', statement)
  }
}

const post = (
  url: URL,
  what: 'add-checkpoint' | 'add-recovery',
  body: string,
): ReturnType<typeof guardedFetch> =>
  guardedFetch(`${url.href.replace(/\/$/, '')}/${what}`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain; charset=utf-8', 'user-agent': 'Hookline' },
    body,
    ...{ timeout_ms: LIMITS.witness_timeout_ms, mostBytes: LIMITS.witness_answer_bytes },
    // whom to ask is said by whoever runs the registry
    allowPrivate: true,
  })

const firstLine = (body: Buffer): string => (body.toString('utf8').split('\n', 1)[0] ?? '').slice(0, 200)

/** The line of an answer that is the witness's own; what else it says is left out. */
function ownLine(text: string, body: Buffer, key: NoteKey, now: Date): string {
  const lines = body.toString('utf8').split('\n').slice(0, LIMITS.note_signatures)
  for (const line of lines) {
    if (!line.startsWith(`— ${key.name} `)) continue
    const [signer] = verifyNote(parseNote(formatNote(text, [`${line}\n`])), [key])
    if (signer?.time === undefined) continue
    // one of tomorrow would be fresh for ever, one of yesterday asked for again at once
    if (Math.abs(now.getTime() / 1000 - signer.time) > LIMITS.log_skew_s)
      throw new DomainError('log_stale', `witness ${key.name} signed with the time ${signer.time}`)
    return `${line}\n`
  }
  throw new DomainError('log_untrusted', `witness ${key.name} answered without a signature of its key`)
}
