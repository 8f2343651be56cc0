import { sha256Digest } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { FunctionSpec } from '../domain/function.ts'
import { type ChainRecord, entryKey } from '../domain/generation.ts'
import { addCounts, noPackets } from '../domain/hook.ts'
import type { ObservedChain } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainKernel, NetworkInterface, PinnedChain, PinnedGeneration } from '../ports/chain-kernel.ts'
import type { Clock } from '../ports/clock.ts'
import type { ReadyEntry } from './instance.ts'

/** A function with everything that its chains are built from. */
export interface ReadyFunction {
  readonly name: string
  readonly revision: number
  readonly spec: FunctionSpec
  readonly entries: readonly ReadyEntry[]
}

/** Where a function's chain is to run. */
export interface ChainPlace {
  readonly at: NetworkInterface
  readonly key: string
}

type Generation = ChainRecord['generations'][number]
type Records = Pick<AgentState, 'chains' | 'saveChain' | 'removeChain'>

/**
 * The chains of one agent: what bpffs holds, together with what the agent remembers of it. bpffs is the truth about
 * what runs; the memory says what it was built from. Nothing runs in parallel here: the agent calls one at a time.
 */
export class ChainSet {
  readonly #kernel: ChainKernel
  readonly #state: Records
  readonly #netns: string
  readonly #clock: Clock
  readonly #records = new Map<string, ChainRecord>()
  #pinned = new Map<string, PinnedChain>()
  #known = false

  constructor(kernel: ChainKernel, state: Records, netns: string, clock: Clock) {
    this.#kernel = kernel
    this.#state = state
    this.#netns = netns
    this.#clock = clock
  }

  /**
   * Reads what is pinned. A chain whose interface is gone has nothing left to run on: its pins are removed. Whatever
   * runs is adopted as it is.
   */
  async refresh(): Promise<void> {
    if (!this.#known) for (const record of await this.#state.chains()) this.#records.set(record.key, record)
    this.#known = true
    this.#pinned = new Map(this.#kernel.pinned().map((chain) => [chain.key, chain]))
    for (const [key, chain] of this.#pinned) {
      if (chain.link !== undefined) continue
      this.#kernel.detach(key)
      this.#pinned.delete(key)
    }
    for (const record of this.#records.values()) await this.#prune(record)
  }

  /** Forgets what is no longer pinned: whoever took it back died before it could say so. */
  async #prune(record: ChainRecord): Promise<void> {
    const pinned = this.#pinned.get(record.key)
    if (pinned === undefined) return this.#forget(record.key)
    const generations = record.generations.filter(({ generation }) =>
      pinned.generations.some((one) => one.generation === generation),
    )
    if (generations.length < record.generations.length) await this.#save({ ...record, generations })
  }

  /** Whether bpffs holds something else than this set left there: somebody removed pins, or an interface went. */
  changedByOthers(): boolean {
    try {
      return JSON.stringify(this.#kernel.pinned()) !== JSON.stringify([...this.#pinned.values()])
    } catch {
      return true
    }
  }

  /** The function of each chain that runs, by key; undefined where nothing is remembered. */
  running(): Map<string, string | undefined> {
    return new Map([...this.#pinned.keys()].map((key) => [key, this.#runningGeneration(key)?.function]))
  }

  /**
   * Brings a function's chains to its places: first all are built off to the side, then each is switched. When a build
   * fails, nothing of it is switched and what runs goes on. Gives the keys that changed. Throws what the kernel said.
   */
  async bring(ready: ReadyFunction, places: readonly ChainPlace[]): Promise<string[]> {
    const spec = specDigest(ready)
    const built: { key: string; at: NetworkInterface; generation: number }[] = []
    try {
      for (const { at, key } of places) {
        const current = this.#runningGeneration(key)
        if (current?.spec === spec) await this.#confirm(key, current, ready.revision)
        else built.push({ key, at, generation: await this.#build(key, at, ready, spec) })
      }
    } catch (error) {
      for (const { key, generation } of built) await this.#drop(key, generation)
      throw error
    }
    const failures: DomainError[] = []
    const changed: string[] = []
    for (const { key, at, generation } of built)
      try {
        this.#kernel.activate(key, generation, at.ifindex)
        changed.push(key)
      } catch (error) {
        failures.push(onInterface(asDomainError(error), at.name))
        await this.#drop(key, generation)
      }
    // only what was built here: what else has changed is for the next pass to find
    for (const chain of this.#kernel.pinned())
      if (built.some(({ key }) => key === chain.key)) this.#pinned.set(chain.key, chain)
    if (failures[0] !== undefined) throw failures[0]
    return changed
  }

  /** Detaches a chain that nobody wants any more. Throws KernelError. */
  async detach(key: string): Promise<void> {
    this.#kernel.detach(key)
    this.#pinned.delete(key)
    await this.#forget(key)
  }

  /**
   * Removes generations that no longer run, adding their packets to the totals, and state maps that nobody uses. Called
   * when the packets that were on their way through an old generation are long done.
   */
  async retire(): Promise<void> {
    for (const [key, chain] of this.#pinned) {
      const runs = ({ programId }: PinnedGeneration): boolean => programId === chain.link?.programId
      for (const { generation } of chain.generations.filter((one) => !runs(one))) {
        await this.#fold(key, generation)
        this.#kernel.discard(key, generation)
      }
      this.#pinned.set(key, { ...chain, generations: chain.generations.filter(runs) })
    }
    const keep = [...this.#records.values()].flatMap(({ generations }) =>
      generations.flatMap(({ stateKeys }) => stateKeys),
    )
    // a chain that nothing is remembered of may use any map: then none is removed
    if ([...this.#pinned.keys()].every((key) => this.#runningGeneration(key) !== undefined))
      this.#kernel.collectMaps(new Set(keep))
  }

  /** What runs now, with its packets. */
  observe(): ObservedChain[] {
    return [...this.#pinned.values()].flatMap((chain) => {
      const record = this.#records.get(chain.key)
      const generation = this.#runningGeneration(chain.key)
      const running = chain.generations.find(({ programId }) => programId === chain.link?.programId)
      if (
        record === undefined ||
        generation === undefined ||
        running === undefined ||
        chain.link === undefined
      )
        return []
      const counters = this.#kernel.counters(chain.key, generation.generation, generation.entries.length)
      // a generation that was replaced a moment ago is not folded yet, and counts all the same
      const totals = chain.generations.reduce(
        (sums, { generation: number }) =>
          number === running.generation ? sums : this.#withPacketsOf(record, number, sums),
        record.totals,
      )
      return [
        {
          netns: record.netns,
          interface: record.interface,
          ifindex: record.ifindex,
          hook: record.hook,
          mode: 'native' as const,
          function: generation.function,
          revision: generation.revision,
          generation: generation.generation,
          linkId: chain.link.id,
          programId: running.programId,
          programTag: running.programTag,
          since: generation.builtAt,
          entries: generation.entries.map((entry, at) => {
            const packets = counters[at] ?? noPackets()
            const earlier = totals[entryKey(generation.function, entry)] ?? noPackets()
            return {
              position: at + 1,
              ...entry,
              form: 'fused' as const,
              packets,
              total: addCounts(packets, earlier),
            }
          }),
        },
      ]
    })
  }

  /** Keys of chains that run and that nothing is remembered of: adopted, left alone, and worth a word. */
  unknown(): string[] {
    return [...this.#pinned.keys()].filter((key) => this.#runningGeneration(key) === undefined)
  }

  #runningGeneration(key: string): Generation | undefined {
    const chain = this.#pinned.get(key)
    const running = chain?.generations.find(({ programId }) => programId === chain.link?.programId)
    return this.#records.get(key)?.generations.find(({ generation }) => generation === running?.generation)
  }

  /** Builds and pins the next generation; it is remembered before it can run. */
  async #build(
    key: string,
    at: NetworkInterface,
    ready: ReadyFunction,
    spec: Generation['spec'],
  ): Promise<number> {
    const record: ChainRecord = this.#records.get(key) ?? {
      key,
      netns: this.#netns,
      interface: at.name,
      ifindex: at.ifindex,
      hook: 'xdp',
      generations: [],
      totals: {},
    }
    const used = [...record.generations, ...(this.#pinned.get(key)?.generations ?? [])].map(
      ({ generation }) => generation,
    )
    const generation = Math.max(0, ...used) + 1
    try {
      this.#kernel.build(
        key,
        generation,
        ready.entries.map(({ image }) => image),
      )
    } catch (error) {
      throw onInterface(asDomainError(error), at.name)
    }
    await this.#save({
      ...record,
      interface: at.name,
      generations: [
        ...record.generations,
        {
          generation,
          function: ready.name,
          revision: ready.revision,
          spec,
          builtAt: this.#clock().toISOString(),
          entries: ready.entries.map((entry) => entry.record),
          stateKeys: stateKeysOf(ready),
        },
      ],
    })
    return generation
  }

  /** The same chain under a newer order: only the memory changes. */
  async #confirm(key: string, current: Generation, revision: number): Promise<void> {
    const record = this.#records.get(key)
    if (record === undefined || current.revision === revision) return
    const generations = record.generations.map((one) => (one === current ? { ...one, revision } : one))
    await this.#save({ ...record, generations })
  }

  /** Takes back a generation that never ran. */
  async #drop(key: string, generation: number): Promise<void> {
    this.#kernel.discard(key, generation)
    const record = this.#records.get(key)
    if (record === undefined) return
    const generations = record.generations.filter((one) => one.generation !== generation)
    if (generations.length === 0) await this.#forget(key)
    else await this.#save({ ...record, generations })
  }

  /** Moves a generation's packets into the totals, in one write: counted once, whenever a crash comes. */
  async #fold(key: string, number: number): Promise<void> {
    const record = this.#records.get(key)
    const gone = record?.generations.find(({ generation }) => generation === number)
    if (record === undefined || gone === undefined) return
    const totals = this.#withPacketsOf(record, number, record.totals)
    await this.#save({ ...record, totals, generations: record.generations.filter((one) => one !== gone) })
  }

  /** Totals with the packets of a pinned generation added; one that is not remembered adds nothing. */
  #withPacketsOf(record: ChainRecord, number: number, before: ChainRecord['totals']): ChainRecord['totals'] {
    const generation = record.generations.find((one) => one.generation === number)
    if (generation === undefined) return before
    const counters = this.#kernel.counters(record.key, number, generation.entries.length)
    const totals = { ...before }
    for (const [at, entry] of generation.entries.entries()) {
      const name = entryKey(generation.function, entry)
      totals[name] = addCounts(totals[name] ?? noPackets(), counters[at] ?? noPackets())
    }
    return totals
  }

  async #save(record: ChainRecord): Promise<void> {
    await this.#state.saveChain(record)
    this.#records.set(record.key, record)
  }

  async #forget(key: string): Promise<void> {
    await this.#state.removeChain(key)
    this.#records.delete(key)
  }
}

const stateKeysOf = (ready: ReadyFunction): string[] => [
  ...new Set(ready.entries.flatMap(({ image }) => image.maps.flatMap(({ stateKey }) => stateKey ?? []))),
]

/** Everything that makes a chain what it is. The revision is not part of it: an order that changes nothing builds nothing. */
function specDigest(ready: ReadyFunction): Generation['spec'] {
  const parts = ready.entries.map(({ record, image }) => [
    record.instance,
    record.release,
    record.entry,
    record.object,
    record.proceed,
    image.variables.map(({ section, offset, value }) => [section, offset, value.toString('hex')]),
    image.maps.map(({ name, stateKey }) => [name, stateKey ?? null]),
  ])
  return sha256Digest(Buffer.from(JSON.stringify([ready.name, parts])))
}

const onInterface = (error: DomainError, name: string): DomainError =>
  new DomainError(error.code, `on ${name}: ${error.message}`, {
    cause: error,
    ...(error.log === undefined ? {} : { log: error.log }),
  })
