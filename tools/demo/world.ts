import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { runCli } from '../../src/cli/run.ts'
import { Observed } from '../../src/domain/node.ts'
import { buildPackage } from '../build-package.ts'
import type { LinkEnd } from '../lab/namespaces.ts'
import { Lab, removeStale } from '../lab/namespaces.ts'
import { Cleanup } from './cleanup.ts'
import { type Service, startService } from './processes.ts'

const ROLE = 'edge'
const notHere = (): Promise<never> => Promise.reject(new Error('not in this process'))
/** Services run as processes of their own here. */
const noServices = {
  serve: notHere,
  witness: notHere,
  agent: notHere,
  doctor: notHere,
  verifyRunning: notHere,
}
const SETTLE_MS = 20_000
const LOOK_MS = 20

/** A node of the demo: a network namespace with an agent, and a link on which clients send to it. */
export interface DemoNode {
  readonly name: string
  readonly state: string
  /** The client's end of the link, and the node's, where the chain runs. */
  readonly client: LinkEnd
  readonly edge: LinkEnd
  agent: Service
}

/** Everything that the demo makes, and removes again. */
export class World {
  readonly cleanup = new Cleanup()
  readonly lab: Lab
  readonly dir: string
  readonly nodes: DemoNode[] = []
  readonly #binary: string
  #settings: { url: string; token: string } | undefined
  #registry: Service | undefined

  constructor() {
    removeStale()
    this.#binary = buildPackage()
    this.dir = mkdtempSync(join(tmpdir(), 'hookline-demo-'))
    chmodSync(this.dir, 0o711) // the database's user walks through
    this.cleanup.add('temporary directory', () => rmSync(this.dir, { recursive: true, force: true }))
    this.lab = new Lab()
    this.cleanup.add('network namespaces', () => this.lab.close())
  }

  get url(): string {
    return this.#settings?.url ?? ''
  }
  get token(): string {
    return this.#settings?.token ?? ''
  }
  get registryPid(): number {
    return this.#registry?.pid ?? -1
  }
  path(...parts: string[]): string {
    return join(this.dir, ...parts)
  }

  /** Runs one command line of the CLI and gives its JSON. Throws with the code that it failed by. */
  async hookline<T extends z.ZodType>(schema: T, ...args: string[]): Promise<z.output<T>> {
    let out = ''
    const io = {
      env: { HOOKLINE_URL: this.url, HOOKLINE_TOKEN: this.token },
      home: this.dir,
      columns: undefined,
      write: (text: string) => {
        out += text
      },
      note: () => {},
    }
    const code = await runCli([...args, '--json'], io, noServices, 'demo')
    const answer: unknown = JSON.parse(out)
    if (code !== 0) throw new CliFailure(args.join(' '), Failure.parse(answer).error)
    return schema.parse(answer)
  }

  /** The command's text, as a person sees it. */
  async hooklineText(...args: string[]): Promise<string> {
    let out = ''
    const io = {
      env: { HOOKLINE_URL: this.url, HOOKLINE_TOKEN: this.token },
      home: this.dir,
      columns: process.stderr.isTTY ? process.stderr.columns : undefined,
      write: (text: string) => {
        out += text
      },
      note: (text: string) => {
        out += text
      },
    }
    await runCli(args, io, noServices, 'demo')
    return out.trimEnd()
  }

  async startRegistry(): Promise<void> {
    const registry = startService(this.#binary, [
      'serve',
      '--data',
      this.path('registry'),
      '--port',
      '0',
      '--json',
    ])
    this.cleanup.add('registry', () => registry.stop())
    const line = await registry.line((text) => text.startsWith('{'))
    const { url, adminToken } = z.object({ url: z.string(), adminToken: z.string() }).parse(JSON.parse(line))
    this.#registry = registry
    this.#settings = { url, token: adminToken }
  }

  /** Makes a key pair; gives the paths of its halves and its fingerprint. */
  async key(name: string): Promise<{ privateKey: string; publicKey: string; fingerprint: string }> {
    const made = await this.hookline(
      z.object({ fingerprint: z.string() }),
      'keygen',
      '--out',
      this.path(name),
    )
    return { privateKey: this.path(`${name}.pem`), publicKey: this.path(`${name}.pub.pem`), ...made }
  }

  /** Writes the trust policy of all nodes: this operator, and this publisher for the namespace hookline. */
  writePolicy(operator: string, publisher: string): void {
    writeFileSync(
      this.path('trust.yaml'),
      `operators: [{ key: "${operator}" }]\nprograms:\n  - match: "hookline/*"\n    signers: [{ key: "${publisher}" }]\n    permissions: [drop]\n`,
    )
  }

  /** Makes a node with its namespace and link, and lets its agent join. */
  async addNode(letter: string): Promise<DemoNode> {
    const number = letter.charCodeAt(0) - 96
    const name = `demo-${process.pid}-${letter}`
    const inside = this.lab.namespace(letter)
    const outside = this.lab.namespace(`${letter}-clients`)
    const { a: client, b: edge } = this.lab.link(
      {
        namespace: outside,
        interface: 'eth0',
        addresses: [`198.18.${number}.1/24`, `2001:2:0:${number}::1/64`],
      },
      {
        namespace: inside,
        interface: 'eth0',
        addresses: [`198.18.${number}.2/24`, `2001:2:0:${number}::2/64`],
      },
    )
    const state = this.path(`agent-${letter}`)
    mkdirSync(state)
    const allowed = ['--label', `role=${ROLE}`]
    const { secret } = await this.hookline(z.object({ secret: z.string() }), 'node', 'token', ...allowed)
    const agent = this.#startAgent(name, state, edge, this.url, secret)
    const node: DemoNode = { name, state, client, edge, agent }
    this.nodes.push(node)
    this.cleanup.add(`chains of ${name}`, async () => {
      await node.agent.stop()
      const detach = startService(this.#binary, ['agent', '--detach', '--state', state, '--name', name])
      await detach.line((line) => line.includes('no pin is left'))
      await detach.stop()
    })
    await agent.line((line) => line.includes('joined'))
    return node
  }

  /** Stops a node's agent, which leaves the chain in place, and starts it again with another registry. */
  async restartAgent(node: DemoNode, url: string): Promise<void> {
    await node.agent.stop()
    node.agent = this.#startAgent(node.name, node.state, node.edge, url)
  }

  #startAgent(name: string, state: string, edge: LinkEnd, url: string, joinToken?: string): Service {
    return startService(this.#binary, [
      ...['agent', '--registry', url, '--state', state, '--trust', this.path('trust.yaml'), '--name', name],
      ...['--label', `role=${ROLE}`, '--netns', edge.namespace.name],
      ...(joinToken === undefined ? [] : ['--join-token', joinToken]),
    ])
  }

  /** What a node's agent last wrote of itself. */
  statusOf(node: DemoNode): Observed | undefined {
    try {
      return Observed.parse(JSON.parse(readFileSync(join(node.state, 'status.json'), 'utf8')))
    } catch {
      return undefined // not written yet
    }
  }

  /** Waits until a node's own report fits. Throws with the report when it does not in time. */
  async until(node: DemoNode, what: string, fits: (observed: Observed) => boolean): Promise<Observed> {
    for (let waited_ms = 0; waited_ms < SETTLE_MS; waited_ms += LOOK_MS) {
      const observed = this.statusOf(node)
      if (observed !== undefined && fits(observed)) return observed
      await sleep(LOOK_MS)
    }
    throw new Error(
      `${node.name}: ${what} did not come: ${JSON.stringify(this.statusOf(node)?.functions)} ${node.agent.lines.slice(-3).join(' | ')}`,
    )
  }
}

const Failure = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

/** A command of the CLI that failed, with the code that it named. */
export class CliFailure extends Error {
  readonly code: string
  constructor(command: string, error: { code: string; message: string }) {
    super(`hookline ${command}: ${error.message} [${error.code}]`)
    this.code = error.code
  }
}
