import { setTimeout as sleep } from 'node:timers/promises'
import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import { fitsUse, releaseRef } from '../domain/names.ts'
import type { AcceptedOrder, Desired } from '../domain/node.ts'
import { programOf } from '../domain/resolution.ts'
import type { TrustPolicy } from '../domain/trust-policy.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainKernel } from '../ports/chain-kernel.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { ChainSet, type ReadyFunction } from './chain-set.ts'
import { requireFeatures, requireKernel } from './host-requirements.ts'
import { entriesOf } from './instance.ts'
import { acceptedOperators, reviewOrders, type Standing } from './orders.ts'
import { planChains } from './plan.ts'
import { obtainRelease, type VerifiedRelease } from './release-source.ts'
import { type FunctionStatus, Reporter } from './reporter.ts'

/** What an agent is made of. */
export interface AgentParts {
  readonly kernel: ChainKernel
  readonly state: AgentState
  readonly registry: NodeRegistry
  /** Reads trust.yaml anew; throws `invalid_policy`. */
  readonly policy: () => Promise<TrustPolicy>
  /** Changes when trust.yaml does; never throws. */
  readonly policyStamp: () => Promise<string>
  readonly labels: Labels
  /** Name of the network namespace, for reports; empty for the host's own. */
  readonly netns: string
  readonly kernelRelease: string
  /** Whether the kernel describes its own types. */
  readonly kernelBtf: boolean
  readonly version: string
  readonly clock: Clock
  /** A line for the operator at the console. */
  readonly say: (line: string) => void
}

const NOTHING: Desired = { functions: [], resolutions: [], releases: [], keys: [] }

/**
 * Brings a node to its desired state and keeps it there: waits on the registry, checks every order and release itself,
 * plans, builds, switches, reports. It holds on to what runs when anything is missing or refused.
 */
export class Agent {
  readonly #parts: AgentParts
  readonly #chains: ChainSet
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

  constructor(parts: AgentParts) {
    this.#parts = parts
    this.#chains = new ChainSet(parts.kernel, parts.state, parts.netns, parts.clock)
    this.#reporter = new Reporter(parts)
  }

  /** Adopts what runs, restores what should, and starts to follow the registry. */
  async start(): Promise<void> {
    this.#desired = (await this.#parts.state.desired()) ?? NOTHING
    this.#saved = this.#desired
    await this.#serially(() => this.#reconcile())
    this.#loops.push(this.#follow(), this.#watchHost(), this.#retryProblems(), this.#reportLoop())
  }

  /** Stops following. The chains stay as they are: they are the kernel's. */
  async close(): Promise<void> {
    this.#stop.abort()
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
        const answer = await this.#parts.registry.desired(etag, LIMITS.poll_s, this.#stop.signal)
        pause_ms = LIMITS.agent_backoff_ms
        this.#setRegistryProblem(undefined)
        if (answer === undefined) continue
        this.#desired = answer.desired
        await this.#serially(() => this.#reconcile())
        etag = answer.etag
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#setRegistryProblem(asDomainError(error))
        await this.#sleep(pause_ms * (0.5 + Math.random() / 2)) // spread, so that a fleet does not return as one
        pause_ms = Math.min(pause_ms * 2, LIMITS.agent_backoff_most_ms)
      }
  }

  #setRegistryProblem(problem: DomainError | undefined): void {
    if (problem?.code !== this.#registryProblem?.code)
      this.#parts.say(
        problem === undefined
          ? 'registry: reachable again'
          : `registry: ${problem.message} [${problem.code}]`,
      )
    this.#registryProblem = problem
  }

  /** Interfaces come and go, and with them the hooks that functions ask for; and the policy's owner edits it. */
  async #watchHost(): Promise<void> {
    let before = await this.#hostStamp()
    while (await this.#sleep(LIMITS.agent_interfaces_ms)) {
      const now = await this.#hostStamp()
      if (now !== before) await this.#serially(() => this.#reconcile())
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
    return problems.every((problem) => problem === undefined)
  }

  async #reportLoop(): Promise<void> {
    while (await this.#sleep(LIMITS.agent_status_ms)) await this.#serially(() => this.#report())
  }

  async #report(): Promise<void> {
    const problems = [this.#registryProblem, this.#policyProblem, this.#passProblem].filter(
      (problem) => problem !== undefined,
    )
    for (const key of this.#chains.unknown())
      problems.push(
        new DomainError(
          'internal',
          `chain ${key} runs, but this agent remembers nothing of it: it is left alone`,
        ),
      )
    await this.#reporter.report(this.#chains.observe(), this.#statuses, problems)
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

  /** From the desired state to the kernel. Whatever is refused on the way leaves its function as it runs. */
  async #pass(): Promise<void> {
    if (this.#saved !== this.#desired) await this.#parts.state.saveDesired(this.#desired)
    this.#saved = this.#desired
    await this.#chains.refresh()
    const policy = await this.#readPolicy()
    if (policy === undefined) return this.#report()
    const { standings, keys } = await this.#reviewOrders(policy)
    const statuses = new Map<string, FunctionStatus>()
    const ready: ReadyFunction[] = []
    for (const standing of standings) {
      const { name, revision, problem } = standing
      statuses.set(name, {
        name,
        revision,
        state: standing.kind === 'ended' ? 'removed' : 'waiting',
        problem,
      })
      if (standing.kind !== 'active') continue
      try {
        ready.push(await this.#prepare(standing, policy, keys))
      } catch (error) {
        statuses.set(name, { name, revision, state: 'waiting', problem: problem ?? asDomainError(error) })
      }
    }
    const changed = await this.#carryOut(ready, standings, statuses)
    this.#statuses = [...statuses.values()]
    if (changed.length > 0) this.#retry_ms = LIMITS.agent_retry_ms
    await this.#report()
    // what was in flight through the old program when it was replaced has been counted by then; where one hook of
    // several failed, the others were switched all the same
    await sleep(changed.length > 0 || !this.#settled() ? LIMITS.agent_retire_ms : 0)
    await this.#chains.retire()
    // files are let go only when all that is wanted was obtained: a registry that withholds empties no cache
    if (this.#statuses.every(({ problem }) => problem === undefined))
      await this.#parts.state.collectBlobs(
        new Set(this.#desired.releases.flatMap(({ files }) => files.map(({ digest }) => digest))),
      )
  }

  async #readPolicy(): Promise<TrustPolicy | undefined> {
    try {
      const policy = await this.#parts.policy()
      this.#policyProblem = undefined
      return policy
    } catch (error) {
      this.#policyProblem = asDomainError(error)
      return undefined
    }
  }

  async #reviewOrders(policy: TrustPolicy): Promise<{ standings: readonly Standing[]; keys: PublicKey[] }> {
    const held = await this.#parts.state.acceptedOrders()
    const keys = readableKeys([...this.#desired.keys, ...held.map(({ operatorKey }) => operatorKey)])
    const operators = acceptedOperators(keys, policy.operators)
    const review = reviewOrders(this.#desired.functions, held, operators, this.#parts.labels)
    for (const order of review.accepted) {
      await this.#parts.state.saveAcceptedOrder(order)
      this.#parts.say(describeAccepted(order))
    }
    return { standings: review.standings, keys }
  }

  /** Obtains, verifies and configures all that a function consists of. */
  async #prepare(
    standing: Extract<Standing, { kind: 'active' }>,
    policy: TrustPolicy,
    keys: readonly PublicKey[],
  ): Promise<ReadyFunction> {
    const { name, revision, spec } = standing
    const entries = []
    for (const instance of spec.instances) {
      const release = await this.#release(instance.use, policy, keys)
      requireKernel(release.manifest, this.#parts.kernelRelease)
      requireFeatures(release.manifest, { btf: this.#parts.kernelBtf })
      entries.push(...entriesOf(spec, instance, release))
    }
    return { name, revision, spec, entries }
  }

  /** The release that the registry resolved a range to, if it lies in that range. */
  async #release(use: string, policy: TrustPolicy, keys: readonly PublicKey[]): Promise<VerifiedRelease> {
    const resolved = this.#desired.resolutions.find((resolution) => resolution.use === use)
    if (resolved === undefined)
      throw new DomainError('version_not_found', `the registry has no release that fits ${use}`)
    const program = programOf(use)
    const ref = releaseRef(program, resolved.version)
    if (!fitsUse(use, program, resolved.version))
      throw new DomainError('outside_range', `the registry resolved ${use} to ${ref}, which does not fit`)
    const descriptor = this.#desired.releases.find(
      (release) => release.program === program && release.version === resolved.version,
    )
    if (descriptor === undefined)
      throw new DomainError('version_not_found', `the registry did not describe ${ref}`)
    return obtainRelease(descriptor, policy, keys, this.#parts.state, this.#parts.registry)
  }

  /** Plans and carries out; gives the keys of the chains that changed. */
  async #carryOut(
    ready: readonly ReadyFunction[],
    standings: readonly Standing[],
    statuses: Map<string, FunctionStatus>,
  ): Promise<string[]> {
    const functions = standings.map(({ name }) => {
      const found = ready.find((candidate) => candidate.name === name)
      return found === undefined
        ? { name, kind: 'held' as const }
        : { name, kind: 'ready' as const, spec: found.spec }
    })
    const ended = new Set(standings.filter(({ kind }) => kind === 'ended').map(({ name }) => name))
    const { kernel, say } = this.#parts
    const plan = planChains(functions, ended, kernel.interfaces(), kernel.keyOf, this.#chains.running())
    const changed: string[] = []
    for (const one of ready) {
      const places = plan.run.filter((place) => place.function === one.name)
      const before = statuses.get(one.name)?.problem
      let problem = before ?? plan.problems.get(one.name)
      try {
        const keys = await this.#chains.bring(one, places)
        for (const key of keys)
          say(describeChange(one, places.find((place) => place.key === key)?.at.name ?? key))
        changed.push(...keys)
      } catch (error) {
        problem = asDomainError(error)
      }
      const state = places.length > 0 && problem === undefined ? 'running' : 'waiting'
      statuses.set(one.name, { name: one.name, revision: one.revision, state, problem })
    }
    for (const key of plan.detach) {
      await this.#chains.detach(key)
      say(`detached ${key}: its function ended`)
      changed.push(key)
    }
    return changed
  }
}

/** Keys that can be read; a registry may send anything. */
function readableKeys(texts: readonly string[]): PublicKey[] {
  return [...new Set(texts)].flatMap((text) => {
    try {
      return [parsePublicKey(Buffer.from(text, 'base64'))]
    } catch {
      return [] // a key that nobody can read can accept nothing
    }
  })
}

const describeAccepted = (order: AcceptedOrder): string => `accepted order ${order.revision} of ${order.name}`

const describeChange = (ready: ReadyFunction, at: string): string =>
  `${ready.name} r${ready.revision} runs on ${at}: ${ready.entries.map(({ record }) => record.release).join(' > ')}`
