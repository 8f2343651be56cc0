import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { packetsOf } from '../../src/domain/hook.ts'
import type { Observed, ObservedChain } from '../../src/domain/node.ts'
import { buildProgram, PROGRAMS } from '../build-programs.ts'
import { Narrator } from './narrator.ts'
import { residentMiB } from './processes.ts'
import { type Refusals, refusedByAgent, refusedByRegistry } from './refusals.ts'
import { startTraffic, stopTraffic, type TrafficResult, untilCounted } from './traffic.ts'
import { type DemoNode, World } from './world.ts'

const CATALOG = ['scrub', 'ratelimit', 'counter'] as const
const UPGRADE_VERSION = '1.0.1'
/** Position of the program that is upgraded, from 0. */
const UPGRADED = 1
const LEAD_MS = 3000
const MOST_UPGRADE_MS = 15_000

const FUNCTION = `kind: function
name: edge
selector: { role: edge }
interfaces: ["eth*"]
instances:
  - { use: hookline/scrub@^1.0 }
  - { use: hookline/ratelimit@^1.0, name: limit, config: { rate: 300, burst: 300 } }
  - { use: hookline/counter@^1.0 }
`

/** The measured values, as `--json` prints them. */
interface Result {
  published: number
  nodes: number
  chain: string[]
  packets: {
    sent: number
    first: number
    last: number
    lostDuringUpgrade: number
    escapedDuringUpgrade: number
  }
  refused: Refusals
  publishToRunningMs: number
  agentRssMiB: number
  registryRssMiB: number
}

async function publishCatalog(world: World, key: string, narrator: Narrator): Promise<number> {
  for (const name of CATALOG) {
    const dir = world.path('releases', name)
    buildProgram(join(PROGRAMS, name), { outDir: dir })
    const view = await world.hookline(
      z.object({ program: z.string(), version: z.string() }),
      'publish',
      dir,
      '--key',
      key,
    )
    narrator.line(`published ${view.program}@${view.version}`)
  }
  return CATALOG.length
}

const runs =
  (count: number) =>
  (observed: Observed): boolean =>
    observed.chains[0]?.entries.length === count &&
    observed.functions.every(({ state }) => state === 'running')

const onlyChain = (observed: Observed): ObservedChain => {
  const chain = observed.chains[0]
  if (chain === undefined) throw new Error('no chain runs')
  return chain
}

/** Publishes a newer rate limiter under traffic; gives the milliseconds from the answer to its first packet everywhere. */
async function upgradeUnderTraffic(world: World, key: string, narrator: Narrator): Promise<number> {
  const dir = world.path('releases', 'ratelimit-next')
  buildProgram(join(PROGRAMS, 'ratelimit'), {
    version: UPGRADE_VERSION,
    defines: { DEFAULT_BURST: 400 },
    outDir: dir,
  })
  const chains = world.nodes.map((node) => {
    const observed = world.statusOf(node)
    if (observed === undefined) throw new Error(`${node.name} says nothing`)
    return { node, chain: onlyChain(observed) }
  })
  await world.hookline(z.unknown(), 'publish', dir, '--key', key)
  const answered = performance.now()
  narrator.line(
    `published hookline/ratelimit@${UPGRADE_VERSION}; the function asks for ^1.0, so the nodes take it by themselves`,
  )
  return Math.round((await untilCounted(chains, UPGRADED, MOST_UPGRADE_MS)) - answered)
}

/** Packets that reached an entry, over nodes and generations. */
const reached = (observed: readonly Observed[], pick: (chain: ObservedChain) => number): number =>
  observed.reduce((sum, one) => {
    const chain = onlyChain(one)
    const entry = chain.entries[pick(chain)]
    return sum + (entry === undefined ? 0 : packetsOf(entry.total))
  }, 0)

/** A queue that overflowed would make the counts mean nothing: the run fails by its name. */
function requireNoQueueDrops({ queueDrops, socketDrops }: TrafficResult): void {
  if (queueDrops > 0)
    throw new Error(`veth_queue_drops: ${queueDrops} packets found a full queue before the hook`)
  if (socketDrops > 0)
    throw new Error(`socket_drops: ${socketDrops} packets found the receiver's buffer full`)
}

async function waitForAll(
  world: World,
  what: string,
  fits: (observed: Observed) => boolean,
): Promise<Observed[]> {
  return Promise.all(world.nodes.map((node: DemoNode) => world.until(node, what, fits)))
}

async function run(world: World, narrator: Narrator): Promise<Result> {
  narrator.step(
    'A registry starts, with its own PostgreSQL; keys are made for a publisher, an operator and a stranger',
  )
  await world.startRegistry()
  narrator.line(`registry on ${world.url}`)
  const [publisher, operator, stranger] = [
    await world.key('publisher'),
    await world.key('operator'),
    await world.key('stranger'),
  ]
  await world.hookline(z.unknown(), 'namespace', 'create', 'hookline')
  await world.hookline(z.unknown(), 'key', 'add', publisher.publicKey, '--namespace', 'hookline')
  await world.hookline(z.unknown(), 'key', 'add', operator.publicKey, '--operator')
  world.writePolicy(operator.fingerprint, publisher.fingerprint)

  narrator.step('Three programs are built and published, signed')
  let published = await publishCatalog(world, publisher.privateKey, narrator)

  narrator.step('Two nodes join; each keeps its own key and its own trust policy')
  for (const letter of ['a', 'b']) narrator.line(`joined: ${(await world.addNode(letter)).name}`)

  narrator.step('An operator signs a function: what runs, in which order, on which interfaces of which nodes')
  writeFileSync(world.path('edge.yaml'), FUNCTION)
  await world.hookline(
    z.unknown(),
    'function',
    'apply',
    world.path('edge.yaml'),
    '--key',
    operator.privateKey,
  )
  await waitForAll(world, 'the chain', runs(CATALOG.length))
  narrator.line('each node fetched, verified and fused three programs into one, attached to its XDP hook')

  narrator.step('Clients send: good packets, bogus ones, and a flood from one source')
  const streams = await startTraffic(world)
  await sleep(LEAD_MS)
  narrator.block(await world.hooklineText('status'))

  narrator.step('A program is upgraded while packets flow')
  const publishToRunningMs = await upgradeUnderTraffic(world, publisher.privateKey, narrator)
  published++
  narrator.line(
    `${publishToRunningMs} ms from the publish to the first packet through the new version on the last node`,
  )
  await sleep(LEAD_MS)
  const traffic = await stopTraffic(streams)
  requireNoQueueDrops(traffic)
  const memory = {
    agent: Math.max(...world.nodes.map(({ agent }) => residentMiB(agent.pid))),
    registry: residentMiB(world.registryPid),
  }
  const reachedAll = (observed: Observed): boolean =>
    reached([observed], () => 0) >= traffic.sent / world.nodes.length / 2
  await sleep(LEAD_MS / 2) // the agents' last counts
  const observed = await waitForAll(world, 'the final counts', reachedAll)
  const packets = {
    sent: traffic.sent,
    first: reached(observed, () => 0),
    last: reached(observed, (chain) => chain.entries.length - 1),
    lostDuringUpgrade: traffic.lost,
    escapedDuringUpgrade: traffic.escaped,
  }
  narrator.line(
    `sent ${packets.sent}, of them ${traffic.bogus} bogus; lost ${packets.lostDuringUpgrade}, escaped ${packets.escapedDuringUpgrade}; the rate limit dropped ${traffic.floodDropped} of the flood`,
  )

  narrator.step('What must be refused, is: at the registry …')
  const atRegistry = await refusedByRegistry(world, stranger.privateKey)
  narrator.line(`an unsigned release: ${atRegistry.unsigned}`)
  narrator.line(`a stranger's signature: ${atRegistry.wrongSigner}`)
  narrator.step('… and at the node, when the registry itself lies')
  const last = world.nodes.at(-1)
  if (last === undefined) throw new Error('no node')
  const atAgent = await refusedByAgent(world, last, world.path('releases', 'counter'))
  narrator.line(`an object with one bit changed, digests changed to fit: ${atAgent.tampered}`)
  narrator.line(`a function altered after signing: ${atAgent.alteredFunction}`)
  narrator.line('the chain ran on unchanged through both')
  narrator.block(await world.hooklineText('status'))

  return {
    published,
    nodes: observed.length,
    chain: onlyChain(observed[0] ?? { at: '', agent: '', functions: [], chains: [], errors: [] }).entries.map(
      ({ release }) => release,
    ),
    packets,
    refused: { ...atRegistry, ...atAgent },
    publishToRunningMs,
    agentRssMiB: memory.agent,
    registryRssMiB: memory.registry,
  }
}

/** How to look around while everything is up. */
function explain(world: World): string {
  const settings = `HOOKLINE_URL=${world.url} HOOKLINE_TOKEN=${world.token}`
  return [
    `  export ${settings}`,
    '  npm run --silent hookline -- status',
    '  npm run --silent hookline -- show hookline/scrub',
    `  npm run --silent hookline -- function apply ${world.path('edge.yaml')} --key ${world.path('operator.pem')}`,
    `  ip netns exec ${world.nodes[0]?.edge.namespace.name} ip link show eth0`,
    'Ctrl-C ends the demo and removes all that it made.',
  ].join('\n')
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { exit: { type: 'boolean' }, json: { type: 'boolean' } } })
  const narrator = new Narrator()
  if (process.getuid?.() !== 0) {
    narrator.line('the demo makes network namespaces and loads BPF, which needs root: sudo npm run demo')
    return 1
  }
  narrator.step('Building the package and the programs')
  const world = new World()
  const interrupted = Promise.withResolvers<'interrupted'>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupted.resolve('interrupted'))
  let code = 0
  let result: Result | undefined
  try {
    const outcome = await Promise.race([run(world, narrator), interrupted.promise])
    if (outcome === 'interrupted') code = 130
    else {
      result = outcome
      if (!values.exit) {
        narrator.step('Everything stays up. In another terminal:')
        narrator.block(explain(world))
        await interrupted.promise
      }
    }
  } catch (error) {
    narrator.line(`failed: ${error instanceof Error ? error.message : error}`)
    code = 1
  }
  narrator.step('Cleaning up')
  for (const failure of await world.cleanup.run()) {
    narrator.line(`left behind: ${failure}`)
    code = 1
  }
  if (result !== undefined && values.json) console.log(JSON.stringify(result))
  return code
}

process.exitCode = await main()
