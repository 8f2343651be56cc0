import { DomainError } from '../domain/errors.ts'
import { type ChainRecord, entryKey, type GenerationRecord } from '../domain/generation.ts'
import { addCounts, noPackets } from '../domain/hook.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainKernel, PinnedChain } from '../ports/chain-kernel.ts'
import { undoneBy, without, withoutLongGone } from './chain-record.ts'

/** Where what is remembered of chains is kept. */
export type Records = Pick<AgentState, 'chains' | 'saveChain' | 'removeChain'>

/** What bpffs holds of an agent's chains, beside what the agent remembers of them. */
export class ChainMemory {
  readonly #kernel: ChainKernel
  readonly #state: Records
  readonly records = new Map<string, ChainRecord>()
  /** As last read. */
  pinned = new Map<string, PinnedChain>()
  #known = false

  constructor(kernel: ChainKernel, state: Records) {
    this.#kernel = kernel
    this.#state = state
  }

  /**
   * Reads what is pinned. A chain that is attached to nothing, as when its interface is gone, has its pins removed. Whatever
   * runs is adopted as it is. Gives the chains that somebody else detached: their interfaces are there.
   */
  async refresh(): Promise<ChainRecord[]> {
    const before = this.#known ? this.pinned : undefined
    if (!this.#known) for (const record of await this.#state.chains()) this.records.set(record.key, record)
    this.#known = true
    this.pinned = new Map(this.#kernel.pinned().map((chain) => [chain.key, chain]))
    const detached = this.#detachedSince(before)
    for (const [key, chain] of this.pinned) {
      if (chain.link !== undefined) continue
      this.#kernel.detach(key)
      this.pinned.delete(key)
    }
    for (const record of this.records.values()) await this.#prune(record)
    return detached
  }

  /** Chains that ran, do not any more, and could. What ran `before` is not known at the first look: then it is those with pins left. */
  #detachedSince(before: ReadonlyMap<string, PinnedChain> | undefined): ChainRecord[] {
    const ran = ({ key, generations, unconfirmed }: ChainRecord): boolean =>
      before === undefined
        ? this.pinned.has(key) && generations.length > 0 && unconfirmed === undefined
        : before.get(key)?.link !== undefined
    const gone = [...this.records.values()].filter(
      (record) => ran(record) && this.pinned.get(record.key)?.link === undefined,
    )
    if (gone.length === 0) return []
    const interfaces = this.#kernel.interfaces()
    return gone.filter(({ key, hook }) =>
      interfaces.some((at) => this.#kernel.keyOf(at.ifindex, hook) === key),
    )
  }

  /** What is wrong with a chain that runs something else than a generation which is remembered, if it does. */
  stranger(key: string): DomainError | undefined {
    const [link, record] = [this.pinned.get(key)?.link, this.records.get(key)]
    if (link === undefined || this.running(key) !== undefined) return undefined
    if (record === undefined)
      return new DomainError(
        'running_unknown',
        `chain ${key} runs, but this agent remembers nothing of it: it is left alone`,
      )
    const program = this.#kernel.programOf(link.programId)
    const told = program === undefined ? '' : ` (name ${program.name || 'none'}, tag ${program.tag})`
    const by = link.linkId === 0 ? 'its filter' : `link ${link.linkId}`
    return new DomainError(
      'chain_altered',
      `${record.hook} on ${record.interface} runs program ${link.programId}${told}, which is none of this agent: somebody replaced it in ${by}, or removed the pins of the chain; it is left alone`,
    )
  }

  /** Forgets what is no longer pinned: whoever took it back died before it could say so. */
  async #prune(record: ChainRecord): Promise<void> {
    const pinned = this.pinned.get(record.key)
    if (pinned === undefined) return this.#forgetRun(record)
    const generations = record.generations.filter(({ generation }) =>
      pinned.generations.some((one) => one.generation === generation),
    )
    if (generations.length < record.generations.length) await this.save({ ...record, generations })
  }

  /** Forgets a chain that nothing is left of, but for a change that was never confirmed. */
  async #forgetRun(record: ChainRecord): Promise<void> {
    const undone = [...(record.undone ?? []), ...undoneBy(record)]
    if (undone.length === 0) return this.forget(record.key)
    if (record.generations.length > 0)
      await this.save({ ...without(record), generations: [], totals: {}, undone })
  }

  /** Whether bpffs holds something else than this set left there: somebody removed pins, or an interface went. */
  changedByOthers(): boolean {
    try {
      return JSON.stringify(this.#kernel.pinned()) !== JSON.stringify([...this.pinned.values()])
    } catch {
      return true
    }
  }

  /** Looks again at what was touched here: what else has changed is for the next pass to find. */
  reread(keys: readonly string[]): void {
    for (const chain of this.#kernel.pinned()) if (keys.includes(chain.key)) this.pinned.set(chain.key, chain)
  }

  /** The generation of a chain that runs; undefined where nothing is remembered of it. */
  running(key: string): GenerationRecord | undefined {
    const chain = this.pinned.get(key)
    const running = chain?.generations.find(({ programId }) => programId === chain.link?.programId)
    return this.records.get(key)?.generations.find(({ generation }) => generation === running?.generation)
  }

  /** A generation that is pinned whole and does not run, made of the same. */
  kept(key: string, spec: GenerationRecord['spec']): GenerationRecord | undefined {
    const pinned = this.pinned.get(key)?.generations ?? []
    return this.records
      .get(key)
      ?.generations.find(
        (one) =>
          one.spec === spec &&
          pinned.some(({ generation, programId }) => generation === one.generation && programId !== 0),
      )
  }

  /** Moves a generation's packets into the totals, in one write: counted once, whenever a crash comes. */
  async fold(key: string, number: number): Promise<void> {
    const record = this.records.get(key)
    const gone = record?.generations.find(({ generation }) => generation === number)
    if (record === undefined || gone === undefined) return
    const generations = record.generations.filter((one) => one !== gone)
    const totals = withoutLongGone(this.withPacketsOf(record, number, record.totals), generations)
    await this.save({ ...record, totals, generations })
  }

  /** Totals with the packets of a pinned generation added; one that is not remembered adds nothing. */
  withPacketsOf(record: ChainRecord, number: number, before: ChainRecord['totals']): ChainRecord['totals'] {
    const generation = record.generations.find((one) => one.generation === number)
    if (generation === undefined) return before
    const counters = this.#kernel.counters(record.key, number, generation.entries.length)
    const totals = { ...before }
    for (const [at, entry] of generation.entries.entries()) {
      const name = entryKey(entry)
      const { [name]: known = noPackets(record.hook) } = totals
      delete totals[name] // the latest come last
      totals[name] = addCounts(known, counters[at] ?? {})
    }
    return totals
  }

  /** Keeps what is remembered of a chain, durably. */
  async save(record: ChainRecord): Promise<void> {
    await this.#state.saveChain(record)
    this.records.set(record.key, record)
  }

  /** Forgets a chain. */
  async forget(key: string): Promise<void> {
    await this.#state.removeChain(key)
    this.records.delete(key)
  }
}
