import { sha256Digest } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import {
  type ChainRecord,
  type EntryRecord,
  entryKey,
  type FunctionPart,
  type GenerationRecord,
} from '../domain/generation.ts'
import { addCounts, type Hook, noPackets } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { ObservedChain } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { ChainKernel, ChainSite, PinnedChain, PinnedGeneration } from '../ports/chain-kernel.ts'
import type { Clock } from '../ports/clock.ts'
import type { ReadyEntry } from './instance.ts'

/** A chain that is to run: the entries of its functions, in order. */
export interface WantedChain {
  readonly site: ChainSite
  readonly functions: readonly FunctionPart[]
  readonly entries: readonly ReadyEntry[]
}

/** What came of bringing chains to where they are wanted. */
export interface Brought {
  /** Chains that were switched. */
  readonly changed: readonly WantedChain[]
  /** Chains that could not be switched, with what the kernel said; they run as before. */
  readonly failures: readonly { readonly chain: WantedChain; readonly error: DomainError }[]
}

/** A change that waits to be confirmed, and the functions that it changed. */
export interface UnconfirmedChange {
  readonly key: string
  readonly functions: readonly string[]
}

/** What of a function runs and was revoked. */
export type RevokedPart = Pick<EntryRecord, 'function' | 'instance' | 'release'>

/** A chain that could not be built: nothing was switched, and all that was built for it is gone. */
export class BuildRefused extends Error {
  readonly chain: WantedChain
  readonly error: DomainError
  constructor(chain: WantedChain, error: DomainError) {
    super(error.message, { cause: error })
    this.chain = chain
    this.error = error
  }
}

type Records = Pick<AgentState, 'chains' | 'saveChain' | 'removeChain'>

/** Whether an entry of a generation must not run any more. */
export type IsRevoked = (entry: EntryRecord) => boolean

/**
 * The chains of one agent: what bpffs holds, together with what the agent remembers of it. bpffs is the truth about
 * what runs; the memory says what it was built from. Nothing runs in parallel here: the agent calls one at a time.
 */
export class ChainSet {
  readonly #kernel: ChainKernel
  readonly #state: Records
  readonly #netns: string
  readonly #clock: Clock
  readonly #isRevoked: IsRevoked
  readonly #records = new Map<string, ChainRecord>()
  #pinned = new Map<string, PinnedChain>()
  #known = false

  constructor(
    kernel: ChainKernel,
    state: Records,
    netns: string,
    clock: Clock,
    isRevoked: IsRevoked = () => false,
  ) {
    this.#kernel = kernel
    this.#state = state
    this.#netns = netns
    this.#clock = clock
    this.#isRevoked = isRevoked
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
    if (pinned === undefined) return this.#forgetRun(record)
    const generations = record.generations.filter(({ generation }) =>
      pinned.generations.some((one) => one.generation === generation),
    )
    if (generations.length < record.generations.length) await this.#save({ ...record, generations })
  }

  /** Forgets a chain that nothing is left of, but for a change that was never confirmed. */
  async #forgetRun(record: ChainRecord): Promise<void> {
    const undone = [...(record.undone ?? []), ...undoneBy(record)]
    if (undone.length === 0) return this.#forget(record.key)
    if (record.generations.length > 0)
      await this.#save({ ...without(record), generations: [], totals: {}, undone })
  }

  /** Whether a function would become again what a change made of it that was never confirmed. */
  undid({ name, revision, entries }: FunctionPart & { readonly entries: readonly ReadyEntry[] }): boolean {
    return [...this.#records.values()].some(({ hook, undone = [] }) => {
      const there = entries.filter(({ image }) => image.hook === hook).map((entry) => entry.record)
      const part = partOf(name, there)
      return undone.some((one) => one.name === name && one.revision === revision && one.part === part)
    })
  }

  /** Lets what {@link undid} tells be made again: the registry is within reach, and will say whether it stays so. */
  async allowUndone(): Promise<void> {
    for (const { undone, ...record } of [...this.#records.values()])
      if (undone !== undefined)
        await (record.generations.length === 0 ? this.#forget(record.key) : this.#save(record))
  }

  /** Whether bpffs holds something else than this set left there: somebody removed pins, or an interface went. */
  changedByOthers(): boolean {
    try {
      return JSON.stringify(this.#kernel.pinned()) !== JSON.stringify([...this.#pinned.values()])
    } catch {
      return true
    }
  }

  /** The functions of each chain that runs, by key; undefined where nothing is remembered. */
  running(): Map<string, string[] | undefined> {
    return new Map(
      [...this.#pinned.keys()].map((key) => [
        key,
        this.#runningGeneration(key)?.functions.map(({ name }) => name),
      ]),
    )
  }

  /** The part of a chain that runs which belongs to a function, as {@link partOf} tells one from another. */
  part(key: string, functionName: string): string | undefined {
    const running = this.#runningGeneration(key)
    return running === undefined ? undefined : partOf(functionName, running.entries)
  }

  /**
   * Brings chains to where they are wanted: first all are built off to the side, then each is switched. A generation that
   * is kept is gone back to as it is. With `unconfirmed`, what is switched waits for {@link confirm}.
   * Throws {@link BuildRefused}: then nothing was switched.
   */
  async bring(wanted: readonly WantedChain[], unconfirmed: boolean): Promise<Brought> {
    const made: { chain: WantedChain; generation: number; kept: boolean }[] = []
    for (const chain of wanted) {
      const { key } = chain.site
      const spec = specDigest(chain.entries)
      const current = this.#runningGeneration(key)
      if (current?.spec === spec) {
        await this.#renew(key, current, chain.functions)
        continue
      }
      const kept = this.#keptGeneration(key, spec)
      if (kept !== undefined) await this.#renew(key, kept, chain.functions)
      try {
        const generation = kept?.generation ?? (await this.#build(chain, spec))
        made.push({ chain, generation, kept: kept !== undefined })
      } catch (error) {
        for (const one of made) if (!one.kept) await this.#drop(one.chain.site.key, one.generation)
        throw new BuildRefused(chain, onSite(asDomainError(error), chain.site))
      }
    }
    const changed: WantedChain[] = []
    const failures: Brought['failures'][number][] = []
    for (const { chain, generation, kept } of made)
      try {
        await this.#switch(chain.site, generation, unconfirmed)
        changed.push(chain)
      } catch (error) {
        failures.push({ chain, error: onSite(asDomainError(error), chain.site) })
        if (!kept) await this.#drop(chain.site.key, generation)
      }
    this.#reread(made.map(({ chain }) => chain.site.key))
    return { changed, failures }
  }

  /** One atomic step. What it leaves and what it goes to are remembered before: a crash comes whenever it likes. */
  async #switch(site: ChainSite, generation: number, unconfirmed: boolean): Promise<void> {
    const record = this.#records.get(site.key)
    const running = this.#runningGeneration(site.key)?.generation
    if (record !== undefined) {
      // while a change is unconfirmed, the way back leads to what was confirmed; going there needs no confirming
      const back = record.unconfirmed !== undefined && generation === record.previous
      const before = record.unconfirmed === undefined || back ? running : record.previous
      // what was revoked is nothing to go back to, so leaving it needs no confirming either
      const final = this.#holdsRevoked(record, before)
      await this.#save({
        ...without(record, final ? undefined : before),
        ...(unconfirmed && !back && !final ? { unconfirmed: generation } : {}),
      })
    }
    try {
      this.#kernel.activate(site, generation)
    } catch (error) {
      if (record !== undefined) await this.#save(record)
      throw error
    }
  }

  #holdsRevoked({ generations }: ChainRecord, number: number | undefined): boolean {
    return generations.some(
      ({ generation, entries }) => generation === number && entries.some(this.#isRevoked),
    )
  }

  /** The parts of chains that run and must not. */
  revokedParts(): RevokedPart[] {
    const entries = [...this.#records.keys()].flatMap((key) => this.#runningGeneration(key)?.entries ?? [])
    const parts = entries
      .filter(this.#isRevoked)
      .map(({ function: name, instance, release }) => ({ function: name, instance, release }))
    return [...new Map(parts.map((part) => [JSON.stringify(part), part])).values()]
  }

  /** Keys of the chains that run something revoked. */
  tainted(): Set<string> {
    const keys = [...this.#records.values()].flatMap((record) => {
      const running = this.#runningGeneration(record.key)
      return running?.entries.some(this.#isRevoked) === true ? [record.key] : []
    })
    return new Set(keys)
  }

  /** The hooks on which an instance's entries run now. */
  hooksOf(functionName: string, instance: string): Set<Hook> {
    const hooks = [...this.#records.values()].flatMap(({ key, hook }) => {
      const entries = this.#runningGeneration(key)?.entries ?? []
      return entries.some((one) => one.function === functionName && one.instance === instance) ? [hook] : []
    })
    return new Set(hooks)
  }

  /**
   * Lets go of what is revoked: generations that are kept and hold it are nothing to go back to, nor are those that share
   * state with it; an instance that runs it begins with new state. `suspects` are programs newly revoked: callbacks that an
   * instance of theirs left in its state end, whichever release left them.
   */
  async purge(suspects: ReadonlySet<ProgramId>): Promise<void> {
    const [objects, instances, fresh] = [new Set<Digest>(), new Set<string>(), new Set<string>()]
    for (const record of this.#records.values()) {
      const running = this.#runningGeneration(record.key)
      for (const generation of record.generations)
        for (const entry of generation.entries) {
          const revoked = this.#isRevoked(entry)
          if (!revoked && !suspects.has(entry.release.slice(0, entry.release.indexOf('@')))) continue
          const owner = `${entry.function}/${entry.instance}`
          instances.add(owner)
          if (revoked) objects.add(entry.object)
          if (revoked && generation === running) fresh.add(owner)
        }
    }
    if (objects.size === 0 && suspects.size === 0) return
    const goes = (entry: EntryRecord): boolean =>
      this.#isRevoked(entry) || fresh.has(`${entry.function}/${entry.instance}`)
    for (const { key, generations } of [...this.#records.values()])
      for (const one of generations)
        if (one !== this.#runningGeneration(key) && one.entries.some(goes))
          await this.#letGo(key, one.generation)
    if (fresh.size > 0 || suspects.size > 0) this.#kernel.purge(objects, [...instances], fresh)
  }

  /** Ends a generation that does not run: nothing goes back to it. */
  async #letGo(key: string, generation: number): Promise<void> {
    const record = this.#records.get(key)
    if (record?.previous === generation) await this.#save(without(record))
    await this.#fold(key, generation)
    this.#kernel.discard(key, generation)
    this.#reread([key])
  }

  /** Looks again at what was touched here: what else has changed is for the next pass to find. */
  #reread(keys: readonly string[]): void {
    for (const chain of this.#kernel.pinned())
      if (keys.includes(chain.key)) this.#pinned.set(chain.key, chain)
  }

  /** Whether a change waits to be confirmed. */
  get unconfirmed(): boolean {
    return [...this.#records.values()].some((record) => record.unconfirmed !== undefined)
  }

  /** The node was heard of by its registry through what runs now: that stays. */
  async confirm(): Promise<void> {
    for (const record of this.#records.values())
      if (record.unconfirmed !== undefined) await this.#save(without(record, record.previous))
  }

  /**
   * The changes that run and wait to be confirmed, with the functions that they changed: those whose part of the chain
   * differs from what was confirmed. Where none does, the order of all of them is the change.
   */
  unconfirmedChanges(): UnconfirmedChange[] {
    return [...this.#records.values()].flatMap((record) => {
      const running = this.#runningGeneration(record.key)
      if (running === undefined || running.generation !== record.unconfirmed) return []
      const before = previousOf(record)
      const names = [...running.functions, ...(before?.functions ?? [])].map(({ name }) => name)
      const changed = names.filter(
        (name) => partOf(name, running.entries) !== partOf(name, before?.entries ?? []),
      )
      return [{ key: record.key, functions: [...new Set(changed.length > 0 ? changed : names)] }]
    })
  }

  /**
   * Takes back every change that was not confirmed: to the generation that ran before, and where none ran, to none.
   * Gives what {@link unconfirmedChanges} did. Throws KernelError.
   */
  async takeBack(): Promise<UnconfirmedChange[]> {
    const taken = this.unconfirmedChanges()
    for (const record of [...this.#records.values()]) {
      if (record.unconfirmed === undefined) continue
      const { key, hook, ifindex } = record
      const before = previousOf(record)
      if (!taken.some((change) => change.key === key)) await this.#save(without(record, record.previous))
      else if (before?.entries.some(this.#isRevoked)) await this.#save(without(record))
      else if (before === undefined) await this.detach(key)
      else {
        const at = { name: record.interface, ifindex, defaultRoute: false }
        this.#kernel.activate({ key, hook, at, allowGeneric: true }, before.generation)
        await this.#save(without(record))
        this.#reread([key])
      }
    }
    return taken
  }

  /** Detaches a chain that nobody wants any more; gives what was remembered of it. Throws KernelError. */
  async detach(key: string): Promise<ChainRecord | undefined> {
    const record = this.#records.get(key)
    this.#kernel.detach(key)
    this.#pinned.delete(key)
    await this.#forget(key)
    return record
  }

  /**
   * Removes generations that neither run nor are kept, adding their packets to the totals, and state maps that nobody
   * uses. Called when the packets that were on their way through an old generation are long done.
   */
  async retire(): Promise<void> {
    for (const [key, chain] of this.#pinned) {
      const previous = this.#records.get(key)?.previous
      const stays = ({ generation, programId }: PinnedGeneration): boolean =>
        programId === chain.link?.programId || (generation === previous && programId !== 0)
      for (const { generation } of chain.generations.filter((one) => !stays(one))) {
        await this.#fold(key, generation)
        this.#kernel.discard(key, generation)
      }
      this.#pinned.set(key, { ...chain, generations: chain.generations.filter(stays) })
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
      // generations that are kept or not folded yet count all the same
      const totals = chain.generations.reduce(
        (sums, { generation: number, programId }) =>
          number === running.generation || programId === 0 ? sums : this.#withPacketsOf(record, number, sums),
        record.totals,
      )
      return [
        {
          netns: record.netns,
          interface: record.interface,
          ifindex: record.ifindex,
          hook: record.hook,
          mode: chain.link.mode,
          functions: generation.functions,
          generation: generation.generation,
          linkId: chain.link.linkId,
          programId: running.programId,
          programTag: running.programTag,
          since: generation.builtAt,
          entries: generation.entries.map(({ spec: _, ...entry }, at) => {
            const packets = counters[at] ?? noPackets(record.hook)
            const total = addCounts(packets, totals[entryKey(entry)] ?? {})
            return { position: at + 1, ...entry, packets, total }
          }),
        },
      ]
    })
  }

  /** Keys of chains that run and that nothing is remembered of: adopted, left alone, and worth a word. */
  unknown(): string[] {
    return [...this.#pinned.keys()].filter((key) => this.#runningGeneration(key) === undefined)
  }

  #runningGeneration(key: string): GenerationRecord | undefined {
    const chain = this.#pinned.get(key)
    const running = chain?.generations.find(({ programId }) => programId === chain.link?.programId)
    return this.#records.get(key)?.generations.find(({ generation }) => generation === running?.generation)
  }

  /** A generation that is pinned whole and does not run, made of the same. */
  #keptGeneration(key: string, spec: GenerationRecord['spec']): GenerationRecord | undefined {
    const pinned = this.#pinned.get(key)?.generations ?? []
    return this.#records
      .get(key)
      ?.generations.find(
        (one) =>
          one.spec === spec &&
          pinned.some(({ generation, programId }) => generation === one.generation && programId !== 0),
      )
  }

  /** Builds and pins the next generation; it is remembered before it can run. */
  async #build({ site, functions, entries }: WantedChain, spec: GenerationRecord['spec']): Promise<number> {
    const { key, hook, at } = site
    const record: ChainRecord = this.#records.get(key) ?? {
      ...{ key, hook, netns: this.#netns, interface: at.name, ifindex: at.ifindex },
      generations: [],
      totals: {},
    }
    const used = [...record.generations, ...(this.#pinned.get(key)?.generations ?? [])].map(
      ({ generation }) => generation,
    )
    const generation = Math.max(0, ...used) + 1
    const { forms } = await this.#kernel.build(
      site,
      generation,
      entries.map(({ image }) => image),
    )
    await this.#save({
      ...record,
      interface: at.name,
      generations: [
        ...record.generations,
        {
          generation,
          functions: [...functions],
          spec,
          builtAt: this.#clock().toISOString(),
          entries: entries.map((entry, position) => ({ ...entry.record, form: forms[position] ?? 'fused' })),
          stateKeys: stateKeysOf(entries),
        },
      ],
    })
    return generation
  }

  /** The same chain under newer orders: only the memory changes. */
  async #renew(key: string, made: GenerationRecord, functions: readonly FunctionPart[]): Promise<void> {
    const record = this.#records.get(key)
    if (record === undefined || JSON.stringify(made.functions) === JSON.stringify(functions)) return
    const generations = record.generations.map((one) =>
      one === made ? { ...one, functions: [...functions] } : one,
    )
    await this.#save({ ...record, generations })
  }

  /** Takes back a generation that never ran. */
  async #drop(key: string, generation: number): Promise<void> {
    this.#kernel.discard(key, generation)
    const record = this.#records.get(key)
    if (record === undefined) return
    const generations = record.generations.filter((one) => one.generation !== generation)
    if (generations.length === 0 && record.undone === undefined) await this.#forget(key)
    else await this.#save({ ...record, generations })
  }

  /** Moves a generation's packets into the totals, in one write: counted once, whenever a crash comes. */
  async #fold(key: string, number: number): Promise<void> {
    const record = this.#records.get(key)
    const gone = record?.generations.find(({ generation }) => generation === number)
    if (record === undefined || gone === undefined) return
    const generations = record.generations.filter((one) => one !== gone)
    const totals = withoutLongGone(this.#withPacketsOf(record, number, record.totals), generations)
    await this.#save({ ...record, totals, generations })
  }

  /** Totals with the packets of a pinned generation added; one that is not remembered adds nothing. */
  #withPacketsOf(record: ChainRecord, number: number, before: ChainRecord['totals']): ChainRecord['totals'] {
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

  async #save(record: ChainRecord): Promise<void> {
    await this.#state.saveChain(record)
    this.#records.set(record.key, record)
  }

  async #forget(key: string): Promise<void> {
    await this.#state.removeChain(key)
    this.#records.delete(key)
  }
}

/** Totals of the entries that chains still have, and of `LIMITS.chain_past_entries` others, those that ran last. */
function withoutLongGone(
  totals: ChainRecord['totals'],
  generations: readonly GenerationRecord[],
): ChainRecord['totals'] {
  const present = new Set(generations.flatMap(({ entries }) => entries.map(entryKey)))
  const past = Object.keys(totals).filter((name) => !present.has(name))
  const gone = new Set(past.slice(0, Math.max(0, past.length - LIMITS.chain_past_entries)))
  return Object.fromEntries(Object.entries(totals).filter(([name]) => !gone.has(name)))
}

/** What an unconfirmed change made of the functions that it changed. */
function undoneBy(record: ChainRecord): NonNullable<ChainRecord['undone']> {
  const made = record.generations.find(({ generation }) => generation === record.unconfirmed)
  const before = previousOf(record)
  return (made?.functions ?? []).flatMap(({ name, revision }) => {
    const part = partOf(name, made?.entries ?? [])
    const known = before?.functions.find((one) => one.name === name)
    const same = known?.revision === revision && partOf(name, before?.entries ?? []) === part
    return same ? [] : [{ name, revision, part }]
  })
}

/** A record with nothing unconfirmed, and with this way back. */
function without(record: ChainRecord, previous?: number): ChainRecord {
  const { previous: _, unconfirmed: __, ...rest } = record
  return { ...rest, ...(previous === undefined ? {} : { previous }) }
}

/** The generation that a chain goes back to. */
const previousOf = ({ generations, previous }: ChainRecord): GenerationRecord | undefined =>
  generations.find(({ generation }) => generation === previous)

const stateKeysOf = (entries: readonly ReadyEntry[]): string[] => [
  ...new Set(entries.flatMap(({ image }) => image.maps.flatMap(({ stateKey }) => stateKey ?? []))),
]

/** Tells by their records whether entries of a function are the same. */
export const partOf = (functionName: string, entries: readonly EntryRecord[]): string =>
  entries
    .filter((entry) => entry.function === functionName)
    .map(({ spec }) => spec)
    .join()

/** Everything that makes a chain what it is. Revisions are no part of it: an order that changes nothing builds nothing. */
const specDigest = (entries: readonly ReadyEntry[]): GenerationRecord['spec'] =>
  sha256Digest(Buffer.from(JSON.stringify(entries.map(({ record }) => record.spec))))

const onSite = (error: DomainError, { at, hook }: ChainSite): DomainError =>
  new DomainError(error.code, `on ${at.name} (${hook}): ${error.message}`, {
    cause: error,
    ...(error.log === undefined ? {} : { log: error.log }),
    ...(error.entry === undefined ? {} : { entry: error.entry }),
  })
