import { join } from 'node:path'
import { addCounts, packetsOf } from '../../src/domain/hook.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { lookupElement, sumPercpuWords } from '../../src/kernel/bpf-map.ts'
import { listNames, requirePin } from '../../src/kernel/bpffs.ts'
import { GUARD, WITNESS } from './change.ts'
import { type Host, pinsOf } from './host.ts'
import type { Crossing } from './road.ts'

/** What members of every generation have counted, in their own maps and behind them. */
export interface Testimony {
  /** Packets that the chain counted behind the witness, over all generations. */
  readonly reached: number
  /** What the witness counted in its map, and in its variable. */
  readonly inMap: number
  readonly inVariable: number
  /** Packets that the guard has counted as dropped. */
  readonly dropped: number
}

/** Whether the witness's maps hold exactly the packets that reached it, and the guard's those that it had to drop. */
export const intact = (
  { banned, queueDrops }: Crossing,
  { reached, inMap, inVariable, dropped }: Testimony,
): boolean =>
  reached > 0 &&
  inMap === reached &&
  inVariable === reached &&
  dropped <= banned &&
  dropped >= banned - queueDrops

/** Reads the state maps of the witness and the guard, and the chain's own counters. */
export async function testimonyOf(host: Host, agent: string): Promise<Testimony> {
  await host.chains.refresh()
  const [chain] = host.chains.observe()
  const totals = chain?.entries.filter(({ instance }) => instance === WITNESS).map(({ total }) => total)
  if (totals?.length !== 1) throw new Error('the chain has no witness')
  return {
    reached: packetsOf(addCounts({}, totals[0] ?? {})),
    inMap: wordsOf(agent, WITNESS, 'count_packets')[0] ?? 0,
    inVariable: bssWordsOf(agent, WITNESS)[0] ?? 0,
    dropped: wordsOf(agent, GUARD, 'guard_dropped')[0] ?? 0,
  }
}

function pathOf(agent: string, instance: string, map: string): string {
  const folder = join(pinsOf(agent), 'maps', 'lab', instance)
  const [name, ...others] = listNames(folder).filter((candidate) => candidate.includes(map))
  if (name === undefined || others.length > 0) throw new Error(`${instance} has not one map ${map}`)
  return join(folder, name)
}

function wordsOf(agent: string, instance: string, map: string): number[] {
  using pinned = requirePin(pathOf(agent, instance, map))
  return sumPercpuWords(pinned).map(Number)
}

function bssWordsOf(agent: string, instance: string): number[] {
  using pinned = requirePin(pathOf(agent, instance, 'bss'))
  const { valueBytes } = mapInfo(pinned)
  const value = lookupElement(pinned, Buffer.alloc(4), valueBytes)
  return Array.from({ length: valueBytes / 8 }, (_, at) => Number(value?.readBigUInt64LE(at * 8) ?? 0n))
}
