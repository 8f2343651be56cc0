import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { EMPTY_ROOT } from './merkle.ts'
import { type NoteSigner, parseNote, verifyNote } from './note.ts'
import { asCosigner, type NoteKey } from './note-key.ts'
import { verifyConsistency } from './proof.ts'

/** What a reader remembers of a log, and may never forget: what it was shown last binds the log from then on. */
export interface LogState {
  /** Key of the log, under the log's name. */
  readonly key: NoteKey
  /** How often the log was begun anew after a loss; 0 for one that never was. */
  readonly epoch: number
  readonly size: number
  readonly root: Buffer
}

/** What a reader knows of a log that it was never shown. */
export const unseenLog = (key: NoteKey): LogState => ({ key, epoch: 0, size: 0, root: EMPTY_ROOT })

/** What a reader asks of a checkpoint besides the log's signature and history. */
export interface LogPolicy {
  /** Seconds since the log, and each witness that counts, said that there was nothing newer. */
  readonly maxAge_s: number
  /** `threshold` of these must have signed; 0 asks for none. */
  readonly witnesses: { readonly keys: readonly NoteKey[]; readonly threshold: number }
}

/** A signed checkpoint as a registry shows it, and the proof that it continues the one known. */
export interface ShownCheckpoint {
  readonly note: string | Buffer
  readonly proof: readonly Buffer[]
}

/**
 * Decides whether a reader may go on to a checkpoint, and gives what to remember from then on. In this order:
 *
 * 1. the log's key signed it, and it is of that log: `log_malformed`, `log_untrusted`
 * 2. it is not shorter than what was seen: `log_rollback`
 * 3. it continues what was seen: `log_fork`, `log_proof_invalid`
 * 4. the log said recently that it is the newest: `log_stale`
 * 5. so did enough witnesses, each public key counting once, and never the log's own: `witnesses_missing`, `log_stale`
 */
export function acceptCheckpoint(
  seen: LogState,
  { note, proof }: ShownCheckpoint,
  policy: LogPolicy,
  now: Date,
): LogState {
  const parsed = parseNote(note)
  const signers = verifyNote(parsed, [seen.key, asCosigner(seen.key)])
  if (!signers.some(({ key }) => key === seen.key))
    throw new DomainError('log_untrusted', `the checkpoint is not signed by ${JSON.stringify(seen.key.name)}`)
  const { origin, size, root } = parseCheckpoint(parsed.text)
  if (origin !== seen.key.name)
    throw new DomainError('log_untrusted', `the checkpoint is of ${JSON.stringify(origin)}, another log`)
  if (size < seen.size)
    throw new DomainError('log_rollback', `the log has ${size} entries, it had ${seen.size}`)
  verifyConsistency({ from: seen.size, fromRoot: seen.root, to: size, toRoot: root, proof })
  const isFresh = freshness(policy.maxAge_s, now)
  if (!signers.some(isFresh))
    throw stale(`the log did not say within ${policy.maxAge_s} s that the checkpoint is its newest`)
  const own = seen.key.publicKey
  const witnesses = policy.witnesses.keys.filter(({ publicKey }) => !publicKey.equals(own))
  requireWitnesses(verifyNote(parsed, witnesses), policy.witnesses.threshold, isFresh)
  return { ...seen, size, root }
}

/** Whether a time is within `maxAge_s` before `now`. One ahead of the clock would be fresh for ever: only skew is accepted. */
function freshness(maxAge_s: number, now: Date): (signer: NoteSigner) => boolean {
  const now_s = now.getTime() / 1000
  return ({ time = Number.NaN }) => time >= now_s - maxAge_s && time <= now_s + LIMITS.log_skew_s
}

function requireWitnesses(
  signers: readonly NoteSigner[],
  threshold: number,
  isFresh: (signer: NoteSigner) => boolean,
): void {
  const cosigners = signers.filter(({ key }) => key.type === 'cosignature')
  if (countKeys(cosigners) < threshold)
    throw new DomainError(
      'witnesses_missing',
      `${countKeys(cosigners)} of ${threshold} witnesses signed the checkpoint`,
    )
  const fresh = countKeys(cosigners.filter(isFresh))
  if (fresh < threshold) throw stale(`only ${fresh} of ${threshold} witnesses signed it recently`)
}

/** A witness under two names is one witness. */
const countKeys = (signers: readonly NoteSigner[]): number =>
  new Set(signers.map(({ key }) => key.publicKey.toString('hex'))).size

const stale = (why: string): DomainError => new DomainError('log_stale', why)
