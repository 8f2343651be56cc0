import { entryKey } from '../domain/generation.ts'
import { addCounts, noPackets } from '../domain/hook.ts'
import type { ObservedChain } from '../domain/node.ts'
import type { ChainKernel } from '../ports/chain-kernel.ts'
import type { ChainMemory } from './chain-memory.ts'

/** What runs now, with its packets. Throws KernelError. */
export function observeChains(
  kernel: Pick<ChainKernel, 'counters'>,
  memory: Pick<ChainMemory, 'pinned' | 'records' | 'running' | 'withPacketsOf'>,
): ObservedChain[] {
  return [...memory.pinned.values()].flatMap((chain) => {
    const record = memory.records.get(chain.key)
    const generation = memory.running(chain.key)
    const running = chain.generations.find(({ programId }) => programId === chain.link?.programId)
    if (record === undefined || generation === undefined || running === undefined || chain.link === undefined)
      return []
    const counters = kernel.counters(chain.key, generation.generation, generation.entries.length)
    // generations that are kept or not folded yet count all the same
    const totals = chain.generations.reduce(
      (sums, { generation: number, programId }) =>
        number === running.generation || programId === 0 ? sums : memory.withPacketsOf(record, number, sums),
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
