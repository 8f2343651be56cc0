import { type PublicKey, sha256Digest } from '../attest/keys.ts'
import { refuseRevoker, verifyRevocation } from '../attest/revocation.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { BelievedRevocation, RevocationNote } from '../domain/kept-log.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Revoked } from '../domain/log-entry.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import { concerns, type RevocableRelease, revokedText, type SignedRevocation } from '../domain/revocation.ts'
import { acceptsSigner, distinctSigners, type SignerRule, signerText } from '../domain/signer.ts'
import { acceptedBy, ruleFor } from '../domain/trust-policy.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import type { NodePolicy } from './node-policy.ts'
import { readableKeys } from './readable-keys.ts'
import { judgedUnder, matters, noteKey } from './revocation-notes.ts'

/** What believing revocations works with. */
export interface RevocationParts {
  readonly state: Pick<AgentState, 'revocations' | 'saveRevocation'>
  readonly registry: Pick<NodeRegistry, 'revocation'>
  /** The keys that came with all that the node keeps: who shows a revocation without its key hides nothing. */
  readonly keys: () => Promise<readonly PublicKey[]>
  readonly say: (line: string) => void
}

/**
 * The revocations that a node believes. Each is checked by the node's own policy: a release is revoked by a signer of the
 * rule for its program or by an operator of the node, a file by an operator. Of each release and file the first one that was
 * believed is kept for ever; more say nothing new.
 */
export class NodeRevocations {
  readonly #parts: RevocationParts
  /** By what they revoke. */
  readonly #believed = new Map<string, BelievedRevocation>()
  /**
   * What became of envelopes, by their digest, and of notes that do not fit theirs: looked at once for each policy. A verdict depends
   * on nothing that is shown beside an envelope; where it would, there is none.
   */
  readonly #verdicts = new Map<string, DomainError | undefined>()
  /** What was sent of which it cannot be told whether it is true. */
  #unproven: readonly DomainError[] = []
  /** The same of what the log notes. */
  #withheld: readonly DomainError[] = []
  #judgedBy: Digest | undefined

  constructor(parts: RevocationParts) {
    this.#parts = parts
  }

  /** Reads what was believed before. */
  async open(): Promise<void> {
    for (const one of await this.#parts.state.revocations())
      this.#believed.set(revokedText(one.revocation.revoked), one)
  }

  /** How many are believed, and how many were ignored under this policy. */
  get counts(): { believed: number; ignored: number } {
    return { believed: this.#believed.size, ignored: this.#refusals.length }
  }

  /** What is wrong with what was shown, to be reported. */
  get problems(): DomainError[] {
    return [...this.#withheld, ...this.#unproven, ...this.#refusals].slice(0, LIMITS.agent_strangers)
  }

  get #refusals(): DomainError[] {
    return [...this.#verdicts.values()].filter((verdict) => verdict !== undefined)
  }

  /** The revocation of a release that is believed; undefined where none is. */
  of({ program, version, files }: RevocableRelease): BelievedRevocation | undefined {
    const whole = this.#believed.get(revokedText({ kind: 'release', program, version }))
    return whole ?? files.flatMap(({ digest }) => this.#believed.get(digest) ?? [])[0]
  }

  /** Versions of a program that are believed to be revoked, each by its own name. */
  versionsOf(program: ProgramId): string[] {
    return versionsRevoked([...this.#believed.values()], program)
  }

  /**
   * Refuses a release of which one of the log's notes says that it is revoked, unless it is known that whoever signed that may
   * not. Throws `revocation_withheld`.
   */
  requireNotWithheld(release: RevocableRelease, notes: readonly RevocationNote[]): void {
    const found = notes.find(
      (note) => concerns(note.revoked, release) && this.ignoredUnder(note) === undefined,
    )
    if (found !== undefined) throw withheldProblem(found.revoked)
  }

  /** The policy in force, as {@link judgedUnder} names it, where a note was ignored under it. */
  ignoredUnder(note: RevocationNote): Digest | undefined {
    return this.#ignores(note) || note.ignored === this.#judgedBy ? this.#judgedBy : undefined
  }

  /** Judges what the registry sent; gives those that are newly believed, which are kept by then. */
  async review(sent: readonly SignedRevocation[], policy: NodePolicy): Promise<BelievedRevocation[]> {
    const judgedBy = this.#judgeBy(policy)
    const [added, unproven]: [BelievedRevocation[], DomainError[]] = [[], []]
    let keys: readonly PublicKey[] | undefined
    for (const signed of sent) {
      const digest = sha256Digest(Buffer.from(signed.envelope))
      if (this.#verdicts.has(digest)) continue
      try {
        keys ??= await this.#parts.keys()
        added.push(...(await this.#believe(judge(signed, digest, policy, keys))))
        this.#decide(digest, undefined, judgedBy)
      } catch (error) {
        requireWritten(error)
        const problem = asDomainError(error)
        if (REFUSALS.has(problem.code)) this.#ignore(digest, digest, problem, judgedBy)
        else unproven.push(problem)
      }
    }
    this.#unproven = unproven
    return added
  }

  /** Obtains and judges what the log notes about the policy's programs and about files; gives those newly believed. */
  async reviewNotes(
    notes: readonly RevocationNote[],
    policy: NodePolicy,
    signal: AbortSignal,
  ): Promise<BelievedRevocation[]> {
    const judgedBy = this.#judgeBy(policy)
    const [added, withheld]: [BelievedRevocation[], DomainError[]] = [[], []]
    let keys: readonly PublicKey[] | undefined
    for (const note of notes) {
      const isKnown = this.#believed.has(revokedText(note.revoked)) || this.#ignores(note)
      if (isKnown || !matters(note, policy)) continue
      const { envelope: digest, revoked } = note
      try {
        const signed = await this.#parts.registry.revocation(digest, signal)
        if (sha256Digest(Buffer.from(signed.envelope)) !== digest)
          throw new DomainError('digest_mismatch', 'it shows another document')
        keys ??= await this.#parts.keys()
        const judged = judge(signed, digest, policy, keys)
        added.push(...(await this.#believe(judged)))
        if (revokedText(judged.revocation.revoked) !== revokedText(revoked))
          this.#ignore(noteKey(note), digest, untrueNote(revoked), judgedBy)
      } catch (error) {
        requireWritten(error)
        const problem = asDomainError(error)
        // a document that is damaged, or whose signer is not shown, may be true: only who may not revoke is ignored
        if (problem.code === 'revoker_not_allowed') this.#ignore(digest, digest, problem, judgedBy)
        else if (note.ignored !== judgedBy) withheld.push(withheldProblem(revoked, problem))
      }
    }
    this.#withheld = withheld
    return added
  }

  /** Whether it was found under this policy that a note says nothing that anybody may say. */
  #ignores(note: RevocationNote): boolean {
    const verdict = this.#verdicts.get(note.envelope)
    return isNotAllowed(verdict) || this.#verdicts.has(noteKey(note))
  }

  /** Another policy may believe what this one did not. */
  #judgeBy(policy: NodePolicy): Digest {
    const judgedBy = judgedUnder(policy)
    if (judgedBy !== this.#judgedBy) this.#verdicts.clear()
    this.#judgedBy = judgedBy
    return judgedBy
  }

  /** Keeps a revocation, and gives it, unless it says what is believed already. Throws `too_large`, `file_unwritable`. */
  async #believe(revocation: BelievedRevocation): Promise<BelievedRevocation[]> {
    const { revoked, reason, message } = revocation.revocation
    const target = revokedText(revoked)
    if (this.#believed.has(target)) return []
    const { signer } = revocation
    const others = [...this.#believed.values()].filter(
      (one) => distinctSigners([one.signer, signer]).length === 1,
    )
    if (others.length >= LIMITS.signer_revocations)
      throw new DomainError(
        'too_large',
        `${signerText(signer)} revoked more than ${LIMITS.signer_revocations} releases, and ${target} besides`,
      )
    await this.#parts.state.saveRevocation(revocation)
    this.#believed.set(target, revocation)
    this.#parts.say(`revoked by ${signerText(signer)}: ${target}, ${reason}: ${message}`)
    return [revocation]
  }

  #ignore(key: string, digest: Digest, cause: DomainError, judgedBy: Digest): void {
    const problem = new DomainError('revocation_ignored', `${digest}: ${cause.message}`, { cause })
    if (!this.#decide(key, problem, judgedBy)) return
    this.#parts.say(`ignored a revocation: ${problem.message} [${problem.code}]`)
  }

  /** Remembers a verdict, unless the policy became another meanwhile. What was decided longest ago is forgotten first. */
  #decide(key: string, verdict: DomainError | undefined, judgedBy: Digest): boolean {
    if (judgedBy !== this.#judgedBy) return false
    this.#verdicts.set(key, verdict)
    if (this.#verdicts.size > LIMITS.verdicts)
      for (const oldest of [...this.#verdicts.keys()].slice(0, 1)) this.#verdicts.delete(oldest)
    return true
  }
}

/** A disk that takes nothing says nothing of a revocation: it is judged again. Throws `file_unwritable`. */
function requireWritten(thrown: unknown): void {
  if (asDomainError(thrown).code === 'file_unwritable') throw thrown
}

/** Verdicts that no key and no trusted root beside the policy's own would change. */
const REFUSALS: ReadonlySet<string> = new Set([
  'revocation_invalid',
  'revocation_signature_invalid',
  'revoker_not_allowed',
])

const isNotAllowed = (verdict: DomainError | undefined): boolean =>
  verdict !== undefined && asDomainError(verdict.cause).code === 'revoker_not_allowed'

/**
 * Reads a revocation whose signer the policy lets revoke what it names, by a key that is shown with it or one of `known`. Throws as
 * {@link verifyRevocation}.
 */
export function judge(
  signed: SignedRevocation,
  digest: Digest,
  policy: NodePolicy,
  known: readonly PublicKey[],
): BelievedRevocation {
  const operators = policy.operators.map(({ key }) => key)
  // whoever the policy does not name at all has no document parsed
  const allowed: SignerRule[] = [...operators, ...policy.programs.flatMap(acceptedBy)]
  const shown = signed.key === undefined ? [] : readableKeys([signed.key])
  const keys = [...known, ...shown].filter(({ fingerprint }) => allowed.includes(fingerprint))
  const { envelope } = signed
  const { revocation, signer } = verifyRevocation(envelope, keys, { allowed, root: policy.root })
  const { revoked } = revocation
  const rule = revoked.kind === 'release' ? ruleFor(policy, revoked.program) : undefined
  const revokers: SignerRule[] = [...operators, ...(rule === undefined ? [] : acceptedBy(rule))]
  if (!revokers.some((one) => acceptsSigner(one, signer))) refuseRevoker(signer, revocation)
  const key = keys.find(({ fingerprint }) => fingerprint === signer)?.spki.toString('base64')
  return { envelope, ...(key === undefined ? {} : { key }), digest, revocation, signer }
}

/** That a revocation is noted in the log, and not shown as who may revoke it would have signed it. */
export const withheldProblem = (revoked: Revoked, cause?: DomainError): DomainError =>
  new DomainError(
    'revocation_withheld',
    `the log says that ${revokedText(revoked)} is revoked, and the registry does not show by whom${cause === undefined ? '' : `: ${cause.message}`}`,
    { cause },
  )

const untrueNote = (revoked: Revoked): DomainError =>
  new DomainError(
    'revocation_invalid',
    `the log notes a revocation of ${revokedText(revoked)}, which was not signed as one`,
  )

/** Versions of a program that are revoked by their own name, in no order; pure. */
export const versionsRevoked = (believed: readonly BelievedRevocation[], program: ProgramId): string[] =>
  believed.flatMap(({ revocation: { revoked } }) =>
    revoked.kind === 'release' && revoked.program === program ? [revoked.version] : [],
  )
