import type { ChainRecord } from '../../src/domain/generation.ts'
import { type Hook, noPackets, type VerdictCounts } from '../../src/domain/hook.ts'
import type { AgentState } from '../../src/ports/agent-state.ts'
import type { Attachment, ChainKernel, EntryImage, NetworkInterface } from '../../src/ports/chain-kernel.ts'

/** A generation in the fake bpffs. `runs` names what it does to packets. */
interface FakeGeneration {
  readonly programId: number
  readonly runs: string
  readonly counters: VerdictCounts[]
}
interface FakeChain {
  link: Attachment | undefined
  readonly generations: Map<number, FakeGeneration>
}

/** Thrown where a process would have died. */
export class Crash extends Error {}

/** Makes a call of the kernel fail; undefined lets it pass. */
export type Refusal = (
  call: 'build' | 'activate',
  key: string,
  entries: readonly EntryImage[],
) => Error | undefined

/**
 * What outlives an agent: a bpffs and a state directory, in memory. It stands in for the kernel only where failures are
 * injected and where a fleet is simulated; what a kernel really does is tested on one.
 */
export class FakeHost {
  readonly interfaces: NetworkInterface[] = [
    { name: 'eth0', ifindex: 2, defaultRoute: false },
    { name: 'eth1', ifindex: 3, defaultRoute: false },
  ]
  readonly chains = new Map<string, FakeChain>()
  readonly maps = new Set<string>()
  readonly records = new Map<string, string>()
  /** Chains that were built, by key, over all lives. */
  readonly builds: string[] = []
  #ids = 100

  newId(): number {
    return ++this.#ids
  }
  /** What packets meet on a hook of each interface, by its name; undefined where nothing runs. */
  hooks(hook: Hook = 'xdp'): Record<string, string | undefined> {
    return Object.fromEntries(
      this.interfaces.map(({ name, ifindex }) => {
        const chain = this.chains.get(keyOf(ifindex, hook))
        const running = [...(chain?.generations.values() ?? [])].find(
          ({ programId }) => programId === chain?.link?.programId,
        )
        return [name, running?.runs]
      }),
    )
  }
  /** Lets packets pass every running chain. */
  traffic(packets: number): void {
    for (const { link, generations } of this.chains.values())
      for (const { programId, counters } of generations.values())
        if (programId === link?.programId)
          for (const counts of counters) counts.pass = (counts.pass ?? 0) + packets
  }
  /** What the agent remembers. */
  remembered(): ChainRecord[] {
    return [...this.records.values()].map((text) => JSON.parse(text))
  }
}

export const keyOf = (ifindex: number, hook: Hook = 'xdp'): string => `1-${ifindex}-${hook}`

/**
 * Opens the host for one agent's life. Each change of the host is a step; after `most` steps the process is dead: the
 * next one and all that follow throw {@link Crash}, so that no clean-up of the dying process counts.
 */
export function openHost(host: FakeHost, most = Number.POSITIVE_INFINITY, refuse: Refusal = () => undefined) {
  let steps = 0
  const step = (): void => {
    if (++steps > most) throw new Crash()
  }
  const refused = (call: 'build' | 'activate', key: string, entries: readonly EntryImage[] = []): void => {
    const error = refuse(call, key, entries)
    if (error !== undefined) throw error
  }
  const generationOf = (key: string, generation: number): FakeGeneration => {
    const found = host.chains.get(key)?.generations.get(generation)
    if (found === undefined) throw new Error(`no generation ${generation} of ${key}`)
    return found
  }
  const kernel: ChainKernel = {
    interfaces: () => host.interfaces,
    keyOf: (ifindex, hook) => keyOf(ifindex, hook),
    pinned: () =>
      [...host.chains].map(([key, { link, generations }]) => ({
        key,
        link: link === undefined ? undefined : { ...link },
        generations: [...generations].map(([generation, { programId }]) => ({
          ...{ generation, programId, programTag: `tag${programId}` },
        })),
      })),
    programOf: (programId) => ({ tag: `tag${programId}`, name: 'fake' }),
    build: async ({ key }, generation, entries) => {
      refused('build', key, entries)
      for (const { stateKey } of entries.flatMap(({ maps }) => maps))
        if (stateKey !== undefined && !host.maps.has(stateKey)) {
          step()
          host.maps.add(stateKey)
        }
      step()
      const chain = host.chains.get(key) ?? { link: undefined, generations: new Map() }
      if (chain.generations.has(generation)) throw new Error(`generation ${generation} is taken`)
      const programId = host.newId()
      const counters = entries.map(({ hook }) => noPackets(hook))
      chain.generations.set(generation, { programId, runs: entries.map(textOf).join(' > '), counters })
      host.chains.set(key, chain)
      host.builds.push(key)
      const forms = entries.map(() => 'fused' as const)
      return { generation, programId, programTag: `tag${programId}`, forms }
    },
    activate: ({ key, hook, at: { ifindex } }, generation) => {
      refused('activate', key)
      const { programId } = generationOf(key, generation)
      const chain = host.chains.get(key)
      if (chain === undefined) throw new Error('no chain')
      step()
      const linkId = chain.link?.linkId ?? host.newId()
      chain.link = { linkId, programId, ifindex, mode: hook === 'xdp' ? 'native' : 'tcx' }
      return chain.link
    },
    counters: (key, generation) => generationOf(key, generation).counters.map((counts) => ({ ...counts })),
    discard: (key, generation) => {
      step()
      const chain = host.chains.get(key)
      chain?.generations.delete(generation)
      if (chain?.link === undefined && chain?.generations.size === 0) host.chains.delete(key)
    },
    detach: (key) => {
      const chain = host.chains.get(key)
      step()
      if (chain !== undefined) chain.link = undefined
      step()
      host.chains.delete(key)
    },
    purge: (_objects, _instances, fresh) => {
      for (const key of host.maps)
        if ([...fresh].some((one) => key.startsWith(`${one}/`))) {
          step()
          host.maps.delete(key)
        }
    },
    collectMaps: (keep) => {
      for (const key of host.maps) {
        if (keep.has(key)) continue
        step()
        host.maps.delete(key)
      }
    },
  }
  const state: Pick<AgentState, 'chains' | 'saveChain' | 'removeChain'> = {
    chains: async () => host.remembered(),
    saveChain: async (record) => {
      step()
      host.records.set(record.key, JSON.stringify(record))
    },
    removeChain: async (key) => {
      step()
      host.records.delete(key)
    },
  }
  return { kernel, state, steps: () => steps }
}

const textOf = ({ entry, bytes }: EntryImage): string => `${entry} ${bytes.toString()}`
