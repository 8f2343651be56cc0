import { setTimeout as sleep } from 'node:timers/promises'
import { packetsOf } from '../../src/domain/hook.ts'
import type { ObservedChain } from '../../src/domain/node.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { countedSince, type LinkCounters, linkCounters } from '../lab/namespaces.ts'
import {
  newRun,
  type ReceiveReport,
  type Running,
  type SendReport,
  startReceiver,
  startSender,
} from '../lab/traffic.ts'
import type { DemoNode, World } from './world.ts'

/** Packets per second and node: two cores hold it while agents verify and the demo looks on. */
const RATE_PPS = 4000
/** Of every 10 packets 8 are good, one is what scrub drops, one is of a source beyond its rate. */
const MIX = { good: 8, bogus: 1, flood: 1 }
const MOST_SECONDS = 120
const LOOK_MS = 2

/** Traffic on one node, running. */
interface Stream {
  readonly node: DemoNode
  readonly sender: Running<SendReport>
  readonly receiver: Running<ReceiveReport>
  readonly before: LinkCounters
}

/** What came of the traffic on all nodes. */
export interface TrafficResult {
  readonly sent: number
  readonly bogus: number
  readonly lost: number
  readonly escaped: number
  readonly floodDropped: number
  readonly queueDrops: number
  readonly socketDrops: number
}

/** Starts traffic on every node. */
export async function startTraffic(world: World): Promise<Stream[]> {
  return Promise.all(
    world.nodes.map(async (node) => {
      const { lab } = world
      const run = newRun()
      const before = linkCounters(node.client)
      const receiver = await startReceiver({ lab, at: node.edge, run, seconds: MOST_SECONDS })
      const sender = await startSender({
        ...{ lab, from: node.client, run, mix: MIX, rate_pps: RATE_PPS, seconds: MOST_SECONDS },
      })
      return { node, sender, receiver, before }
    }),
  )
}

/** Ends the traffic and counts: lost should have passed and did not arrive, escaped should have been dropped and did. */
export async function stopTraffic(streams: readonly Stream[]): Promise<TrafficResult> {
  const total = { sent: 0, bogus: 0, lost: 0, escaped: 0, floodDropped: 0, queueDrops: 0, socketDrops: 0 }
  for (const { node, sender, receiver, before } of streams) {
    const { sent } = await sender.stop()
    await sleep(200) // what is on the way
    const { classes, socketDrops } = await receiver.stop()
    total.sent += sent.good + sent.bogus + sent.flood
    total.bogus += sent.bogus
    total.lost += sent.good - classes.good.distinct
    total.escaped += classes.bogus.received
    total.floodDropped += sent.flood - classes.flood.distinct
    total.queueDrops += countedSince(before, linkCounters(node.client)).txDropped
    total.socketDrops += socketDrops
  }
  return total
}

/**
 * Waits until, on every node, an entry of a newer generation than the one given has counted a packet, read from the
 * pinned counters themselves. Gives the time (performance.now) at which the last node's had.
 */
export async function untilCounted(
  chains: readonly { node: DemoNode; chain: ObservedChain }[],
  position: number,
  most_ms: number,
): Promise<number> {
  const waiting = new Set(chains)
  const started = performance.now()
  while (waiting.size > 0) {
    for (const one of waiting) if (hasCounted(one.node, one.chain, position)) waiting.delete(one)
    if (waiting.size === 0) break
    if (performance.now() - started > most_ms)
      throw new Error('the new version did not count a packet in time')
    await sleep(LOOK_MS)
  }
  return performance.now()
}

function hasCounted(node: DemoNode, before: ObservedChain, position: number): boolean {
  const { path: netns } = node.edge.namespace
  const kernel = hookChains({ bpffs: '/sys/fs/bpf', agent: node.name, netns, loader: directLoader })
  for (const { key, link, generations } of kernel.pinned()) {
    const running = generations.find(({ programId }) => programId === link?.programId)
    if (running === undefined || running.generation <= before.generation) continue
    const counts = kernel.counters(key, running.generation, before.entries.length)[position]
    if (counts !== undefined && packetsOf(counts) > 0) return true
  }
  return false
}
