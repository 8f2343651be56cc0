import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { type PrivateKey, parsePrivateKey } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { runCli } from '../../src/cli/run.ts'
import { registryClient } from '../../src/client/registry-client.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { Observed, type ObservedChain } from '../../src/domain/node.ts'
import { Permission } from '../../src/domain/permission.ts'
import { Cleanup } from '../../tools/demo/cleanup.ts'
import { type Service, startService } from '../../tools/demo/processes.ts'
import { Lab, type LinkEnd, removeStale } from '../../tools/lab/namespaces.ts'
import { BINARY } from '../cli/hookline.ts'
import { emulated } from '../support/emulated.ts'
import { compile } from './held-release.ts'
import { listenInside, startRelay } from './relay.ts'

const SETTLE_MS = emulated(20_000)
const LOOK_MS = 10
const BPFFS = '/sys/fs/bpf/hookline'

/** One program that passes or drops all packets, by configuration, and keeps state. */
const KNOB = `
  const volatile __u32 cfg_drop = 0;
  struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");
  SEC("xdp") int xdp_knob(struct xdp_md *ctx) {
    __u32 key = 0;
    __u64 *count = bpf_map_lookup_elem(&seen, &key);
    if (count) __sync_fetch_and_add(count, STEP);
    return cfg_drop ? XDP_DROP : XDP_PASS;
  }
`
/** An object of it; each `step` gives other code. */
export const knobObject = (step = 1): Buffer => compile(KNOB, { STEP: step })
/** The rest of a manifest around {@link knobObject}. */
export const KNOB_MANIFEST = {
  ...{ summary: 'Passes or drops everything', license: 'MIT OR GPL-2.0-only' },
  programs: [{ object: 'knob.bpf.o', entry: 'xdp_knob', hook: 'xdp' }],
  config: [{ name: 'drop', variable: 'cfg_drop', type: 'u32', default: 0, max: 1 }],
  permissions: ['drop'],
}

/** A key pair on disk and in memory. */
export interface KeyFile {
  readonly path: string
  readonly publicPath: string
  readonly key: PrivateKey
}

/** A node: a namespace of its own with a link to its clients, and an agent. */
export interface FleetNode {
  readonly name: string
  readonly state: string
  readonly trust: string
  readonly client: LinkEnd
  readonly edge: LinkEnd
  agent: Service
  /** Where its agent reaches the registry. */
  readonly url: string
  /** Whether its agent runs in the namespace itself, rather than on the host. */
  readonly inside: boolean
  /** When the agent was started last, so that an older one's report is not taken for its own. */
  startedAt: number
}

/** How an agent is started. */
export interface AgentOptions {
  readonly url?: string
  readonly joinToken?: string
  readonly extra?: readonly string[]
}

/** How a node is made. */
export interface NodeOptions extends AgentOptions {
  readonly policy?: string
  /** Its agent runs in the namespace itself and reaches its registry through the link, on which its chains are. */
  readonly inside?: boolean
}

const REGISTRY_PORT = 7070

const CliFailure = z.object({ error: z.object({ code: z.string() }) })
const Addresses = z.array(z.object({ ifname: z.string().optional(), xdp: z.unknown().optional() }))

/** A registry process, keys, and nodes, for one test file. Owns all of it; {@link close} removes it, chains first. */
export class Fleet {
  readonly lab: Lab
  readonly dir: string
  readonly cleanup = new Cleanup()
  /** What commands find in their environment besides. */
  readonly env: Record<string, string> = {}
  registry!: Service
  publisher!: KeyFile
  operator!: KeyFile
  #url = ''
  #token = ''
  #nodes = 0

  private constructor() {
    removeStale()
    this.dir = mkdtempSync(join(tmpdir(), 'hookline-fleet-'))
    chmodSync(this.dir, 0o711) // the database's user walks through
    this.cleanup.add('folder', () => rmSync(this.dir, { recursive: true, force: true }))
    this.lab = new Lab()
    this.cleanup.add('namespaces', () => this.lab.close())
    // compiled once for all starts of the binary
    process.env['NODE_COMPILE_CACHE'] = join(this.dir, 'compiled')
  }

  static async start(): Promise<Fleet> {
    const fleet = new Fleet()
    try {
      await fleet.startRegistry()
      fleet.cleanup.add('registry', () => fleet.registry.stop())
      fleet.publisher = await fleet.key('publisher')
      fleet.operator = await fleet.key('operator')
      for (const namespace of ['acme', 'hookline']) {
        await fleet.hookline('namespace', 'create', namespace)
        await fleet.hookline('key', 'add', fleet.publisher.publicPath, '--namespace', namespace)
      }
      await fleet.hookline('key', 'add', fleet.operator.publicPath, '--operator')
      return fleet
    } catch (error) {
      await fleet.cleanup.run()
      throw error
    }
  }

  /** Removes all; throws what could not be removed. */
  async close(): Promise<void> {
    const failures = await this.cleanup.run()
    if (failures.length > 0) throw new Error(failures.join('; '))
  }

  get url(): string {
    return this.#url
  }
  /** An administrator’s token. */
  get token(): string {
    return this.#token
  }
  path(...parts: string[]): string {
    return join(this.dir, ...parts)
  }

  /** Starts the registry; again on the same port and data after it was stopped. */
  async startRegistry(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port
    const args = ['serve', '--data', this.path('registry'), '--port', port, '--json']
    this.registry = startService(BINARY, args)
    const line = await this.registry.line((text) => text.startsWith('{'))
    const said = z.object({ url: z.string(), adminToken: z.string().optional() }).parse(JSON.parse(line))
    this.#url = said.url
    this.#token = said.adminToken ?? this.#token
  }

  /** Runs a command of the CLI and gives its JSON; throws with the code of its failure as the message. */
  async hookline(...args: string[]): Promise<unknown> {
    const { code, answer } = await this.#run(args)
    if (code !== 0)
      throw new Error(`${args.join(' ')}: ${CliFailure.parse(answer).error.code} ${JSON.stringify(answer)}`)
    return answer
  }
  /** The same whatever its exit code: bad news are news. */
  async answer(...args: string[]): Promise<unknown> {
    return (await this.#run(args)).answer
  }
  async #run(args: readonly string[]): Promise<{ code: number; answer: unknown }> {
    let out = ''
    const io = {
      env: { ...this.env, HOOKLINE_URL: this.#url, HOOKLINE_TOKEN: this.#token },
      home: this.dir,
      columns: undefined,
      write: (text: string) => {
        out += text
      },
      note: () => {},
    }
    const never = (): Promise<never> => Promise.reject(new Error('not here'))
    const code = await runCli(
      [...args, '--json'],
      io,
      { serve: never, witness: never, agent: never, doctor: never, verifyRunning: never },
      'test',
    )
    const answer: unknown = JSON.parse(out)
    return { code, answer }
  }

  async key(name: string): Promise<KeyFile> {
    const path = this.path(`${name}.pem`)
    await this.hookline('keygen', '--out', this.path(name))
    return {
      path,
      publicPath: this.path(`${name}.pub.pem`),
      key: parsePrivateKey(readFileSync(path, 'utf8')),
    }
  }

  /** Publishes a release of these files; `manifest` is hookline.yaml without name and version. */
  async publish(
    program: string,
    version: string,
    files: Record<string, Buffer>,
    manifest: object,
    key = this.publisher,
  ): Promise<void> {
    const dir = this.path('releases', program, version)
    mkdirSync(dir, { recursive: true })
    writeFileSync(
      join(dir, 'hookline.yaml'),
      stringify({ name: program, version, permissions: Permission.options, ...manifest }),
    )
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dir, name), bytes)
    await this.hookline('publish', dir, '--key', key.path)
  }
  /** Publishes a version of a program made of {@link knobObject}. */
  publishKnob(version: string, step = 1, program = 'acme/knob'): Promise<void> {
    return this.publish(program, version, { 'knob.bpf.o': knobObject(step) }, KNOB_MANIFEST)
  }

  /** Applies a function for one node's interface, unless `spec` says otherwise; by default it is one knob. */
  async apply(name: string, node: FleetNode, spec: object = {}): Promise<void> {
    const file = this.path(`${name}.yaml`)
    writeFileSync(file, stringify(this.#functionOf(name, node, spec)))
    await this.hookline('function', 'apply', file, '--key', this.operator.path)
  }
  /** Likewise past the checks of the command line, as another tool of an operator might. */
  async applyUnchecked(name: string, revision: number, node: FleetNode, spec: object): Promise<void> {
    const order = {
      kind: 'apply',
      revision,
      function: FunctionSpec.parse(this.#functionOf(name, node, spec)),
    } as const
    await registryClient(this.#url, this.#token).putFunction(name, signOrder(order, this.operator.key))
  }
  #functionOf(name: string, node: FleetNode, spec: object): object {
    const instances = [{ use: 'acme/knob@^1.0' }]
    return { kind: 'function', name, selector: { node: node.name }, interfaces: ['eth0'], instances, ...spec }
  }
  async remove(name: string): Promise<void> {
    await this.hookline('function', 'remove', name, '--key', this.operator.path)
  }

  /** Makes a node and starts its agent; `policy` is its trust.yaml. */
  async node(letter: string, options: NodeOptions = {}): Promise<FleetNode> {
    const number = ++this.#nodes
    const name = `test-${process.pid}-${letter}`
    const addresses = (host: number) => [`198.18.${number}.${host}/24`, `2001:2:0:${number}::${host}/64`]
    const end = (suffix: string, host: number) => ({
      namespace: this.lab.namespace(`${letter}${suffix}`),
      interface: 'eth0',
      addresses: addresses(host),
    })
    const { a: client, b: edge } = this.lab.link(end('-clients', 1), end('', 2))
    const [state, trust] = [this.path(`state-${letter}`), this.path(`trust-${letter}.yaml`)]
    writeFileSync(trust, options.policy ?? this.policy())
    const joinToken = options.joinToken ?? (await this.joinToken())
    const { inside = false } = options
    const url = inside ? await this.#bridge(client, `198.18.${number}.1`) : (options.url ?? this.#url)
    const parts = { name, state, trust, client, edge, url, inside, startedAt: 0 }
    const node: FleetNode = { ...parts, agent: this.#spawn(parts, { ...options, joinToken }) }
    this.cleanup.add(`chains of ${name}`, () => this.#detach(node))
    await node.agent.line((line) => line.includes('joined'))
    return node
  }
  policy(rules = ''): string {
    const { operator, publisher } = this
    const signers = `signers: [{ key: "${publisher.key.fingerprint}" }], permissions: [${Permission.options.join(', ')}]`
    return [
      `operators: [{ key: "${operator.key.fingerprint}" }]`,
      'programs:',
      `  - { match: "acme/*", ${signers} }`,
      `  - { match: "hookline/*", ${signers} }`,
      rules,
    ].join('\n')
  }
  async joinToken(): Promise<string> {
    return z.object({ secret: z.string() }).parse(await this.hookline('node', 'token', '--free-label', '*'))
      .secret
  }

  /** Starts a node's agent, which must have ended. */
  startAgent(node: FleetNode, options: AgentOptions = {}): void {
    node.agent = this.#spawn(node, options)
    node.startedAt = Date.now()
  }
  #spawn(node: Omit<FleetNode, 'agent'>, { url, joinToken, extra = [] }: AgentOptions): Service {
    const { name, path } = node.edge.namespace
    const args = [
      ...['agent', '--registry', url ?? (node.inside ? node.url : this.#url), '--state', node.state],
      ...['--trust', node.trust, '--name', node.name, '--label', `node=${node.name}`],
      ...(node.inside ? [] : ['--netns', name]),
      ...(joinToken === undefined ? [] : ['--join-token', joinToken]),
      ...extra,
    ]
    return startService(BINARY, args, node.inside ? path : undefined)
  }
  /** Makes the registry reachable at an address of a namespace, which has no way to the host but this. */
  async #bridge({ namespace }: LinkEnd, address: string): Promise<string> {
    const path = this.path(`${namespace.name}.socket`)
    const relay = await startRelay(this.#url, { path })
    this.cleanup.add('relay', () => relay.close())
    await listenInside(this.lab, namespace, { host: address, port: REGISTRY_PORT }, path)
    return `http://${address}:${REGISTRY_PORT}`
  }
  async #detach(node: FleetNode): Promise<void> {
    await node.agent.kill()
    await this.detach(node)
    if (pinsOf(node) !== undefined) throw new Error(`pins of ${node.name} are left`)
  }
  /** Runs `hookline agent --detach` and gives its lines. */
  async detach({ state, name }: FleetNode): Promise<string[]> {
    const detach = startService(BINARY, ['agent', '--detach', '--state', state, '--name', name])
    if ((await detach.ended) !== 0) throw new Error(`--detach failed: ${detach.lines.join(' | ')}`)
    return detach.lines
  }

  /** Waits until the running agent's own report fits. Throws with the report when it does not in time. */
  async until(node: FleetNode, what: string, fits: (observed: Observed) => boolean): Promise<Observed> {
    const end = performance.now() + SETTLE_MS
    while (performance.now() < end) {
      const observed = statusOf(node)
      if (observed !== undefined && Date.parse(observed.at) >= node.startedAt && fits(observed))
        return observed
      await sleep(LOOK_MS)
    }
    const { functions, errors } = statusOf(node) ?? { functions: [], errors: [] }
    throw new Error(
      `${what} did not come: ${JSON.stringify({ functions, errors })} ${node.agent.lines.slice(-4).join(' | ')}`,
    )
  }
  /** Waits for a function to run these releases on eth0, and gives its chain. */
  async untilRuns(node: FleetNode, name: string, ...releases: string[]): Promise<ObservedChain> {
    const fits = (chain: ObservedChain): boolean =>
      chain.functions.some((part) => part.name === name) &&
      chain.interface === 'eth0' &&
      releasesOf(chain) === releases.join(' ')
    const { chains } = await this.until(
      node,
      `${name} with ${releases.join(' ')}`,
      (observed) => observed.chains.some(fits) && stateOf(observed, name) === 'running',
    )
    return chains.find(fits) ?? fail('no chain')
  }
  /** Waits for a function to be refused with this code, and gives the report. */
  untilRefused(node: FleetNode, name: string, code: string): Promise<Observed> {
    return this.until(node, `${name}: ${code}`, ({ functions }) =>
      functions.some((one) => one.name === name && one.error?.code === code),
    )
  }
}

const fail = (why: string): never => {
  throw new Error(why)
}
const releasesOf = ({ entries }: ObservedChain): string => entries.map(({ release }) => release).join(' ')
/** How a function fares. */
export const stateOf = ({ functions }: Observed, name: string): string | undefined =>
  functions.find((one) => one.name === name)?.state

/** What an agent last wrote of itself. */
export function statusOf({ state }: FleetNode): Observed | undefined {
  try {
    return Observed.parse(JSON.parse(readFileSync(join(state, 'status.json'), 'utf8')))
  } catch {
    return undefined // not written yet
  }
}

/** The one chain that a node runs now. */
export function chainOf(node: FleetNode): ObservedChain {
  const [chain, ...more] = statusOf(node)?.chains ?? []
  if (chain === undefined || more.length > 0) throw new Error(`${node.name} runs not one chain`)
  return chain
}

/** Waits until what a function runs is kept, and no change of any chain waits to be confirmed. */
export async function untilKept(node: FleetNode, name: string): Promise<void> {
  const files = (folder: string): string[] => readdirSync(join(node.state, folder))
  await expect.poll(() => files('proven'), { timeout: 20_000 }).toContain(`${name}.json`)
  const waiting = (): string[] =>
    files('chains').filter((file) =>
      readFileSync(join(node.state, 'chains', file), 'utf8').includes('"unconfirmed"'),
    )
  await expect.poll(waiting, { timeout: 20_000 }).toEqual([])
}

/** Names in a node's folder of bpffs, folders with what they hold; undefined when there is none. */
export function pinsOf({ name }: FleetNode): string[] | undefined {
  try {
    return readdirSync(join(BPFFS, name), { recursive: true, encoding: 'utf8' }).sort()
  } catch {
    return undefined
  }
}

/** The id of the XDP program on an interface, as the kernel tells anyone; undefined when there is none. */
export function xdpProgramOn({ namespace, interface: name }: LinkEnd): number | undefined {
  const text = execFileSync('ip', ['-n', namespace.name, '-j', 'link', 'show', 'dev', name], {
    encoding: 'utf8',
  })
  const [link] = Addresses.parse(JSON.parse(text))
  return link?.xdp === undefined ? undefined : Xdp.parse(link.xdp).prog.id
}
const Xdp = z.object({ prog: z.object({ id: z.int() }) })
