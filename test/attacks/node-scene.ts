import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { signRelease } from '../../src/attest/sign-release.ts'
import { LogList } from '../../src/domain/log.ts'
import { Desired } from '../../src/domain/node.ts'
import { type LyingRegistry, startLyingRegistry } from '../../tools/demo/lying-registry.ts'
import { Fleet, type FleetNode, type KeyFile, KNOB_MANIFEST, knobObject } from '../agent/fleet.ts'
import type { BuiltRelease } from '../http/release-builder.ts'

/** A node, and the registry double that it hears. */
interface Watched {
  readonly node: FleetNode
  readonly liar: LyingRegistry
  /** The function that it runs. */
  readonly runs: string
}

/** Two nodes of one registry: function edge runs on the first; the second follows the log and runs function logged. */
export interface NodeScene {
  readonly fleet: Fleet
  readonly plain: Watched
  readonly logged: Watched
  /** Keys that the first node's trust.yaml does not name for acme; `retired` it did name once. */
  readonly keys: Readonly<Record<'stranger' | 'neighbour' | 'retired' | 'intruder', KeyFile>>
  /** Genuine releases that the registry does not offer. */
  readonly releases: Readonly<Record<'old' | 'beyond' | 'next' | 'other', BuiltRelease>>
  /** The order before the one in force. */
  readonly earlier: string
  /** A signed release of acme/knob, or of what `parts` say. */
  build(key: KeyFile, parts?: Partial<BuildParts>): Promise<BuiltRelease>
  /** The first node's trust.yaml; `also` is a further signer of acme. */
  trust(also?: KeyFile): string
  /** The second one's, with further fields of `log`. */
  logTrust(fields?: string): string
  /** Publishes what the second node then has to look up in the log; gives the release. */
  publishLogged(): Promise<string>
}

interface BuildParts {
  readonly program: string
  readonly version: string
  readonly step: number
  readonly also: readonly [string, Buffer][]
}

const INSTANCES = ['one', 'two'].map((name) => ({ use: 'acme/knob@^1.0', name }))

/** Starts registry, doubles and nodes, whose chains run when it is done. The fleet owns all of it. */
export async function startNodeScene(): Promise<NodeScene> {
  const fleet = await Fleet.start()
  try {
    return await prepared(fleet)
  } catch (error) {
    await fleet.close()
    throw error
  }
}

async function prepared(fleet: Fleet): Promise<NodeScene> {
  const [stranger, neighbour] = [await fleet.key('stranger'), await fleet.key('neighbour')]
  const [retired, intruder] = [await fleet.key('retired'), await fleet.key('intruder')]
  const keys = { stranger, neighbour, retired, intruder }
  const trust = (also?: KeyFile): string => trustOf(fleet, neighbour, also)
  const logTrust = await logTrustOf(fleet)
  await fleet.publishKnob('1.1.0', 1)
  await fleet.publishKnob('1.0.0', 1, 'acme/logged')
  const watch = async (letter: string, runs: string, policy: string): Promise<Watched> => {
    const liar = await startLyingRegistry(fleet.url)
    fleet.cleanup.add('liar', () => liar.close())
    return { liar, runs, node: await fleet.node(letter, { url: liar.url, policy }) }
  }
  const plain = await watch('p', 'edge', trust(retired))
  await fleet.apply('edge', plain.node, { instances: INSTANCES })
  await fleet.untilRuns(plain.node, 'edge', 'acme/knob@1.1.0', 'acme/knob@1.1.0')
  const earlier = envelopeOf(plain.node)
  await fleet.apply('edge', plain.node, { instances: INSTANCES, priority: 50 })
  await fleet.until(plain.node, 'the second order', ({ chains }) => chains[0]?.functions[0]?.revision === 2)
  const logged = await watch('l', 'logged', logTrust())
  await fleet.apply('logged', logged.node, { instances: [{ use: 'acme/logged@^1.0' }] })
  await fleet.untilRuns(logged.node, 'logged', 'acme/logged@1.0.0')
  const { publisher } = fleet
  let patch = 0
  return {
    ...{ fleet, plain, logged, keys, earlier, build, trust, logTrust },
    releases: {
      old: await build(publisher, { version: '1.0.0' }),
      beyond: await build(publisher, { version: '2.0.0' }),
      next: await build(publisher),
      other: await build(publisher, { program: 'acme/other', step: 8 }),
    },
    publishLogged: async () => {
      const version = `1.0.${++patch}`
      await fleet.publishKnob(version, 20 + patch, 'acme/logged')
      return `acme/logged@${version}`
    },
  }
}

async function build(
  { key }: KeyFile,
  { program = 'acme/knob', version = '1.2.0', step = 7, also = [] }: Partial<BuildParts> = {},
): Promise<BuiltRelease> {
  const files = new Map([
    ['hookline.yaml', Buffer.from(stringify({ name: program, version, ...KNOB_MANIFEST }))],
    ['knob.bpf.o', knobObject(step)],
    ...also,
  ])
  return { program, version, files, bundle: await signRelease({ program, version, files }, key) }
}

function trustOf(fleet: Fleet, neighbour: KeyFile, also: KeyFile | undefined): string {
  const of = ({ key }: KeyFile): string => `{ key: "${key.fingerprint}" }`
  const signers = [fleet.publisher, ...(also === undefined ? [] : [also])].map(of).join(', ')
  return fleet
    .policy(`  - { match: "other/*", signers: [${of(neighbour)}], permissions: [drop] }`)
    .replace(
      `signers: [${of(fleet.publisher)}]`,
      `signers: [${signers}], minVersion: { "acme/knob": "1.1.0" }`,
    )
}

async function logTrustOf(fleet: Fleet): Promise<(fields?: string) => string> {
  const answer = await fetch(new URL('/api/v1/logs', fleet.url))
  const { logs } = LogList.parse(await answer.json())
  const key = logs.find(({ log }) => log === 'catalog')?.key ?? ''
  return (fields = '') => `${fleet.policy()}\nlog: { key: "${key}"${fields} }\n`
}

/** The order that a node was sent last. */
function envelopeOf({ state }: FleetNode): string {
  const { functions } = Desired.parse(JSON.parse(readFileSync(join(state, 'desired.json'), 'utf8')))
  const [order] = functions
  if (order === undefined) throw new Error('the node has no order')
  return order.envelope
}
