import { asDomainError, type DomainError } from '../domain/errors.ts'
import type { ChainRecord, EntryRecord, FunctionPart, GenerationRecord } from '../domain/generation.ts'
import type { Hook } from '../domain/hook.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { ObservedChain } from '../domain/node.ts'
import type { ChainKernel, ChainSite, PinnedGeneration } from '../ports/chain-kernel.ts'
import type { Clock } from '../ports/clock.ts'
import { ChainMemory, type Records } from './chain-memory.ts'
import {
  hooksOfInstance,
  isUndone,
  partOf,
  previousOf,
  type RunningRecord,
  revokedPartsOf,
  stateKeysOf,
  without,
} from './chain-record.ts'
import type { ReadyEntry } from './instance.ts'
import { observeChains } from './observe-chains.ts'
import {
  type Brought,
  BuildRefused,
  onSite,
  type RevokedPart,
  specDigest,
  type UnconfirmedChange,
  type WantedChain,
} from './wanted-chain.ts'

/** Whether an entry of a generation must not run any more. */
export type IsRevoked = (entry: EntryRecord) => boolean

/**
 * The chains of one agent: what bpffs holds, together with what the agent remembers of it. bpffs is the truth about
 * what runs; the memory says what it was built from. Nothing runs in parallel here: the agent calls one at a time.
 */
export class ChainSet {
  readonly #kernel: ChainKernel
  readonly #netns: string
  readonly #clock: Clock
  readonly #isRevoked: IsRevoked
  readonly #memory: ChainMemory

  constructor(
    kernel: ChainKernel,
    state: Records,
    netns: string,
    clock: Clock,
    isRevoked: IsRevoked = () => false,
  ) {
    this.#kernel = kernel
    this.#memory = new ChainMemory(kernel, state)
    this.#netns = netns
    this.#clock = clock
    this.#isRevoked = isRevoked
  }

  /** Reads what is pinned, as {@link ChainMemory.refresh}. */
  refresh(): Promise<ChainRecord[]> {
    return this.#memory.refresh()
  }

  /** Whether bpffs holds something else than this set left there: somebody removed pins, or an interface went. */
  changedByOthers(): boolean {
    return this.#memory.changedByOthers()
  }

  /** Whether a function would become again what a change made of it that was never confirmed. */
  undid(ready: FunctionPart & { readonly entries: readonly ReadyEntry[] }): boolean {
    return isUndone(this.#memory.records.values(), ready)
  }

  /** Lets what {@link undid} tells be made again: the registry is within reach, and will say whether it stays so. */
  async allowUndone(): Promise<void> {
    for (const { undone, ...record } of [...this.#memory.records.values()])
      if (undone !== undefined)
        await (record.generations.length === 0 ? this.#memory.forget(record.key) : this.#memory.save(record))
  }

  /** The functions of each chain that runs, by key; undefined where nothing is remembered. */
  running(): Map<string, string[] | undefined> {
    return new Map(
      [...this.#memory.pinned.keys()].map((key) => [
        key,
        this.#memory.running(key)?.functions.map(({ name }) => name),
      ]),
    )
  }

  /** The part of a chain that runs which belongs to a function, as {@link partOf} tells one from another. */
  part(key: string, functionName: string): string | undefined {
    const running = this.#memory.running(key)
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
      const current = this.#memory.running(key)
      if (current?.spec === spec) {
        await this.#renew(key, current, chain.functions)
        continue
      }
      const kept = this.#memory.kept(key, spec)
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
    this.#memory.reread(made.map(({ chain }) => chain.site.key))
    return { changed, failures }
  }

  /** One atomic step. What it leaves and what it goes to are remembered before: a crash comes whenever it likes. */
  async #switch(site: ChainSite, generation: number, unconfirmed: boolean): Promise<void> {
    const record = this.#memory.records.get(site.key)
    const running = this.#memory.running(site.key)?.generation
    if (record !== undefined) {
      // while a change is unconfirmed, the way back leads to what was confirmed; going there needs no confirming
      const back = record.unconfirmed !== undefined && generation === record.previous
      const before = record.unconfirmed === undefined || back ? running : record.previous
      // what was revoked is nothing to go back to, so leaving it needs no confirming either
      const final = this.#holdsRevoked(record, before)
      await this.#memory.save({
        ...without(record, final ? undefined : before),
        ...(unconfirmed && !back && !final ? { unconfirmed: generation } : {}),
      })
    }
    try {
      this.#kernel.activate(site, generation)
    } catch (error) {
      if (record !== undefined) await this.#memory.save(record)
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
    return revokedPartsOf(this.#running(), this.#isRevoked)
  }

  /** Keys of the chains that run something revoked. */
  tainted(): Set<string> {
    const keys = [...this.#memory.records.values()].flatMap((record) => {
      const running = this.#memory.running(record.key)
      return running?.entries.some(this.#isRevoked) === true ? [record.key] : []
    })
    return new Set(keys)
  }

  /** The hooks on which an instance's entries run now. */
  hooksOf(functionName: string, instance: string): Set<Hook> {
    return hooksOfInstance(this.#running(), functionName, instance)
  }

  #running(): RunningRecord[] {
    return [...this.#memory.records.values()].flatMap(({ key, hook }) => {
      const generation = this.#memory.running(key)
      return generation === undefined ? [] : [{ key, hook, generation }]
    })
  }

  /**
   * Lets go of what is revoked: generations that are kept and hold it are nothing to go back to, nor are those that share
   * state with it; an instance that runs it begins with new state. `suspects` are programs newly revoked: callbacks that an
   * instance of theirs left in its state end, whichever release left them.
   */
  async purge(suspects: ReadonlySet<ProgramId>): Promise<void> {
    const [objects, instances, fresh] = [new Set<Digest>(), new Set<string>(), new Set<string>()]
    for (const record of this.#memory.records.values()) {
      const running = this.#memory.running(record.key)
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
    for (const { key, generations } of [...this.#memory.records.values()])
      for (const one of generations)
        if (one !== this.#memory.running(key) && one.entries.some(goes))
          await this.#letGo(key, one.generation)
    if (fresh.size > 0 || suspects.size > 0) this.#kernel.purge(objects, [...instances], fresh)
  }

  /** Ends a generation that does not run: nothing goes back to it. */
  async #letGo(key: string, generation: number): Promise<void> {
    const record = this.#memory.records.get(key)
    if (record?.previous === generation) await this.#memory.save(without(record))
    await this.#memory.fold(key, generation)
    this.#kernel.discard(key, generation)
    this.#memory.reread([key])
  }

  /** Whether a change waits to be confirmed. */
  get unconfirmed(): boolean {
    return [...this.#memory.records.values()].some((record) => record.unconfirmed !== undefined)
  }

  /** The node was heard of by its registry through what runs now: that stays. */
  async confirm(): Promise<void> {
    for (const record of this.#memory.records.values())
      if (record.unconfirmed !== undefined) await this.#memory.save(without(record, record.previous))
  }

  /**
   * The changes that run and wait to be confirmed, with the functions that they changed: those whose part of the chain
   * differs from what was confirmed. Where none does, the order of all of them is the change.
   */
  unconfirmedChanges(): UnconfirmedChange[] {
    return [...this.#memory.records.values()].flatMap((record) => {
      const running = this.#memory.running(record.key)
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
    for (const record of [...this.#memory.records.values()]) {
      if (record.unconfirmed === undefined) continue
      const { key, hook, ifindex } = record
      const before = previousOf(record)
      if (!taken.some((change) => change.key === key))
        await this.#memory.save(without(record, record.previous))
      else if (before?.entries.some(this.#isRevoked)) await this.#memory.save(without(record))
      else if (before === undefined) await this.detach(key)
      else {
        const at = { name: record.interface, ifindex, defaultRoute: false }
        this.#kernel.activate({ key, hook, at, allowGeneric: true }, before.generation)
        await this.#memory.save(without(record))
        this.#memory.reread([key])
      }
    }
    return taken
  }

  /** Detaches a chain that nobody wants any more; gives what was remembered of it. Throws KernelError. */
  async detach(key: string): Promise<ChainRecord | undefined> {
    const record = this.#memory.records.get(key)
    this.#kernel.detach(key)
    this.#memory.pinned.delete(key)
    await this.#memory.forget(key)
    return record
  }

  /**
   * Removes generations that neither run nor are kept, adding their packets to the totals, and state maps that nobody
   * uses. Called when the packets that were on their way through an old generation are long done.
   */
  async retire(): Promise<void> {
    for (const [key, chain] of this.#memory.pinned) {
      const previous = this.#memory.records.get(key)?.previous
      const stays = ({ generation, programId }: PinnedGeneration): boolean =>
        programId === chain.link?.programId || (generation === previous && programId !== 0)
      for (const { generation } of chain.generations.filter((one) => !stays(one))) {
        await this.#memory.fold(key, generation)
        this.#kernel.discard(key, generation)
      }
      this.#memory.pinned.set(key, { ...chain, generations: chain.generations.filter(stays) })
    }
    const keep = [...this.#memory.records.values()].flatMap(({ generations }) =>
      generations.flatMap(({ stateKeys }) => stateKeys),
    )
    // a chain that nothing is remembered of may use any map: then none is removed
    if ([...this.#memory.pinned.keys()].every((key) => this.#memory.running(key) !== undefined))
      this.#kernel.collectMaps(new Set(keep))
  }

  /** What runs now, with its packets. */
  observe(): ObservedChain[] {
    return observeChains(this.#kernel, this.#memory)
  }

  /** What is wrong with a chain that runs what is not remembered: `running_unknown`, `chain_altered`. It is left alone. */
  stranger(key: string): DomainError | undefined {
    return this.#memory.stranger(key)
  }

  /** All of those. */
  strangers(): DomainError[] {
    return [...this.#memory.pinned.keys()].flatMap((key) => this.#memory.stranger(key) ?? [])
  }

  /** Builds and pins the next generation; it is remembered before it can run. */
  async #build({ site, functions, entries }: WantedChain, spec: GenerationRecord['spec']): Promise<number> {
    const { key, hook, at } = site
    const record: ChainRecord = this.#memory.records.get(key) ?? {
      ...{ key, hook, netns: this.#netns, interface: at.name, ifindex: at.ifindex },
      generations: [],
      totals: {},
    }
    const used = [...record.generations, ...(this.#memory.pinned.get(key)?.generations ?? [])].map(
      ({ generation }) => generation,
    )
    const generation = Math.max(0, ...used) + 1
    const { forms } = await this.#kernel.build(
      site,
      generation,
      entries.map(({ image }) => image),
    )
    await this.#memory.save({
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
    const record = this.#memory.records.get(key)
    if (record === undefined || JSON.stringify(made.functions) === JSON.stringify(functions)) return
    const generations = record.generations.map((one) =>
      one === made ? { ...one, functions: [...functions] } : one,
    )
    await this.#memory.save({ ...record, generations })
  }

  /** Takes back a generation that never ran. */
  async #drop(key: string, generation: number): Promise<void> {
    this.#kernel.discard(key, generation)
    const record = this.#memory.records.get(key)
    if (record === undefined) return
    const generations = record.generations.filter((one) => one.generation !== generation)
    if (generations.length === 0 && record.undone === undefined) await this.#memory.forget(key)
    else await this.#memory.save({ ...record, generations })
  }
}
