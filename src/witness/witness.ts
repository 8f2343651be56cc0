import { DomainError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { WitnessState } from '../ports/witness-state.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { EMPTY_ROOT } from '../tlog/merkle.ts'
import { type NoteSignerKey, parseNote, signatureLine, verifyNote } from '../tlog/note.ts'
import type { NoteKey } from '../tlog/note-key.ts'
import { verifyConsistency } from '../tlog/proof.ts'
import { parseWitnessRequest } from '../tlog/proof-text.ts'

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
}

/** What a witness is made of: its key, of type cosignature, the keys of the logs that it knows, and its memory. */
interface WitnessParts {
  readonly signer: NoteSignerKey
  readonly logs: readonly NoteKey[]
  readonly state: WitnessState
  readonly clock: Clock
}

/** Opens a witness over its memory, which nobody else may write. Requests about one log are answered one after the other. */
export function openWitness({ signer, logs, state, clock }: WitnessParts): Witness {
  const turns = new Map<string, Promise<unknown>>()
  /** Between reading what was signed and keeping what will be, nobody else's request about that log may come. */
  const inTurn = <T>(origin: string, work: () => Promise<T>): Promise<T> => {
    const mine = (turns.get(origin) ?? Promise.resolve()).then(work, work)
    turns.set(origin, mine)
    return mine
  }
  return {
    addCheckpoint: async (request) => {
      const { from, proof, note } = parseWitnessRequest(request)
      const parsed = parseNote(note)
      const { origin, size, root } = parseCheckpoint(parsed.text)
      const keys = logs.filter(({ name }) => name === origin)
      if (keys.length === 0)
        throw new DomainError('not_found', `this witness does not know the log ${JSON.stringify(origin)}`)
      if (verifyNote(parsed, keys).length === 0)
        throw new DomainError('log_untrusted', `the checkpoint is not signed by ${JSON.stringify(origin)}`)
      if (from > size)
        throw new DomainError('log_malformed', `a log of ${size} entries cannot continue one of ${from}`)
      return inTurn(origin, async () => {
        const seen = (await state.newest(origin)) ?? { size: 0, root: EMPTY_ROOT }
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
  }
}
