import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Cleanup } from '../../tools/demo/cleanup.ts'
import { Lab, removeStale } from '../../tools/lab/namespaces.ts'
import { FIRST, type FleetRegistry, startFleetRegistry } from '../../tools/simulator/fleet-registry.ts'
import { monotonic_ms } from '../../tools/simulator/simulated-node.ts'
import { load, machine } from '../machine.ts'
import { type Times, timesOf, timesTable } from '../times.ts'
import { type RealNode, startRealNode } from './real-node.ts'
import { type SimulatedFleet, startSimulated } from './simulated-fleet.ts'

const HELP = `npm run bench:revoke -- [options]: from a revocation to the moment at which no node runs what was revoked
  --nodes N    simulated nodes, in one process (default 100)
  --real N     nodes with a real kernel, in network namespaces that it makes (default 2)
  --rounds N   releases that are published, taken up by all, and revoked (default 20), after one that does not count
  --json       the figures as one line, the last
Needs root. Ctrl-C removes all that it made. Exit code 1 when the floor is missed (p99 under a second), 130 when a signal ended it.`

const FLOOR_MS = 1000
/** A chain has to be there, or gone, within: beyond that the bench fails. */
const MOST_MS = 60_000
/** Between the last chain's change and the revocation: reports are sent, logs were read. */
const QUIET_MS = 1500
const MOST_REAL = 26

interface Fleet {
  readonly registry: FleetRegistry
  readonly real: readonly RealNode[]
  readonly simulated: SimulatedFleet
}

/** When the chains of a round were let go, in ms since the revocation was sent, and when the registry had answered. */
interface Round {
  readonly answered: number
  readonly real: readonly number[]
  readonly simulated: readonly number[]
}

const note = (line: string): void => void process.stderr.write(`${line}\n`)

async function startFleet(nodes: number, real: number, cleanup: Cleanup): Promise<Fleet> {
  removeStale()
  const registry = await startFleetRegistry(cleanup)
  const lab = new Lab()
  cleanup.add('network namespaces', () => lab.close())
  const started: RealNode[] = []
  for (let at = 0; at < real; at++)
    started.push(await startRealNode(String.fromCharCode(97 + at), lab, registry, cleanup))
  return { registry, real: started, simulated: await startSimulated(nodes, registry, cleanup) }
}

/** Waits until every hook has a program, or none; gives when each was so. */
async function untilAll(
  { real, simulated }: Fleet,
  runs: boolean,
): Promise<{ real: number[]; simulated: number[] }> {
  const [hooks, kernels] = await Promise.all([
    Promise.all(real.map((node) => node.untilHook(runs, MOST_MS))),
    simulated.untilAll(runs, MOST_MS),
  ])
  return { real: hooks, simulated: kernels }
}

/** Lets all nodes run a release, and revokes it. */
async function round(fleet: Fleet, version: string): Promise<Round> {
  const { registry } = fleet
  if (version !== FIRST) await registry.publish(version)
  await untilAll(fleet, true)
  await sleep(QUIET_MS)
  const envelope = registry.signRevocation(version)
  const gone = untilAll(fleet, false)
  const sent = monotonic_ms()
  await registry.client.revoke(envelope)
  const answered = monotonic_ms() - sent
  const { real, simulated } = await gone
  const since = (at_ms: number): number => at_ms - sent
  return { answered, real: real.map(since), simulated: simulated.map(since) }
}

async function measureRounds(
  nodes: number,
  real: number,
  rounds: number,
  cleanup: Cleanup,
): Promise<Round[]> {
  const fleet = await startFleet(nodes, real, cleanup)
  const measured: Round[] = []
  for (let at = 0; at <= rounds; at++) {
    const one = await round(fleet, `1.0.${at}`)
    const last = Math.max(...one.real, ...one.simulated)
    note(`round ${at}: answered after ${one.answered.toFixed(0)} ms, all gone after ${last.toFixed(0)} ms`)
    if (at > 0) measured.push(one)
  }
  return measured
}

/** Resolves when a signal asks for the end; the same one again does not hurry it. */
function interruption(): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(undefined))
  return promise
}

/** Measures, and removes all that was made for it, whatever ends it; undefined when a signal did. */
async function measure(nodes: number, real: number, rounds: number): Promise<Round[] | undefined> {
  const interrupted = interruption()
  const cleanup = new Cleanup()
  try {
    return await Promise.race([measureRounds(nodes, real, rounds, cleanup), interrupted])
  } finally {
    for (const failure of await cleanup.run()) note(failure)
  }
}

/** The times of all rounds, from the sending of the revocation or from the registry's answer to it. */
function figuresOf(rounds: readonly Round[]) {
  const from = (
    begin: (one: Round) => number,
    pick: (one: Round) => readonly number[],
  ): Times | undefined => {
    const times = rounds.flatMap((one) => pick(one).map((at) => at - begin(one)))
    return times.length === 0 ? undefined : timesOf(times)
  }
  const [answer, sending] = [(one: Round): number => one.answered, (): number => 0]
  const both = ({ real, simulated }: Round): number[] => [...real, ...simulated]
  return {
    all: from(answer, both),
    allFromSending: from(sending, both),
    real: from(answer, ({ real }) => real),
    realFromSending: from(sending, ({ real }) => real),
    simulated: from(answer, ({ simulated }) => simulated),
    answers: timesOf(rounds.map(({ answered }) => answered)),
  }
}

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100' },
    real: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const sizes = { nodes: Number(values.nodes), real: Number(values.real), rounds: Number(values.rounds) }
const isWhole = (number: number, least: number): boolean => Number.isSafeInteger(number) && number >= least
if (values.help) console.log(HELP)
else if (
  !isWhole(sizes.nodes, 1) ||
  !isWhole(sizes.rounds, 1) ||
  !isWhole(sizes.real, 0) ||
  sizes.real > MOST_REAL
) {
  console.error('bench:revoke: --nodes and --rounds are whole numbers from 1, --real one from 0 to 26')
  process.exitCode = 2
} else {
  const measured = await measure(sizes.nodes, sizes.real, sizes.rounds)
  if (measured === undefined) process.exit(130) // what still waits for nodes waits for none
  const figures = figuresOf(measured)
  const { all, allFromSending, real, realFromSending, simulated, answers } = figures
  const rows = [
    ...[
      ['all nodes, from the answer', all] as const,
      ['all nodes, from the sending', allFromSending] as const,
    ],
    ...[
      ['real kernels, from the answer', real] as const,
      ['real kernels, from the sending', realFromSending] as const,
    ],
    ...[
      ['simulated nodes, from the answer', simulated] as const,
      ['the registry’s answer', answers] as const,
    ],
  ]
  console.log(`${machine()}, load ${load()}\n`)
  console.log(
    timesTable(rows.flatMap(([name, times]) => (times === undefined ? [] : [[name, times] as const]))),
  )
  const p99 = all?.p99Ms ?? Number.POSITIVE_INFINITY
  console.log(`\n${p99 < FLOOR_MS ? 'holds ' : 'MISSED'} revokeToDetachedP99Ms ${p99}, floor ${FLOOR_MS}`)
  if (!(p99 < FLOOR_MS)) process.exitCode = 1
  if (values.json)
    console.log(
      JSON.stringify({
        ...{
          revokeToDetachedP50Ms: all?.p50Ms,
          revokeToDetachedP99Ms: p99,
          revokeToDetachedMaxMs: all?.maxMs,
        },
        ...{ fromSendingP50Ms: allFromSending?.p50Ms, fromSendingP99Ms: allFromSending?.p99Ms },
        ...{ machine: machine(), load: load(), sizes, details: figures },
      }),
    )
}
