import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Hook } from '../../src/domain/hook.ts'
import {
  countedSince,
  Lab,
  type LinkCounters,
  type LinkEnd,
  linkCounters,
  type Namespace,
} from '../lab/namespaces.ts'
import {
  NO_HOST,
  NO_HOST_MAC,
  newRun,
  type ReceiveReport,
  type Running,
  type SendReport,
  startReceiver,
  startSender,
} from '../lab/traffic.ts'

/** For packets that wait while the receiver's cpu is busy with something else: seconds of them. */
const RECEIVE_BUFFER_BYTES = 1 << 29
/** One packet in ten must not get through. It is as valid as the others: nothing but the chain keeps a node from forwarding it. */
const MIX = { good: 9, flood: 1 }
/** RFC 5737 and RFC 3849. */
const NODE_ADDRESSES = {
  in: ['192.0.2.1/24', '2001:db8:1::1/64'],
  out: ['198.51.100.1/24', '2001:db8:2::1/64'],
}
const ENOUGH_SECONDS = 24 * 3600

/** What came of the traffic. */
export interface Crossing {
  readonly packets: number
  readonly good: number
  /** Packets that must not get through. */
  readonly banned: number
  /** Good packets that were taken by the sender's interface and did not arrive, but for those told apart below. */
  readonly lost: number
  /** Those of them that did. */
  readonly escaped: number
  readonly duplicates: number
  /** By the queues of the veth pairs, where they took a packet and then had no room; the sender's refusals are offered again. */
  readonly queueDrops: number
  /** By the receiver's own socket, after they had arrived. */
  readonly socketDrops: number
  /** By a backlog of any cpu of this machine, whatever the packet was. */
  readonly softnetDrops: number
  readonly ppsMedian: number
}

/** The node's interfaces: towards the sender, and where it forwards. */
const [TOWARDS_SENDER, ONWARD] = ['eth1', 'out'] as const
/** Which of them the chain is on: egress is where the node forwards. */
export const chainedInterface = (hook: Hook): string => (hook === 'tc-egress' ? ONWARD : TOWARDS_SENDER)

/** Traffic that goes on while other work does. */
export interface Road {
  /** Packets sent so far; a second old at most. */
  sent(): number
  /** Ends the traffic and counts. */
  stop(): Promise<Crossing>
}

/** The way of the packets through the node that is soaked. */
export interface RoadEnds extends Disposable {
  readonly lab: Lab
  readonly node: Namespace
  readonly from: LinkEnd
  /** The node's end, where the chain runs unless it is on egress. */
  readonly into: LinkEnd
  /** The node's other interface, where it forwards. */
  readonly out: LinkEnd | undefined
  /** Where packets are counted as received. */
  readonly at: LinkEnd
}

/**
 * sender -- node. What passes XDP is received on the interface itself. A packet socket sees packets before TC does, so for
 * TC the node forwards to a third namespace: sender -- node -- receiver. Needs root.
 */
export function layRoad(hook: Hook): RoadEnds {
  const lab = new Lab()
  try {
    const node = lab.namespace('node')
    const { a: from, b: into } = lab.link(
      { namespace: lab.namespace('sender'), interface: 'eth1' },
      { namespace: node, interface: TOWARDS_SENDER, addresses: hook === 'xdp' ? [] : NODE_ADDRESSES.in },
    )
    const onward = hook === 'xdp' ? undefined : forward(lab, node)
    const at = onward?.b ?? into
    return { lab, node, from, into, out: onward?.a, at, [Symbol.dispose]: () => lab.close() }
  } catch (error) {
    lab.close()
    throw error
  }
}

/** Makes a node a router for the traffic tool's destinations. */
function forward(lab: Lab, node: Namespace): { a: LinkEnd; b: LinkEnd } {
  const onward = lab.link(
    { namespace: node, interface: ONWARD, addresses: NODE_ADDRESSES.out },
    { namespace: lab.namespace('receiver'), interface: 'eth1' },
  )
  const run = (command: string, args: readonly string[], input = ''): void =>
    void execFileSync('ip', ['netns', 'exec', node.name, command, ...args], { input, stdio: 'pipe' })
  for (const [path, value] of [
    ['ipv4/ip_forward', '1'],
    ['ipv4/conf/all/rp_filter', '0'],
    [`ipv4/conf/${TOWARDS_SENDER}/rp_filter`, '0'],
    ['ipv6/conf/all/forwarding', '1'],
  ] as const)
    run('tee', [`/proc/sys/net/${path}`], value)
  for (const destination of Object.values(NO_HOST)) {
    run('ip', ['route', 'add', destination, 'dev', ONWARD])
    run('ip', ['neighbour', 'add', destination, 'lladdr', NO_HOST_MAC, 'nud', 'permanent', 'dev', ONWARD])
  }
  return onward
}

/** Starts good packets with those among them that must not get through. */
export async function startTraffic({ lab, from, into, out, at }: RoadEnds, rate_pps: number): Promise<Road> {
  const run = newRun()
  const rates: number[] = []
  let last = { sent: 0, elapsed_ms: 0 }
  const ends = [from, into, ...(out === undefined ? [] : [out, at])]
  const before = ends.map(linkCounters)
  const softnet = softnetDrops()
  const seconds = ENOUGH_SECONDS
  const receiving = await startReceiver({ lab, at, run, seconds, bufferBytes: RECEIVE_BUFFER_BYTES })
  const sending: Running<SendReport> = await startSender({
    ...{ lab, from, run, mix: MIX, rate_pps, seconds, ...(out && { to: { mac: into.mac } }) },
    onProgress: ({ sent, elapsed_ms }) => {
      const all = sent.good + sent.flood
      rates.push(((all - last.sent) * 1000) / Math.max(1, elapsed_ms - last.elapsed_ms))
      last = { sent: all, elapsed_ms }
    },
  })
  return {
    sent: () => last.sent,
    stop: async () => {
      const sent = await sending.stop()
      await waitUntilQuiet(at)
      const received = await receiving.stop()
      const dropped = ends.map((end, which) => dropsSince(before[which], linkCounters(end)))
      return crossingOf(sent, received, dropped, softnetDrops() - softnet, rates)
    },
  }
}

/** Nothing is on its way any more when a look finds as many packets as the one before. */
async function waitUntilQuiet(end: LinkEnd): Promise<void> {
  const LOOK_MS = 200
  for (let before = -1; ; ) {
    const { rxPackets } = linkCounters(end)
    if (rxPackets === before) return
    before = rxPackets
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

function dropsSince(before: LinkCounters | undefined, now: LinkCounters): number {
  if (before === undefined) throw new Error('an interface was not looked at')
  const { rxDropped, txDropped } = countedSince(before, now)
  return rxDropped + txDropped
}

function crossingOf(
  { sent, refused }: SendReport,
  { classes, socketDrops }: ReceiveReport,
  drops: readonly number[],
  softnet: number,
  rates: readonly number[],
): Crossing {
  const [sender = 0, ...others] = drops
  const queueDrops = Math.max(0, sender - refused) + others.reduce((sum, count) => sum + count, 0)
  const sorted = [...rates].sort((a, b) => a - b)
  return {
    packets: sent.good + sent.flood,
    good: sent.good,
    banned: sent.flood,
    lost: Math.max(0, sent.good - classes.good.distinct - queueDrops - socketDrops),
    escaped: classes.flood.received,
    duplicates: classes.good.duplicates,
    queueDrops,
    socketDrops,
    softnetDrops: softnet,
    ppsMedian: Math.round(sorted[sorted.length >> 1] ?? 0),
  }
}

/** The second column of /proc/net/softnet_stat, over all cpus: packets for which a cpu's backlog had no room. */
function softnetDrops(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trim().split('\n')
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] ?? '0', 16), 0)
}
