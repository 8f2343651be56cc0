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
   * Reads what is pinned. A chain whose interface is gone has nothing left to run on: its pins are removed. Whatever
   * runs is adopted as it is.
   */
  async refresh(): Promise<void> {
    if (!this.#known) for (const record of await this.#state.chains()) this.records.set(record.key, record)
    this.#known = true
    this.pinned = new Map(this.#kernel.pinned().map((chain) => [chain.key, chain]))
    for (const [key, chain] of this.pinned) {
      if (chain.link !== undefined) continue
      this.#kernel.detach(key)
      this.pinned.delete(key)
    }
    for (const record of this.records.values()) await this.#prune(record)
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
