import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, attribute } from '../../src/kernel/netlink.ts'
import { inNetns, listInterfaces, netnsPath } from '../../src/kernel/netns.ts'
import type { Cleanup } from '../../tools/demo/cleanup.ts'
import { startService } from '../../tools/demo/processes.ts'
import type { Lab } from '../../tools/lab/namespaces.ts'
import { BINARY, type FleetRegistry, LABELS } from '../../tools/simulator/fleet-registry.ts'
import { monotonic_ms } from '../../tools/simulator/simulated-node.ts'

/** linux/rtnetlink.h and if_link.h: the question for an interface, its XDP nest, and the program in it. */
const RTM_GETLINK = 18
const LINK_BYTES = 16
const [IFLA_XDP, IFLA_XDP_PROG_ID] = [43, 4] as const
const LOOK_MS = 1

/** A node with a real kernel: an agent of its own process, whose hooks are those of a network namespace. */
export interface RealNode {
  readonly name: string
  /** Waits until the kernel runs a program on its interface, or runs none; gives when that was seen. Throws after `most_ms`. */
  untilHook(runs: boolean, most_ms: number): Promise<number>
}

/** Makes the namespaces and starts the agent; `cleanup` is told how to remove them. */
export async function startRealNode(
  letter: string,
  lab: Lab,
  registry: FleetRegistry,
  cleanup: Cleanup,
): Promise<RealNode> {
  const name = `bench-${process.pid}-${letter}`
  const end = (suffix: string, host: number) => ({
    namespace: lab.namespace(`${letter}${suffix}`),
    interface: 'eth0',
    addresses: [`198.18.${letter.charCodeAt(0)}.${host}/24`],
  })
  const { namespace } = lab.link(end('-clients', 1), end('', 2)).b
  const state = join(registry.dir, `agent-${letter}`)
  mkdirSync(state)
  const labels = Object.entries(LABELS).flatMap(([key, value]) => ['--label', `${key}=${value}`])
  const agent = startService(BINARY, [
    ...['agent', '--registry', registry.url, '--state', state, '--trust', registry.trustFile],
    ...['--name', name, ...labels, '--netns', namespace.name, '--join-token', await registry.joinToken(1)],
  ])
  cleanup.add(`chains of ${name}`, async () => {
    await agent.stop()
    const detach = startService(BINARY, ['agent', '--detach', '--state', state, '--name', name])
    if ((await detach.ended) !== 0) throw new Error(detach.lines.join(' | '))
  })
  await agent.line((line) => line.includes('joined'))
  const path = netnsPath(namespace.name)
  const ifindex = listInterfaces(path).find((one) => one.name === 'eth0')?.ifindex ?? 0
  return {
    name,
    untilHook: async (runs, most_ms) => {
      const end_ms = monotonic_ms() + most_ms
      for (;;) {
        const [found, at_ms] = [inNetns(path, () => programOn(ifindex)), monotonic_ms()]
        if ((found !== 0) === runs) return at_ms
        if (at_ms > end_ms)
          throw new Error(`${name}: ${runs ? 'nothing runs' : `program ${found} still runs`}`)
        await sleep(LOOK_MS)
      }
    },
  }
}

/** Id of the XDP program on an interface of this thread's namespace, 0 for none, as the kernel tells it. */
function programOn(ifindex: number): number {
  const request = Buffer.alloc(LINK_BYTES)
  request.writeInt32LE(ifindex, 4)
  const xdp = attribute(IFLA_XDP, ask(`read interface ${ifindex}`, RTM_GETLINK, request), LINK_BYTES)
  const id = attribute(IFLA_XDP_PROG_ID, xdp)
  return id.length >= 4 ? id.readUInt32LE(0) : 0
}
