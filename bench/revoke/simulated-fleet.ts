import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Cleanup } from '../../tools/demo/cleanup.ts'
import { type FleetRegistry, LABELS } from '../../tools/simulator/fleet-registry.ts'

const SIMULATOR = fileURLToPath(new URL('../../tools/simulator/main.ts', import.meta.url))

/** What the simulator says of its kernels; see KernelChange there. */
const Change = z.object({ node: z.string(), at_ms: z.number(), generation: z.int().optional() })
const Joined = z.object({ joined: z.int() })

/** Nodes without a kernel of their own, in another process. */
export interface SimulatedFleet {
  readonly size: number
  /**
   * Waits until every node came to run a chain, or let it go, since this was asked; gives when each did. Throws after `most_ms`.
   */
  untilAll(runs: boolean, most_ms: number): Promise<number[]>
}

/** Starts `size` nodes, and waits for them to join. */
export async function startSimulated(
  size: number,
  registry: FleetRegistry,
  cleanup: Cleanup,
): Promise<SimulatedFleet> {
  const labels = Object.entries(LABELS).flatMap(([key, value]) => ['--label', `${key}=${value}`])
  const { url, trustFile } = registry
  const args = ['--nodes', String(size), '--registry', url, '--trust', trustFile, ...labels, '--events']
  const child = spawn(process.execPath, [SIMULATOR, ...args], {
    env: { ...process.env, HOOKLINE_JOIN_TOKEN: await registry.joinToken(size) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanup.add('simulated nodes', () => stop(child))
  /** When each node did it last, by what it did. */
  const [ran, let_go] = [new Map<string, number>(), new Map<string, number>()]
  const waiting = new Set<() => void>()
  child.once('exit', () => {
    for (const look of waiting) look()
  })
  let joined = false
  createInterface({ input: child.stdout }).on('line', (line) => {
    const value: unknown = JSON.parse(line)
    const change = Change.safeParse(value).data
    if (change === undefined) joined = Joined.parse(value).joined === size
    else {
      const [to, from] = change.generation === undefined ? [let_go, ran] : [ran, let_go]
      to.set(change.node, change.at_ms)
      from.delete(change.node)
    }
    for (const look of waiting) look()
  })
  const until = (holds: () => boolean, what: string, most_ms: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        waiting.delete(look)
        settle()
      }
      const timer = setTimeout(() => end(() => reject(new Error(`simulated nodes: ${what}`))), most_ms)
      const look = (): void => {
        if (holds()) end(resolve)
        else if (hasEnded(child)) end(() => reject(new Error('the simulator ended')))
      }
      waiting.add(look)
      look()
    })
  await until(() => joined, 'they did not join', JOIN_MS)
  return {
    size,
    untilAll: async (runs, most_ms) => {
      const all = runs ? ran : let_go
      await until(() => all.size === size, `not all of them ${runs ? 'run' : 'let go'}`, most_ms)
      return [...all.values()]
    },
  }
}
const JOIN_MS = 120_000

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}
