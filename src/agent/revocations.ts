import { sha256Digest } from '../attest/keys.ts'
import { refuseRevoker, verifyRevocation } from '../attest/revocation.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { BelievedRevocation, RevocationNote } from '../domain/kept-log.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Revoked } from '../domain/log-entry.ts'
import type { Digest } from '../domain/names.ts'
import { concerns, type RevocableRelease, revokedText, type SignedRevocation } from '../domain/revocation.ts'
import { acceptsSigner, type SignerRule, signerText } from '../domain/signer.ts'
import { acceptedBy, ruleFor } from '../domain/trust-policy.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import type { NodePolicy } from './node-policy.ts'
import { readableKeys } from './readable-keys.ts'

/** What believing revocations works with. */
export interface RevocationParts {
  readonly state: Pick<AgentState, 'revocations' | 'saveRevocation'>
  readonly registry: Pick<NodeRegistry, 'revocation'>
  readonly say: (line: string) => void
}

/**
 * The revocations that a node believes. Each is checked by the node's own policy: a release is revoked by a signer of the
 * rule for its program or by an operator of the node, a file by an operator. One that was believed is kept for ever.
 */
export class NodeRevocations {
  readonly #parts: RevocationParts
  readonly #believed = new Map<Digest, BelievedRevocation>()
  /** Why others were not, by the digest of their envelope: looked at once for each policy. */
  readonly #ignored = new Map<Digest, DomainError>()
  /** What the log says is revoked, of which the registry does not show by whom. */
  #withheld: readonly RevocationNote[] = []
  #judgedBy = ''

  constructor(parts: RevocationParts) {
    this.#parts = parts
  }

  /** Reads what was believed before. */
  async open(): Promise<void> {
    for (const one of await this.#parts.state.revocations()) this.#believed.set(one.digest, one)
  }

  /** How many are believed, and how many were ignored under this policy. */
  get counts(): { believed: number; ignored: number } {
    return { believed: this.#believed.size, ignored: this.#ignored.size }
  }

  /** What is wrong with what was shown, to be reported. */
  get problems(): DomainError[] {
    const withheld = this.#withheld.map(({ revoked }) => withheldProblem(revoked))
    return [...this.#ignored.values(), ...withheld].slice(0, LIMITS.agent_strangers)
  }

  /** The revocation of a release that is believed; undefined where none is. */
  of(release: RevocableRelease): BelievedRevocation | undefined {
    return [...this.#believed.values()].find(({ revocation }) => concerns(revocation.revoked, release))
  }

  /** Refuses a release that the log says is revoked while nobody shows by whom. Throws `revocation_withheld`. */
  requireNotWithheld(release: RevocableRelease): void {
    const found = this.#withheld.find(({ revoked }) => concerns(revoked, release))
    if (found !== undefined) throw withheldProblem(found.revoked)
  }

  /** Judges what the registry sent; gives those that are newly believed, which are kept by then. */
  async review(sent: readonly SignedRevocation[], policy: NodePolicy): Promise<BelievedRevocation[]> {
    this.#judgeBy(policy)
    const added: BelievedRevocation[] = []
    for (const signed of sent) {
      const digest = sha256Digest(Buffer.from(signed.envelope))
      if (this.#believed.has(digest) || this.#ignored.has(digest)) continue
      try {
        added.push(await this.#believe(judge(signed, digest, policy)))
      } catch (error) {
        this.#ignore(digest, error)
      }
    }
    return added
  }

  /** Obtains and judges what the log notes about the policy's programs and about files; gives those newly believed. */
  async reviewNotes(
    notes: readonly RevocationNote[],
    policy: NodePolicy,
    signal: AbortSignal,
  ): Promise<BelievedRevocation[]> {
    this.#judgeBy(policy)
    const added: BelievedRevocation[] = []
    const withheld: RevocationNote[] = []
    for (const note of notes) {
      const digest = note.envelope
      if (this.#believed.has(digest) || this.#ignored.has(digest) || !matters(note, policy)) continue
      try {
        const signed = await this.#parts.registry.revocation(digest, signal)
        if (sha256Digest(Buffer.from(signed.envelope)) !== digest) throw withheldProblem(note.revoked)
        const judged = judge(signed, digest, policy)
        if (JSON.stringify(judged.revocation.revoked) !== JSON.stringify(note.revoked))
          throw new DomainError(
            'revocation_invalid',
            `the log notes a revocation of ${revokedText(note.revoked)}, which was not signed as one`,
          )
        added.push(await this.#believe(judged))
      } catch (error) {
        if (SHOWN.has(asDomainError(error).code)) this.#ignore(digest, error)
        else withheld.push(note)
      }
    }
    this.#withheld = withheld
    return added
  }

  /** Another policy may believe what this one did not. */
  #judgeBy({ operators, programs, digest }: NodePolicy): void {
    const text = JSON.stringify([operators, programs, digest])
    if (text !== this.#judgedBy) this.#ignored.clear()
    this.#judgedBy = text
  }

  async #believe(revocation: BelievedRevocation): Promise<BelievedRevocation> {
    await this.#parts.state.saveRevocation(revocation)
    this.#believed.set(revocation.digest, revocation)
    const { revoked, reason, message } = revocation.revocation
    this.#parts.say(
      `revoked by ${signerText(revocation.signer)}: ${revokedText(revoked)}, ${reason}: ${message}`,
    )
    return revocation
  }

  #ignore(digest: Digest, error: unknown): void {
    const { message } = asDomainError(error)
    const problem = new DomainError('revocation_ignored', `${digest}: ${message}`, { cause: error })
    this.#parts.say(`ignored a revocation: ${problem.message} [${problem.code}]`)
    this.#ignored.set(digest, problem)
  }
}

/** What is wrong with a document that was shown; anything else keeps it from being shown. */
const SHOWN: ReadonlySet<string> = new Set([
  'revocation_invalid',
  'revocation_signature_invalid',
  'revoker_not_allowed',
])

/** Reads a revocation whose signer the policy lets revoke what it names. Throws as {@link verifyRevocation}. */
export function judge(signed: SignedRevocation, digest: Digest, policy: NodePolicy): BelievedRevocation {
  const operators = policy.operators.map(({ key }) => key)
  // whoever the policy does not name at all has no document parsed
  const allowed: SignerRule[] = [...operators, ...policy.programs.flatMap(acceptedBy)]
  const offered = signed.key === undefined ? [] : readableKeys([signed.key])
  const keys = offered.filter(({ fingerprint }) => allowed.includes(fingerprint))
  const { revocation, signer } = verifyRevocation(signed.envelope, keys, { allowed, root: policy.root })
  const { revoked } = revocation
  const rule = revoked.kind === 'release' ? ruleFor(policy, revoked.program) : undefined
  const revokers: SignerRule[] = [...operators, ...(rule === undefined ? [] : acceptedBy(rule))]
  if (!revokers.some((one) => acceptsSigner(one, signer))) refuseRevoker(signer, revocation)
  return { ...signed, digest, revocation, signer }
}

/** Whether a node has to know of what the log notes: of a program that it may run, or a file. */
const matters = ({ revoked }: RevocationNote, policy: NodePolicy): boolean =>
  revoked.kind === 'file' || ruleFor(policy, revoked.program) !== undefined

const withheldProblem = (revoked: Revoked): DomainError =>
  new DomainError(
    'revocation_withheld',
    `the log says that ${revokedText(revoked)} is revoked, and the registry does not show by whom`,
  )
