import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { counterBytes, rulesOf } from '../../src/bytecode/verdict-rules.ts'
import type { GenerationRecord } from '../../src/domain/generation.ts'
import type { Hook } from '../../src/domain/hook.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { ensureBpffs, openPin, pinName } from '../../src/kernel/bpffs.ts'
import { type Random, seededRandom } from '../fuzz/random.ts'
import { FIRST, GUARD } from './change.ts'
import type { ChangerTask, ChangerWord } from './changer.ts'
import { BPFFS, change, type Host, listPins, openHost, pinsOf, removePins } from './host.ts'
import { type Crossing, layRoad, startTraffic } from './road.ts'
import { intact, type Testimony, testimonyOf } from './witness.ts'

const CHANGER = new URL('changer.ts', import.meta.url)
/** A process that takes longer over one change hangs. */
const CHANGE_MS = 30_000
/** Changes that a process makes before one is chosen to be its last, at most. */
const CHANGES_BEFORE = 3

/** How often, and under how much traffic. */
export interface KillOptions {
  readonly hook: Hook
  /** How the chain is attached to TC; without a meaning on XDP. */
  readonly tc: 'tcx' | 'clsact'
  readonly count: number
  readonly seed: number
  readonly rate_pps: number
  readonly onProgress?: (kills: number) => void
}

/** What was found after the kills. */
export interface KillReport extends Crossing, Testimony {
  readonly kills: number
  /** After so many, the hook ran a whole generation that was pinned and remembered. */
  readonly whole: number
  /** What was wrong with the others. */
  readonly faults: readonly string[]
  /** Of them, so many came while a generation was built and not yet switched to, and so many behind the switch. */
  readonly before: number
  readonly after: number
  /** Pins at the end that neither the running nor the kept generation needs. */
  readonly pinsLeaked: number
  readonly leaked: readonly string[]
  /** Pins that one of them needs and that are not there. */
  readonly pinsMissing: number
  readonly stateIntact: boolean
}

/**
 * Kills, by SIGKILL, process after process in the middle of a change of a chain that is under traffic. After each kill it
 * looks what runs; the next process takes over. Needs root; attaches only inside its own network namespace.
 */
export async function soakKill(options: KillOptions): Promise<KillReport> {
  ensureBpffs(BPFFS)
  using road = layRoad(options.hook)
  const agent = `kill-${process.pid}`
  const stateDir = await mkdtemp(join(tmpdir(), 'hookline-kill-'))
  const { hook, tc } = options
  const place = { agent, stateDir, netns: road.node.path, hook, tc }
  const random = seededRandom(options.seed, 0)
  const faults: string[] = []
  const passed = { before: 0, after: 0 }
  try {
    {
      using host = await openHost(place)
      await change(host, FIRST) // the first attach is no change: what came before it was not filtered
    }
    const traffic = await startTraffic(road, options.rate_pps)
    for (let kill = 1; kill <= options.count; kill++) {
      const former = await runningIn(place)
      const wanted = await killOne({ ...place, seed: options.seed, stream: kill }, random)
      const found = await inspect(place, [former, ...wanted])
      if (found.fault !== undefined) faults.push(`kill ${kill}: ${found.fault}`)
      else passed[found.specs === wanted.at(-1) ? 'after' : 'before']++
      options.onProgress?.(kill)
    }
    await converge({ ...place, seed: options.seed, stream: 0, changes: 2 })
    const crossing = await traffic.stop()
    using host = await openHost(place)
    const testimony = await testimonyOf(host, agent)
    const { leaked, missing } = await tidiness(host, agent)
    return {
      ...{ ...crossing, ...testimony, ...passed, faults, leaked },
      kills: options.count,
      whole: options.count - faults.length,
      pinsLeaked: leaked.length,
      pinsMissing: missing.length,
      stateIntact: intact(crossing, testimony),
    }
  } finally {
    removePins(agent)
    await rm(stateDir, { recursive: true, force: true })
  }
}

type Place = Parameters<typeof openHost>[0]

function start(task: ChangerTask): ChildProcess {
  return fork(CHANGER, [JSON.stringify(task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

/** Lets a process make some changes and kills it in one of them. Gives the chains that it was told to bring, the last one last. */
async function killOne(task: ChangerTask, random: Random): Promise<string[]> {
  const child = start(task)
  const end = once(child, 'exit')
  const late = setTimeout(() => child.kill('SIGKILL'), CHANGE_MS)
  const wanted: string[] = []
  const last = 1 + random(CHANGES_BEFORE)
  let took = 60 // ms; of the change before, as a measure for the one that is cut short
  const cut = Promise.withResolvers<void>()
  child.on('message', (word: ChangerWord) => {
    if (word.kind === 'done') took = word.ms
    else {
      wanted.push(word.specs.join())
      if (wanted.length === last) cut.resolve()
    }
  })
  await Promise.race([cut.promise, end])
  await sleep(random(Math.ceil(took * 1.2)))
  child.kill('SIGKILL') // its own pid alone; its loading process sees the channel close
  const [code, signal] = (await end) as [number | null, NodeJS.Signals | null]
  clearTimeout(late)
  if (signal !== 'SIGKILL') throw new Error(`the changing process ended by itself with ${code}`)
  return wanted
}

/** The last process: it takes over, makes its changes and ends. */
async function converge(task: ChangerTask): Promise<void> {
  const [code] = (await once(start(task), 'exit')) as [number | null]
  if (code !== 0) throw new Error(`the last changing process ended with ${code}`)
}

const specsOf = ({ entries }: GenerationRecord): string => entries.map(({ spec }) => spec).join()

async function runningIn(place: Place): Promise<string> {
  const { specs = '', fault } = await inspect(place, undefined)
  if (fault !== undefined) throw new Error(fault)
  return specs
}

/** What runs on the hook: the kernel's word, the pins and the memory together. */
async function inspect(
  place: Place,
  wanted: readonly string[] | undefined,
): Promise<{ readonly specs?: string; readonly fault?: string }> {
  using host = await openHost(place)
  const { key, hook } = host.site
  const chain = host.kernel.pinned().find((one) => one.key === key)
  const running = chain?.generations.find(({ programId }) => programId === chain.link?.programId)
  if (chain?.link === undefined) return { fault: 'nothing runs' }
  if (running === undefined) return { fault: `program ${chain.link.programId} runs, which is not pinned` }
  const record = (await host.state.chains()).find((one) => one.key === key)
  const remembered = record?.generations.find(({ generation }) => generation === running.generation)
  if (remembered === undefined) return { fault: `generation ${running.generation} is not remembered` }
  using counters = openPin(join(pinsOf(place.agent), key, `gen-${running.generation}`, 'counters'))
  const room = counters === undefined ? 0 : mapInfo(counters).valueBytes
  if (room !== remembered.entries.length * counterBytes(rulesOf(hook, place.tc)))
    return { fault: `generation ${running.generation} has not the counters of its entries` }
  if (!remembered.entries.some(({ instance }) => instance === GUARD))
    return { fault: `generation ${running.generation} has no guard` }
  const specs = specsOf(remembered)
  if (wanted !== undefined && !wanted.includes(specs))
    return { fault: `generation ${running.generation} is a chain that nobody wanted` }
  return { specs }
}

/** Pins too many and too few, by what is remembered of the running and the kept generation. */
async function tidiness(host: Host, agent: string): Promise<{ leaked: string[]; missing: string[] }> {
  const { key } = host.site
  const chain = host.kernel.pinned().find((one) => one.key === key)
  const record = (await host.state.chains()).find((one) => one.key === key)
  const running = chain?.generations.find(({ programId }) => programId === chain.link?.programId)
  const kept = record?.generations.filter(
    ({ generation }) => generation === running?.generation || generation === record.previous,
  )
  const needed = new Set([
    ...(chain?.link?.mode === 'clsact' ? [] : [join(key, 'link')]), // there is none to pin on clsact
    ...(kept ?? []).flatMap(({ generation, stateKeys }) => [
      join(key, `gen-${generation}`, 'program'),
      join(key, `gen-${generation}`, 'counters'),
      ...stateKeys.map((stateKey) => join('maps', pinName(stateKey))),
    ]),
  ])
  const there = listPins(pinsOf(agent))
  return {
    leaked: there.filter((path) => !needed.has(path)),
    missing: [...needed].filter((path) => !there.includes(path)),
  }
}
