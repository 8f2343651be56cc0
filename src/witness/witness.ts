import { DomainError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { LogEpoch, WitnessedLog, WitnessState } from '../ports/witness-state.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { EMPTY_ROOT } from '../tlog/merkle.ts'
import { type NoteSignerKey, parseNote, signatureLine, verifyNote } from '../tlog/note.ts'
import type { NoteKey } from '../tlog/note-key.ts'
import { verifyConsistency } from '../tlog/proof.ts'
import { parseWitnessRequest } from '../tlog/proof-text.ts'
import { acceptRecovery, readRecovery } from '../tlog/recovery.ts'

/** What a witness answers: its signature line, or, to who does not begin where it is, the size that it signed last. */
type WitnessAnswer =
  | { readonly kind: 'cosigned'; readonly line: string }
  | { readonly kind: 'conflict'; readonly size: number }

/** A witness: it cosigns checkpoints, of each log only such as continue the ones before. */
export interface Witness {
  /**
   * Answers a request for `add-checkpoint` (C2SP tlog-witness). Throws `log_malformed` for what is no such request,
   * `not_found` for another log than those known, `log_untrusted` when its key did not sign, `log_fork` and
   * `log_proof_invalid` when it does not continue what was signed.
   */
  addCheckpoint(request: string): Promise<WitnessAnswer>
  /**
   * Goes over from a log to the one that a statement of a recovery key names, once and for good, and gives its key: the new log must
   * continue what was signed of the old one, as far as that is good, and the old one is signed no more. Throws as
   * {@link acceptRecovery}, `not_found` for a statement about another log than those that are signed now.
   */
  addRecovery(note: string): Promise<NoteKey>
}

/** What a witness is made of. */
interface WitnessParts {
  /** Its key, of type cosignature. */
  readonly signer: NoteSignerKey
  /** Keys of the logs that it knows. */
  readonly logs: readonly NoteKey[]
  /** Whose statements lead over from these logs to others; none: nobody's. */
  readonly recoveryKeys: readonly NoteKey[]
  readonly state: WitnessState
  readonly clock: Clock
  /** A line for the operator. */
  readonly say: (line: string) => void
}

/** Opens a witness over its memory, which nobody else may write. Requests about one log are answered one after the other. */
export async function openWitness(parts: WitnessParts): Promise<Witness> {
  const { signer, state, clock } = parts
  const logs: LogEpoch[] = []
  for (const key of parts.logs) logs.push(await newestEpoch(key, state))
  const turns = new Map<string, Promise<unknown>>()
  /** Between reading what was signed and keeping what will be, nobody else's request about that log may come. */
  const inTurn: InTurn = (origin, work) => {
    const mine = (turns.get(origin) ?? Promise.resolve()).then(work, work)
    turns.set(origin, mine)
    return mine
  }
  return {
    addCheckpoint: async (request) => {
      const { from, proof, note } = parseWitnessRequest(request)
      const parsed = parseNote(note)
      const { origin, size, root } = parseCheckpoint(parsed.text)
      const keys = logs.flatMap(({ key }) => (key.name === origin ? [key] : []))
      if (keys.length === 0) throw unknownLog(origin)
      if (verifyNote(parsed, keys).length === 0)
        throw new DomainError('log_untrusted', `the checkpoint is not signed by ${JSON.stringify(origin)}`)
      if (from > size)
        throw new DomainError('log_malformed', `a log of ${size} entries cannot continue one of ${from}`)
      return inTurn(origin, async () => {
        const seen = (await state.newest(origin)) ?? UNSIGNED
        if (seen.goesOn !== undefined) throw unknownLog(origin) // given up since it was asked
        if (from !== seen.size) return { kind: 'conflict', size: seen.size }
        // another log of that size: the specification has it answered as a conflict, too
        if (size === seen.size && !root.equals(seen.root)) return { kind: 'conflict', size }
        verifyConsistency({ from, fromRoot: seen.root, to: size, toRoot: root, proof })
        // kept before it is signed: a crash in between costs a signature, the other way round it could cost the history
        if (size !== seen.size) await state.save(origin, { size, root })
        return {
          kind: 'cosigned',
          line: signatureLine(parsed.text, signer, Math.floor(clock().getTime() / 1000)),
        }
      })
    },
    // one after the other, so that no two of them wait for each other's logs
    addRecovery: (note) => inTurn(RECOVERIES, () => goOver(note, logs, inTurn, parts)),
  }
}

type InTurn = <T>(origin: string, work: () => Promise<T>) => Promise<T>

/** Where recoveries queue; no log has an empty name. */
const RECOVERIES = ''
const UNSIGNED: WitnessedLog = { size: 0, root: EMPTY_ROOT }

/** Puts the log that a statement begins in the place of the one that it gives up, in the memory and in `logs`. */
async function goOver(
  note: string,
  logs: LogEpoch[],
  inTurn: InTurn,
  { signer, recoveryKeys, state, say }: WitnessParts,
): Promise<NoteKey> {
  const { origin } = readRecovery(note)
  const log = logs.find(({ key }) => key.name === origin)
  if (log === undefined) throw unknownLog(origin)
  return inTurn(origin, async () => {
    const seen = (await state.newest(origin)) ?? UNSIGNED
    const { state: next, lost } = acceptRecovery({ ...seen, ...log }, note, recoveryKeys)
    const { key, epoch, size, root } = next
    if (key.publicKey.equals(signer.key.publicKey))
      throw new DomainError('log_recovery_invalid', 'recovery: the new log has the key of this witness')
    await inTurn(key.name, async () => {
      const known = await state.newest(key.name)
      if (known?.goesOn !== undefined)
        throw new DomainError('log_recovery_invalid', `recovery: ${key.name} was given up before`)
      // one that was signed already, since its key was named by hand, is bound by that
      if (known === undefined) await state.save(key.name, { size, root })
    })
    // last: as long as it is not said here, the new log is not signed by it
    await state.save(origin, { ...seen, goesOn: { key, epoch } })
    for (const [at, one] of logs.entries()) if (one.key.name === origin) logs[at] = { key, epoch }
    say(
      `the log ${origin} goes on as ${key.name} (epoch ${epoch}), by its recovery key; ${lost} entries that were signed here are lost`,
    )
    return key
  })
}

/** The key by which a log goes on now, after all statements that were followed. */
async function newestEpoch(key: NoteKey, state: WitnessState): Promise<LogEpoch> {
  let log: LogEpoch = { key, epoch: 0 }
  for (;;) {
    const next = (await state.newest(log.key.name))?.goesOn
    if (next === undefined) return log
    log = next
  }
}

const unknownLog = (origin: string): DomainError =>
  new DomainError('not_found', `this witness does not sign the log ${JSON.stringify(origin)}`)
