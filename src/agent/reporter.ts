import { asDomainError, type DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type {
  ErrorView,
  Observed,
  ObservedChain,
  ObservedFunction,
  Proven,
  WithdrawnInstance,
} from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'

/** How a function fares, before it is put into words. */
export interface FunctionStatus {
  readonly name: string
  readonly revision: number
  readonly state: 'running' | 'waiting' | 'removed'
  readonly problem: DomainError | undefined
  /** Tells what was made of it; undefined when nothing was. */
  readonly made?: Digest | undefined
  /** What it runs from, where that is not kept yet: it waits for what runs to be confirmed. */
  readonly proof?: Proven | undefined
  /** What became of instances of which a release is revoked. */
  readonly withdrawn?: readonly WithdrawnInstance[]
}

interface ReporterParts {
  readonly state: Pick<AgentState, 'saveStatus' | 'saveVerifierLog'>
  readonly registry: Pick<NodeRegistry, 'report'>
  readonly version: string
  readonly clock: Clock
  readonly say: (line: string) => void
}

/** Says what a node runs: to a file for those on the host, always; to the registry on a change, and now and then. */
export class Reporter {
  readonly #parts: ReporterParts
  #sent: string | undefined
  #sentAt = 0
  #waiting: Observed | undefined
  #sending: Promise<void> | undefined
  #said = new Map<string, string>()
  /** Why the registry does not take reports. */
  #refusal: DomainError | undefined
  #latest: Observed | undefined

  constructor(parts: ReporterParts) {
    this.#parts = parts
  }

  /** What was reported last; undefined before the first report. */
  get latest(): Observed | undefined {
    return this.#latest
  }

  /** Reports. A registry that cannot be reached is no failure here: the next report says it all again. */
  async report(
    chains: readonly ObservedChain[],
    statuses: readonly FunctionStatus[],
    problems: readonly DomainError[],
    revocations?: Observed['revocations'],
  ): Promise<void> {
    const names = new Set(statuses.map(({ name }) => name))
    for (const name of this.#said.keys()) if (!names.has(name)) this.#said.delete(name)
    const functions: ObservedFunction[] = []
    for (const status of statuses) functions.push(await this.#functionView(status))
    const observed: Observed = {
      at: this.#parts.clock().toISOString(),
      agent: this.#parts.version,
      functions,
      chains: [...chains],
      errors: problems.map((problem) => errorView(problem)),
      ...(revocations === undefined ? {} : { revocations }),
    }
    this.#latest = observed
    await this.#parts.state.saveStatus(observed)
    const shape = JSON.stringify([
      functions,
      chains.map(({ entries, ...chain }) => chain),
      observed.errors,
      revocations,
    ])
    const due = performance.now() - this.#sentAt >= LIMITS.agent_report_ms
    if ((shape === this.#sent || this.#sent === '') && !due) return
    this.#sent = shape
    this.#sentAt = performance.now()
    this.#waiting = observed
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
  }

  /** Waits for a report that is on its way. */
  async close(): Promise<void> {
    await this.#sending
  }

  /** Sends the newest report, and what came meanwhile. Nobody waits for it: a slow registry must not hold up a change. */
  async #send(): Promise<void> {
    while (this.#waiting !== undefined) {
      const observed = this.#waiting
      this.#waiting = undefined
      try {
        await this.#parts.registry.report(observed)
        this.#tellOf(undefined)
      } catch (error) {
        this.#sent = '' // said again with the next report that is due
        this.#tellOf(asDomainError(error))
      }
    }
  }

  /**
   * Says once that reports are refused, and once that they are taken again. A registry that is away, or does not know the node by
   * its key, is not told of here: whoever asks it for the desired state does.
   */
  #tellOf(refusal: DomainError | undefined): void {
    if (refusal?.code === 'registry_unavailable' || refusal?.kind === 'unauthenticated') return
    if (refusal?.code !== this.#refusal?.code)
      this.#parts.say(
        refusal === undefined ? 'report: taken again' : `report: ${refusal.message} [${refusal.code}]`,
      )
    this.#refusal = refusal
  }

  async #functionView({
    name,
    revision,
    state,
    problem,
    withdrawn = [],
  }: FunctionStatus): Promise<ObservedFunction> {
    const views = withdrawn.map(({ instance, release, action }) => ({ instance, release, action }))
    const gone = views.length === 0 ? {} : { withdrawn: views }
    if (problem === undefined) {
      this.#said.delete(name)
      return { name, revision, state, ...gone }
    }
    const text = `${problem.code}: ${problem.message}`
    if (this.#said.get(name) !== text) {
      this.#said.set(name, text)
      this.#parts.say(`refused ${name}: ${problem.message} [${problem.code}]`)
      if (problem.log !== undefined)
        this.#parts.say(`whole log: ${await this.#parts.state.saveVerifierLog(name, problem.log)}`)
    }
    return { name, revision, state: 'refused', error: errorView(problem), ...gone }
  }
}

/** An error as reports carry it: bounded, with the end of the log, where a verifier says why. */
function errorView(problem: DomainError): ErrorView {
  const { code, message, remedy, log } = problem
  return {
    code,
    message: message.slice(0, 4096),
    remedy,
    ...(log === undefined ? {} : { log: log.slice(-16_384) }),
  }
}
