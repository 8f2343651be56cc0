import { parseArgs } from 'node:util'
import { readPolicy } from '../../src/cli/policy-file.ts'
import { Cleanup } from '../demo/cleanup.ts'
import { residentMiB } from '../demo/processes.ts'
import { LABELS, startFleetRegistry } from './fleet-registry.ts'
import { type KernelChange, type SimulatedNode, startNode } from './simulated-node.ts'

const HELP = `npm run simulate -- [options]: agents that speak the real protocol to a registry, with kernels in memory
  --nodes N          how many (default 100), all in this process
  --seconds N        ends after so long; default: on Ctrl-C
  --registry URL     the registry; default: one of its own, with a program that all nodes run
  --trust FILE       with --registry: the nodes' trust.yaml
  --label KEY=VALUE  with --registry: a label of all nodes, again for more
  --name PREFIX      nodes are called PREFIX-1, PREFIX-2, ... (default sim)
  --events           each change of a kernel as a line of JSON; at_ms is CLOCK_MONOTONIC
  --json             a summary as one line, the last
With --registry the environment's HOOKLINE_JOIN_TOKEN is a join token for all of them that allows their labels.
Each joins, signs its requests, follows the log, waits for its desired state, checks what it is sent and reports what it runs, by the
agent's own code; interfaces are eth0 and eth1. Files are fetched once for all.`

/** Nodes that join at the same time. */
const TOGETHER = 16
const SECOND_MS = 1000

interface Options {
  readonly nodes: number
  readonly seconds: number | undefined
  readonly name: string
  readonly registry: string | undefined
  readonly trust: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly events: boolean
}

/** What happened, as the summary counts it. */
class Tally {
  activated = 0
  detached = 0
  /** Lines of agents that name an error, by its code. */
  readonly problems = new Map<string, number>()

  change({ generation }: KernelChange): void {
    if (generation === undefined) this.detached += 1
    else this.activated += 1
  }
  say(line: string): void {
    const code = /\[([a-z_]+)\]/.exec(line)?.[1]
    if (code !== undefined) this.problems.set(code, (this.problems.get(code) ?? 0) + 1)
  }
}

const note = (line: string): void => void process.stderr.write(`${line}\n`)

/** Where the nodes join, and by what. */
async function placeOf(options: Options, cleanup: Cleanup) {
  const { registry, trust, nodes, labels } = options
  if (registry !== undefined) {
    const joinToken = process.env['HOOKLINE_JOIN_TOKEN']
    if (trust === undefined || joinToken === undefined)
      throw new Error('--registry needs --trust, and HOOKLINE_JOIN_TOKEN in the environment')
    return { registry, joinToken, trust, labels }
  }
  const own = await startFleetRegistry(cleanup)
  note(`registry ${own.url}`)
  return { registry: own.url, joinToken: await own.joinToken(nodes), trust: own.trustFile, labels: LABELS }
}

/** Lets all join, some at a time. */
async function startAll(options: Options, cleanup: Cleanup, tally: Tally): Promise<SimulatedNode[]> {
  const { trust, ...place } = await placeOf(options, cleanup)
  const { policy } = await readPolicy(trust)
  const names = Array.from({ length: options.nodes }, (_, at) => `${options.name}-${at + 1}`)
  const nodes: SimulatedNode[] = []
  cleanup.add('nodes', () => Promise.all(nodes.map((node) => node.close())))
  const onChange = (change: KernelChange): void => {
    tally.change(change)
    if (options.events) console.log(JSON.stringify(change))
  }
  const parts = {
    ...place,
    policy,
    blobs: new Map(),
    onChange,
    say: (_: string, line: string) => tally.say(line),
  }
  while (nodes.length < names.length) {
    const next = names.slice(nodes.length, nodes.length + TOGETHER)
    nodes.push(...(await Promise.all(next.map((name) => startNode(name, parts)))))
    note(`${nodes.length} of ${names.length} joined`)
  }
  return nodes
}

/** Ends after a time, or when told to. */
function untilTold(seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    if (seconds !== undefined) setTimeout(resolve, seconds * SECOND_MS)
  })
}

const summaryOf = (nodes: readonly SimulatedNode[], tally: Tally) => ({
  nodes: nodes.length,
  running: nodes.filter(({ host }) => [...host.chains.values()].some(({ link }) => link !== undefined))
    .length,
  ...{ activated: tally.activated, detached: tally.detached, problems: Object.fromEntries(tally.problems) },
  rssMiB: residentMiB(process.pid),
})

async function simulate(options: Options, json: boolean): Promise<void> {
  const [cleanup, tally] = [new Cleanup(), new Tally()]
  try {
    const told = untilTold(options.seconds)
    const nodes = await startAll(options, cleanup, tally)
    if (options.events) console.log(JSON.stringify({ joined: nodes.length }))
    let said = ''
    const progress = setInterval(() => {
      const { running, activated, detached } = summaryOf(nodes, tally)
      const line = `${running} of ${nodes.length} run a chain; ${activated} switched, ${detached} detached`
      if (line !== said) note(line)
      said = line
    }, SECOND_MS)
    await told
    clearInterval(progress)
    const summary = summaryOf(nodes, tally)
    const { running, activated, detached, problems, rssMiB } = summary
    const errors = Object.entries(problems).map(([code, count]) => `${code} ${count}`)
    note(
      `${running} of ${summary.nodes} nodes run a chain, ${activated} switched, ${detached} detached, ${rssMiB} MiB`,
    )
    note(`errors that agents named: ${errors.join(', ') || 'none'}`)
    if (json) console.log(JSON.stringify(summary))
  } finally {
    for (const failure of await cleanup.run()) note(failure)
  }
}

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100' },
    seconds: { type: 'string' },
    name: { type: 'string', default: 'sim' },
    registry: { type: 'string' },
    trust: { type: 'string' },
    label: { type: 'string', multiple: true, default: [] },
    events: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const [nodes, seconds] = [
  Number(values.nodes),
  values.seconds === undefined ? undefined : Number(values.seconds),
]
if (values.help) console.log(HELP)
else if (!Number.isSafeInteger(nodes) || nodes < 1 || (seconds !== undefined && !(seconds > 0))) {
  console.error('simulate: --nodes and --seconds are numbers from 1')
  process.exitCode = 2
} else {
  const { name, registry, trust, events } = values
  const labels = Object.fromEntries(values.label.map((text) => text.split('=', 2)))
  await simulate({ nodes, seconds, name, registry, trust, labels, events }, values.json)
}
