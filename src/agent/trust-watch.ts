import { setTimeout as sleep } from 'node:timers/promises'
import type { DomainError } from '../domain/errors.ts'
import type { EntryRecord } from '../domain/generation.ts'
import type { BelievedRevocation } from '../domain/kept-log.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ProgramId } from '../domain/names.ts'
import type { Observed, WithdrawnInstance } from '../domain/node.ts'
import type { SignedRevocation } from '../domain/revocation.ts'
import { LogFollower, type LogFollowerParts } from './log-follower.ts'
import { type LogTrust, logTrust } from './log-trust.ts'
import type { NodePolicy } from './node-policy.ts'
import { NodeRevocations, type RevocationParts } from './revocations.ts'
import { type Vetting, vettingBy } from './vetting.ts'

/** What watching works with. */
interface WatchParts extends Omit<LogFollowerParts, 'state' | 'registry'>, RevocationParts {
  readonly state: LogFollowerParts['state'] & RevocationParts['state']
  readonly registry: LogFollowerParts['registry'] & RevocationParts['registry']
  /** The policy in force, of owners where trust.yaml names any: what the file itself says of programs may be nothing. */
  readonly policy: () => Promise<NodePolicy>
}

/** What a node knows of logs and revocations, and how it hears of more while nothing else changes. */
export class TrustWatch {
  readonly #parts: WatchParts
  readonly #follower: LogFollower
  readonly #revocations: NodeRevocations
  #vetting: Vetting
  /** Programs of which something was newly revoked, until a pass has ended what their releases left behind. */
  readonly #suspects = new Set<ProgramId>()
  /** How often was acted on a revocation. */
  readonly #actions = { previous: 0, detach: 0, drop: 0 }
  /** What the policy asked of the logs when it was read last: one that cannot be read now makes nothing fresh. */
  #trust: LogTrust | undefined
  /** Ends the pause before the logs are looked at again. */
  #pause = new AbortController()

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#follower = new LogFollower(parts)
    this.#revocations = new NodeRevocations(parts)
    this.#vetting = vettingBy(this.#revocations, this.#follower, undefined)
  }

  /** Reads what was believed before. */
  open(): Promise<void> {
    return this.#revocations.open()
  }

  /** Whether an entry must not run, by the newest policy that was read. */
  isRevoked(entry: EntryRecord): boolean {
    return this.#vetting.isRevoked(entry)
  }

  /** What is wrong with the logs and with revocations that were shown. */
  get problems(): DomainError[] {
    const { problem, overflow, losses } = this.#follower
    const ofLogs = [problem, overflow].filter((one) => one !== undefined)
    return [...ofLogs, ...losses, ...this.#revocations.problems]
  }

  /** What reports count. */
  get counts(): NonNullable<Observed['revocations']> {
    return { ...this.#revocations.counts, ...this.#actions }
  }

  /** Judges what was sent by a policy; gives what a pass is to go by. Throws `invalid_policy`, `file_unwritable`. */
  async review(
    sent: readonly SignedRevocation[],
    policy: NodePolicy,
  ): Promise<{ vetting: Vetting; suspects: ReadonlySet<ProgramId> }> {
    this.#suspect(await this.#revocations.review(sent, policy))
    const trust = logTrust(policy)
    if (trust !== undefined) await this.#follower.open(trust)
    this.#vetting = vettingBy(this.#revocations, this.#follower, trust)
    return { vetting: this.#vetting, suspects: new Set(this.#suspects) }
  }

  /** A pass has acted. */
  acted(suspects: ReadonlySet<ProgramId>, actions: readonly WithdrawnInstance['action'][]): void {
    for (const program of suspects) this.#suspects.delete(program)
    for (const action of actions) this.#actions[action]++
  }

  /** Has the logs looked at soon: something is new. */
  wake(): void {
    this.#pause.abort()
  }

  /**
   * Goes on in the logs now and then, and when there is news, until `stop`. `act` is called when a revocation was found there,
   * and when a log was not heard of for too long, or is again.
   */
  async watch(stop: AbortSignal, act: () => Promise<void>): Promise<void> {
    let stale = false
    while (!stop.aborted) {
      this.#pause = new AbortController()
      const { signal } = this.#pause
      const { trust, found } = await this.#look(stop)
      const now = trust?.onStale === 'revoke' && this.#follower.isStale(trust)
      if (found || now !== stale) await act()
      stale = now
      const most_ms = Math.min(
        this.#follower.isBehind ? LIMITS.agent_witness_pause_ms * 2 : LIMITS.agent_log_ms,
        (trust?.policy.maxAge_s ?? Number.POSITIVE_INFINITY) * 500,
      )
      const pause_ms = most_ms * (0.5 + Math.random() / 2) // spread, so that a fleet does not ask as one
      await sleep(pause_ms, undefined, { signal: AbortSignal.any([stop, signal]) }).catch(() => undefined)
    }
  }

  /** Goes on in the logs that the policy names; `found`: they led to a revocation that was not known. */
  async #look(stop: AbortSignal): Promise<{ trust: LogTrust | undefined; found: boolean }> {
    try {
      const policy = await this.#parts.policy()
      const trust = logTrust(policy)
      this.#trust = trust
      if (trust === undefined) return { trust, found: false }
      const signal = AbortSignal.any([stop, AbortSignal.timeout(LIMITS.agent_fetch_ms)])
      const before = this.#follower.problem
      await this.#follower.follow(trust, signal)
      const { problem, notes } = this.#follower
      // that the registry does not know the node by its key is said already
      if (problem !== undefined && problem.code !== before?.code && problem.kind !== 'unauthenticated')
        this.#parts.say(`log: ${problem.message} [${problem.code}]; what runs goes on, nothing new is loaded`)
      const added = await this.#revocations.reviewNotes(notes, policy, signal)
      await this.#follower.markIgnored((note) => this.#revocations.ignoredUnder(note))
      this.#suspect(added)
      return { trust, found: added.length > 0 }
    } catch {
      return { trust: this.#trust, found: false } // the next pass tells of a policy that cannot be read
    }
  }

  #suspect(revocations: readonly BelievedRevocation[]): void {
    for (const { revoked } of revocations.map(({ revocation }) => revocation))
      if (revoked.kind === 'release') this.#suspects.add(revoked.program)
  }
}
