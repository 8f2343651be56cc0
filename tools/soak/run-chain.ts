import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hook } from '../../src/domain/hook.ts'
import { ensureBpffs } from '../../src/kernel/bpffs.ts'
import { seededRandom } from '../fuzz/random.ts'
import { CHANGES, type Change, changeBy, FIRST, type Member } from './change.ts'
import { BPFFS, change, type Host, openHost, removePins } from './host.ts'
import { type Crossing, layRoad, startTraffic } from './road.ts'
import { intact, type Testimony, testimonyOf } from './witness.ts'

/** How long and how hard. */
export interface SoakOptions {
  readonly hook: Hook
  /** How the chain is attached to TC; without a meaning on XDP. */
  readonly tc: 'tcx' | 'clsact'
  /** At least so many changes, and at least so many packets. */
  readonly changes: number
  readonly packets: number
  readonly seed: number
  readonly rate_pps: number
  readonly onProgress?: (changes: number, packets: number) => void
}

/** What a soak found. */
export interface SoakReport extends Crossing, Testimony {
  readonly changes: number
  readonly byChange: Readonly<Record<Change, number>>
  /** Whether the witness's maps hold exactly the packets that reached it, and the guard's those that it had to drop. */
  readonly stateIntact: boolean
  /** Ids of the kernel's links that the chain was attached by: one, or none but 0 on clsact. */
  readonly linkIds: readonly number[]
  readonly changeMsMedian: number
}

/**
 * Changes a chain under traffic, by chance but the same for the same seed, by what an agent changes its chains with: its
 * chain set, state directory, bpffs and loading process. Needs root; attaches only inside its own network namespace.
 */
export async function soakChain(options: SoakOptions): Promise<SoakReport> {
  ensureBpffs(BPFFS)
  using road = layRoad(options.hook)
  const agent = `soak-${process.pid}`
  const stateDir = await mkdtemp(join(tmpdir(), 'hookline-soak-'))
  try {
    const { hook, tc } = options
    using host = await openHost({ agent, stateDir, netns: road.node.path, hook, tc })
    await change(host, FIRST)
    const traffic = await startTraffic(road, options.rate_pps)
    const changed = await changeFor(host, options, () => traffic.sent())
    const crossing = await traffic.stop()
    const testimony = await testimonyOf(host, agent)
    return { ...crossing, ...testimony, ...changed, stateIntact: intact(crossing, testimony) }
  } finally {
    removePins(agent)
    await rm(stateDir, { recursive: true, force: true })
  }
}

async function changeFor(host: Host, options: SoakOptions, sent: () => number) {
  const random = seededRandom(options.seed, 0)
  const byChange = Object.fromEntries(CHANGES.map((name) => [name, 0])) as Record<Change, number>
  const linkIds = new Set<number>()
  const times: number[] = []
  let [chain, previous]: [readonly Member[], readonly Member[] | undefined] = [FIRST, undefined]
  while (times.length < options.changes || sent() < options.packets) {
    const next = changeBy(random, chain, previous)
    const start = performance.now()
    await change(host, next.chain)
    times.push(performance.now() - start)
    byChange[next.change]++
    previous = chain
    chain = next.chain
    for (const { link } of host.kernel.pinned()) linkIds.add(link?.linkId ?? -1)
    options.onProgress?.(times.length, sent())
  }
  const sorted = times.sort((a, b) => a - b)
  return {
    changes: times.length,
    byChange,
    linkIds: [...linkIds],
    changeMsMedian: Math.round(sorted[sorted.length >> 1] ?? 0),
  }
}
