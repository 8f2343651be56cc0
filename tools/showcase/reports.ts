import { sha256Digest } from '../../src/attest/keys.ts'
import { type FunctionSpec, instanceName, type Labels, selects } from '../../src/domain/function.ts'
import { DEFAULT_PROCEED, HOOKS, type Hook, noPackets, type VerdictCounts } from '../../src/domain/hook.ts'
import { newestFitting, parseRef } from '../../src/domain/names.ts'
import type { ErrorView, Observed, ObservedChain, ObservedFunction } from '../../src/domain/node.ts'
import { type Random, seededRandom } from '../fuzz/random.ts'
import type { ShowcaseRelease } from './releases.ts'

/** An order in force. */
export interface Running {
  readonly revision: number
  readonly spec: FunctionSpec
}

/** What stands in the way of a function on a node. */
interface Trouble {
  readonly function: string
  readonly state: ObservedFunction['state']
  readonly error: ErrorView
}

/** The report of a node that runs all that selects it but what has troubles; packets by its name, always the same. */
export function reportOf(
  { name, labels, agent }: { name: string; labels: Labels; agent: string },
  running: readonly Running[],
  troubles: readonly Trouble[],
  releases: ReadonlyMap<string, ShowcaseRelease>,
  at: Date,
): Observed {
  const mine = running
    .filter(({ spec }) => selects(spec.selector, labels))
    .sort((a, b) => a.spec.priority - b.spec.priority || (a.spec.name < b.spec.name ? -1 : 1))
  const functions = mine.map(({ revision, spec }): ObservedFunction => {
    const trouble = troubles.find((one) => one.function === spec.name)
    return trouble === undefined
      ? { name: spec.name, revision, state: 'running' }
      : { name: spec.name, revision: 0, state: trouble.state, error: trouble.error }
  })
  const run = mine.filter(({ spec }) => !troubles.some((one) => one.function === spec.name))
  const random = seededRandom(
    11,
    [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 3) % 2 ** 31,
  )
  const interfaces = [...new Set(run.flatMap(({ spec }) => spec.interfaces))].sort()
  const chains = interfaces.flatMap((device, index) =>
    HOOKS.flatMap((hook) => {
      const there = run.filter(({ spec }) => spec.interfaces.includes(device))
      return chainOf({ device, ifindex: index + 3, hook, run: there, releases, random, at })
    }),
  )
  return { at: at.toISOString(), agent, functions, chains, errors: [] }
}

interface Place {
  readonly device: string
  readonly ifindex: number
  readonly hook: Hook
  readonly run: readonly Running[]
  readonly releases: ReadonlyMap<string, ShowcaseRelease>
  readonly random: Random
  readonly at: Date
}

type Entry = ObservedChain['entries'][number]

/** The chain of one hook, or none where nothing is for it. */
function chainOf({ device, ifindex, hook, run, releases, random, at }: Place): ObservedChain[] {
  let packets = 40_000_000 + random(400_000_000)
  const entries: Entry[] = []
  const functions = new Map<string, number>()
  for (const { revision, spec } of run)
    for (const instance of spec.instances) {
      const { manifest, files } = releaseOf(instance.use, releases)
      for (const { entry, object, hook: on, proceed } of manifest.programs) {
        if (on !== hook) continue
        functions.set(spec.name, revision)
        const dropped = manifest.permissions.includes('drop') ? Math.floor((packets * random(40)) / 1000) : 0
        const counts = countsOf(hook, packets - dropped, dropped)
        entries.push({
          ...{ position: entries.length + 1, function: spec.name, instance: instanceName(instance), entry },
          release: `${manifest.name}@${manifest.version}`,
          object: sha256Digest(files.get(object) ?? Buffer.alloc(0)),
          proceed: [...(proceed ?? DEFAULT_PROCEED[hook])],
          ...{ form: 'fused', packets: counts, total: counts },
        })
        packets -= dropped
      }
    }
  if (entries.length === 0) return []
  return [
    {
      ...{ netns: '', interface: device, ifindex, hook, mode: hook === 'xdp' ? 'native' : 'tcx' },
      functions: [...functions].map(([name, revision]) => ({ name, revision })),
      ...{ generation: 2 + random(9), linkId: 11 + random(80), programId: 100 + random(900) },
      programTag: sha256Digest(Buffer.from(JSON.stringify(entries))).slice(7, 23),
      since: new Date(at.getTime() - (3 + random(180)) * 3_600_000).toISOString(),
      entries,
    },
  ]
}

function releaseOf(use: string, releases: ReadonlyMap<string, ShowcaseRelease>): ShowcaseRelease {
  const { program, rest } = parseRef(use)
  const versions = [...releases.values()].flatMap(({ manifest: { name, version } }) =>
    name === program ? [version] : [],
  )
  const release = releases.get(`${program}@${newestFitting(versions, rest)}`)
  if (release === undefined) throw new Error(`no release fits ${use}`)
  return release
}

const countsOf = (hook: Hook, passed: number, dropped: number): VerdictCounts =>
  hook === 'xdp'
    ? { ...noPackets(hook), pass: passed, drop: dropped }
    : { ...noPackets(hook), ok: passed, shot: dropped }
