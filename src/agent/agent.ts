import { setTimeout as sleep } from 'node:timers/promises'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Desired, Observed, ObservedChain, Proven } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { ChainSet } from './chain-set.ts'
import type { NodePolicy } from './node-policy.ts'
import { followPolicy, heldPolicy } from './owner-policy.ts'
import { keepProof, wantedFiles } from './proof.ts'
import { keysAtHand } from './readable-keys.ts'
import { type ReconcileParts, reconcile } from './reconcile.ts'
import { type FunctionStatus, Reporter } from './reporter.ts'
import { allowTakenBack, forgetProofs, markTakenBack } from './taken-back.ts'
import { TrustWatch } from './trust-watch.ts'

/** What an agent is made of. */
export interface AgentParts extends ReconcileParts {
  readonly state: AgentState
  readonly registry: NodeRegistry
  /** Reads trust.yaml anew; throws `invalid_policy`. */
  readonly policy: () => Promise<NodePolicy>
  /** Changes when trust.yaml does; never throws. */
  readonly policyStamp: () => Promise<string>
  /** Name of the network namespace, for reports; empty for the host's own. */
  readonly netns: string
  readonly version: string
  /** After so long without the registry a change is taken back, in ms; 0: never. */
  readonly confirm_ms: number
}

/** Chains that one line of the log names. */
const MOST_NAMED = 8
const NOTHING: Desired = { functions: [], resolutions: [], releases: [], keys: [], revocations: [] }

/**
 * Brings a node to its desired state and keeps it there: waits on the registry, checks every order and release itself,
 * plans, builds, switches, reports. It holds on to what runs when anything is missing or refused.
 */
export class Agent {
  readonly #parts: AgentParts
  readonly #chains: ChainSet
  readonly #trust: TrustWatch
  readonly #reporter: Reporter
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[] = []
  #queue: Promise<void> = Promise.resolve()
  #desired: Desired = NOTHING
  /** The desired state that the disk holds. */
  #saved: Desired = NOTHING
  #statuses: FunctionStatus[] = []
  #registryProblem: DomainError | undefined
  #policyProblem: DomainError | undefined
  /** What cut the last pass short, such as a full disk. */
  #passProblem: DomainError | undefined
  #retry_ms: number = LIMITS.agent_retry_ms
  /** What functions run from, by name, that is kept once it is confirmed: what comes meanwhile may be refused. */
  readonly #proofs = new Map<string, Proven>()
  /** Wakes this agent when something that is too young is old enough. */
  #alarm: NodeJS.Timeout | undefined
  /** Whether the registry answered when it was last asked. */
  #reachable = false

  constructor(parts: AgentParts) {
    this.#parts = parts
    this.#trust = new TrustWatch({
      ...parts,
      policy: async () => heldPolicy(await parts.policy(), parts.state, parts.labels),
      keys: () => keysAtHand(this.#desired, parts.state),
    })
    this.#chains = new ChainSet(parts.kernel, parts.state, parts.netns, parts.clock, (entry) =>
      this.#trust.isRevoked(entry),
    )
    this.#reporter = new Reporter(parts)
  }

  /** Adopts what runs, restores what should, and starts to follow the registry. */
  async start(): Promise<void> {
    const { state } = this.#parts
    // as long as no registry was heard, none withholds what is held
    this.#desired = (await state.desired()) ?? { ...NOTHING, functions: await state.acceptedOrders() }
    this.#saved = this.#desired
    await this.#trust.open()
    await this.#serially(() => this.#sayAdopted())
    await this.#serially(() => this.#reconcile())
    this.#loops.push(
      this.#follow(),
      this.#watchHost(),
      this.#retryProblems(),
      this.#reportLoop(),
      this.#confirmChanges(),
      this.#trust.watch(this.#stop.signal, () => this.#serially(() => this.#reconcile())),
    )
  }

  /** How the node fared when it was last looked at; undefined before that. */
  get observed(): Observed | undefined {
    return this.#reporter.latest
  }

  /** Says what runs already, from before this process. */
  async #sayAdopted(): Promise<void> {
    await this.#refresh()
    const running = this.#chains.observe()
    const named = running
      .slice(0, MOST_NAMED)
      .map(
        (chain) =>
          `${chain.hook} on ${chain.interface} (generation ${chain.generation}, ${chain.entries.length} ${chain.entries.length === 1 ? 'entry' : 'entries'})`,
      )
    if (running.length > named.length) named.push(`${running.length - named.length} more`)
    if (running.length > 0) this.#parts.say(`adopted what runs: ${named.join(', ')}`)
  }

  /** Reads what runs, and says what somebody else took down. */
  async #refresh(): Promise<void> {
    for (const { hook, interface: on } of await this.#chains.refresh())
      this.#parts.say(
        `${hook} on ${on} was detached, and not by this agent: what is ordered there is attached anew`,
      )
  }

  /** Stops following. The chains stay as they are: they are the kernel's. */
  async close(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#alarm)
    await Promise.all(this.#loops)
    await this.#queue
    await this.#reporter.close()
  }

  /** One thing at a time: chains, memory and namespaces are never touched by two. */
  #serially(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(async () => {
      try {
        await work()
      } catch (error) {
        const { message, code } = asDomainError(error)
        this.#parts.say(`agent: ${message} [${code}]`)
      }
    })
    return this.#queue
  }

  /** Long-polls the registry. While it is away, what runs goes on. */
  async #follow(): Promise<void> {
    let etag: string | undefined
    let pause_ms: number = LIMITS.agent_backoff_ms
    while (!this.#stop.signal.aborted)
      try {
        // after an absence the first question is not a long one: its answer says that the registry is back
        const wait_s = this.#registryProblem === undefined ? LIMITS.poll_s : 0
        const answer = await this.#parts.registry.desired(etag, wait_s, this.#stop.signal)
        pause_ms = LIMITS.agent_backoff_ms
        this.#reachable = true
        this.#setRegistryProblem(undefined)
        if (answer !== undefined) {
          this.#desired = answer.desired
          await this.#serially(() => this.#reconcile())
          // behind the pass, which acts on what was sent and asks the logs itself for what it needs of them
          this.#trust.wake()
          etag = answer.etag
        }
        await this.#sleep(LIMITS.agent_poll_pause_ms)
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#reachable = false
        this.#setRegistryProblem(asDomainError(error))
        etag = undefined // what went wrong may be what it says
        await this.#sleep(pause_ms * (0.5 + Math.random() / 2)) // spread, so that a fleet does not return as one
        pause_ms = Math.min(pause_ms * 2, LIMITS.agent_backoff_most_ms)
      }
  }

  #setRegistryProblem(problem: DomainError | undefined): void {
    if (problem?.code !== this.#registryProblem?.code)
      this.#parts.say(
        problem === undefined
          ? 'registry: reachable again'
          : `${problem.message} [${problem.code}]; what runs goes on`,
      )
    this.#registryProblem = problem
  }

  /**
   * Interfaces come and go, and with them the hooks that functions ask for; the policy's owner edits it; and pins that
   * somebody removed took the chain with them.
   */
  async #watchHost(): Promise<void> {
    let before = await this.#hostStamp()
    while (await this.#sleep(LIMITS.agent_interfaces_ms)) {
      const now = await this.#hostStamp()
      if (now !== before) this.#trust.wake()
      if (now !== before || this.#chains.changedByOthers()) await this.#serially(() => this.#reconcile())
      before = now
    }
  }

  async #hostStamp(): Promise<string> {
    const policy = await this.#parts.policyStamp()
    try {
      return JSON.stringify([policy, this.#parts.kernel.interfaces()])
    } catch (error) {
      return `${policy} ${asDomainError(error).message}`
    }
  }

  /**
   * A change made while the registry was within reach must leave it there. When it stays silent after one, the change is
   * taken back; when it then still is, the change was not to blame, and is made again.
   */
  async #confirmChanges(): Promise<void> {
    while (await this.#sleep(LIMITS.agent_probe_pause_ms)) {
      if (!this.#chains.unconfirmed) continue
      const { confirm_ms } = this.#parts
      if (confirm_ms === 0 || (await this.#answersWithin(confirm_ms))) {
        await this.#serially(() => this.#confirm())
        continue
      }
      if (this.#stop.signal.aborted) return
      await this.#serially(() => this.#takeBack())
      if (await this.#answersWithin(confirm_ms)) continue
      // an agent that is told to stop has not asked long enough
      if (!this.#stop.signal.aborted) await this.#serially(() => this.#acquit())
    }
  }

  /** Asks the registry until it answers; a question that was under way before does not count. */
  async #answersWithin(most_ms: number): Promise<boolean> {
    const until = performance.now() + most_ms
    do {
      const left_ms = Math.ceil(Math.max(1, Math.min(LIMITS.agent_probe_ms, until - performance.now())))
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(left_ms)])
      try {
        await this.#parts.registry.desired(undefined, 0, signal)
        this.#reachable = true
        this.#setRegistryProblem(undefined)
        return true
      } catch (error) {
        // an answer that says no is one
        if (asDomainError(error).code !== 'registry_unavailable' && !signal.aborted) return true
      }
    } while (performance.now() < until && (await this.#sleep(LIMITS.agent_probe_pause_ms)))
    return false
  }

  async #confirm(): Promise<void> {
    await this.#chains.confirm()
    const proven = await this.#parts.state.proven()
    for (const proof of this.#proofs.values()) await keepProof(this.#parts.state, proof, proven)
    this.#proofs.clear()
    await this.#reconcile() // what was refused meanwhile may be made from it
  }

  async #takeBack(): Promise<void> {
    // remembered first: a crash in between must not make it again
    const changes = this.#chains.unconfirmedChanges()
    const changed = new Set(changes.flatMap(({ functions }) => functions))
    for (const name of changed) this.#proofs.delete(name)
    await markTakenBack(this.#parts.state, this.#statuses, changed)
    await forgetProofs(this.#parts.state, this.#statuses, changed)
    for (const { key } of await this.#chains.takeBack())
      this.#parts.say(
        `the registry did not answer through ${key} within ${this.#parts.confirm_ms} ms: taken back`,
      )
    this.#reachable = false
    this.#setRegistryProblem(new DomainError('registry_unavailable', 'the registry does not answer'))
    await this.#reconcile()
  }

  /** The registry is away with or without the change. */
  async #acquit(): Promise<void> {
    this.#parts.say('the registry is away for another reason: what was taken back is made again')
    await allowTakenBack(this.#parts.state)
    await this.#reconcile()
  }

  /** What failed for a reason that may pass is tried again, ever less often. */
  async #retryProblems(): Promise<void> {
    while (await this.#sleep(this.#retry_ms)) {
      if (this.#settled()) {
        this.#retry_ms = LIMITS.agent_retry_ms
        continue
      }
      this.#retry_ms = Math.min(this.#retry_ms * 2, LIMITS.agent_retry_most_ms)
      await this.#serially(() => this.#reconcile())
    }
  }

  /** Whether nothing stands in the way of anything. */
  #settled(): boolean {
    const problems = [this.#policyProblem, this.#passProblem, ...this.#statuses.map(({ problem }) => problem)]
    // what passes by itself at a known time has its alarm
    return problems.every((problem) => problem === undefined || problem.until !== undefined)
  }

  /** Looks again when the first of what passes by itself has passed. */
  #setAlarm(): void {
    clearTimeout(this.#alarm)
    const times = this.#statuses.flatMap(({ problem }) => problem?.until?.getTime() ?? [])
    if (times.length === 0 || this.#stop.signal.aborted) return
    const wait_ms = Math.min(...times) - this.#parts.clock().getTime()
    this.#alarm = setTimeout(
      () => void this.#serially(() => this.#reconcile()),
      Math.min(Math.max(wait_ms, LIMITS.agent_alarm_least_ms), LIMITS.agent_alarm_most_ms),
    )
  }

  async #reportLoop(): Promise<void> {
    while (await this.#sleep(LIMITS.agent_status_ms)) await this.#serially(() => this.#report())
  }

  async #report(): Promise<void> {
    const own = [this.#registryProblem, this.#policyProblem, this.#passProblem]
    const problems = [...own.filter((problem) => problem !== undefined), ...this.#trust.problems]
    problems.push(...this.#chains.strangers())
    const chains = this.#observe(problems)
    // the same refusal met whoever asked for the desired state and for the log
    const told = [
      ...new Map(problems.map((problem) => [`${problem.code} ${problem.message}`, problem])).values(),
    ]
    await this.#reporter.report(chains, this.#statuses, told, this.#trust.counts)
  }

  /** What runs; when it cannot be read, as when somebody removed pins, that is a problem to report and nothing runs. */
  #observe(problems: DomainError[]): ObservedChain[] {
    try {
      return this.#chains.observe()
    } catch (error) {
      problems.push(asDomainError(error))
      return []
    }
  }

  async #sleep(ms: number): Promise<boolean> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined)
    return !this.#stop.signal.aborted
  }

  /** One pass; what cuts it short is said once, reported, and tried again. */
  async #reconcile(): Promise<void> {
    try {
      await this.#pass()
      this.#passProblem = undefined
    } catch (error) {
      const problem = asDomainError(error)
      if (problem.message !== this.#passProblem?.message)
        this.#parts.say(`agent: ${problem.message} [${problem.code}]`)
      this.#passProblem = problem
      await this.#report()
    }
  }

  /** One pass, what it leaves to be done afterwards, and the word of it. */
  async #pass(): Promise<void> {
    if (this.#saved !== this.#desired) await this.#parts.state.saveDesired(this.#desired)
    this.#saved = this.#desired
    await this.#refresh()
    if (this.#reachable) await this.#chains.allowUndone()
    const policy = await this.#readPolicy()
    if (policy === undefined) return this.#report()
    const trusted = await this.#trust.review(this.#desired.revocations, policy)
    const { statuses, changed, actions } = await reconcile(this.#parts, this.#chains, this.#desired, policy, {
      ...{ signal: this.#fetchSignal(), ...trusted },
      unconfirmed: this.#reachable && this.#parts.confirm_ms > 0,
      pending: this.#proofs,
    })
    this.#statuses = statuses
    this.#trust.acted(trusted.suspects, actions)
    this.#setAlarm()
    this.#keepForLater(statuses)
    if (changed.length > 0) this.#retry_ms = LIMITS.agent_retry_ms
    await this.#report()
    // what was in flight through the old program when it was replaced has been counted by then; where one hook of
    // several failed, the others were switched all the same
    await sleep(changed.length > 0 || !this.#settled() ? LIMITS.agent_retire_ms : 0)
    await this.#chains.retire()
    // files are let go only when all that is wanted was obtained: a registry that withholds empties no cache
    if (statuses.every(({ problem }) => problem === undefined))
      await this.#parts.state.collectBlobs(await wantedFiles(this.#desired, this.#parts.state))
  }

  /** Notes what has to be confirmed before it is kept. */
  #keepForLater(statuses: readonly FunctionStatus[]): void {
    if (!this.#chains.unconfirmed) this.#proofs.clear()
    if (!this.#chains.unconfirmed) return
    for (const { name, state, problem, proof } of statuses)
      if (proof !== undefined) this.#proofs.set(name, proof)
      else if (state === 'removed' || problem === undefined) this.#proofs.delete(name)
  }

  /** Ends fetching with the agent, and when a pass takes too long over it: a slow registry must not hold up a chain. */
  #fetchSignal(): AbortSignal {
    return AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LIMITS.agent_fetch_ms)])
  }

  async #readPolicy(): Promise<NodePolicy | undefined> {
    try {
      const { state, labels } = this.#parts
      const local = await this.#parts.policy()
      const { policy, problem } = await followPolicy(local, this.#desired, state, labels)
      this.#setPolicyProblem(problem)
      return policy
    } catch (error) {
      this.#setPolicyProblem(asDomainError(error))
      return undefined
    }
  }

  #setPolicyProblem(problem: DomainError | undefined): void {
    if (problem !== undefined && problem.message !== this.#policyProblem?.message)
      this.#parts.say(`policy: ${problem.message} [${problem.code}]; what runs goes on`)
    this.#policyProblem = problem
  }
}
