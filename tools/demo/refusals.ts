import { join } from 'node:path'
import { z } from 'zod'
import { sha256Digest } from '../../src/attest/keys.ts'
import { readReleaseDirectory } from '../../src/cli/release-directory.ts'
import type { Desired } from '../../src/domain/node.ts'
import { buildProgram, PROGRAMS } from '../build-programs.ts'
import { type Lie, startLyingRegistry } from './lying-registry.ts'
import { CliFailure, type DemoNode, type World } from './world.ts'

/** Codes by which bad releases and orders were refused. */
export interface Refusals {
  unsigned: string
  wrongSigner: string
  tampered: string
  alteredFunction: string
}

/** Publishes without a signature, and with the key of a stranger; gives the registry's codes. */
export async function refusedByRegistry(
  world: World,
  strangerKey: string,
): Promise<Pick<Refusals, 'unsigned' | 'wrongSigner'>> {
  const dir = world.path('unwanted')
  buildProgram(join(PROGRAMS, 'counter'), { version: '6.6.6', outDir: dir })
  return {
    unsigned: await codeOf(() => world.hookline(z.unknown(), 'publish', dir, '--unsigned')),
    wrongSigner: await codeOf(() => world.hookline(z.unknown(), 'publish', dir, '--key', strangerKey)),
  }
}

async function codeOf(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt()
  } catch (error) {
    if (error instanceof CliFailure) return error.code
    throw error
  }
  throw new Error('what must be refused was accepted')
}

/**
 * Puts a lying registry between a node and the real one. It serves an object with one changed byte, digests and sizes
 * changed to fit; then a function whose rate it raised after the operator signed. The chain must go on unchanged.
 */
export async function refusedByAgent(
  world: World,
  node: DemoNode,
  counterDir: string,
): Promise<Pick<Refusals, 'tampered' | 'alteredFunction'>> {
  const liar = await startLyingRegistry(world.url)
  world.cleanup.add('lying registry', () => liar.close())
  await world.restartAgent(node, liar.url)
  const before = await world.until(
    node,
    'adopting the chain',
    ({ chains, functions }) => chains.length === 1 && functions.every(({ state }) => state === 'running'),
  )
  const hear = async (lie: Lie): Promise<string> => {
    liar.tell(lie)
    const { functions } = await world.until(node, 'a refusal', (observed) =>
      observed.functions.some(({ error }) => error !== undefined),
    )
    const code = functions.find(({ error }) => error !== undefined)?.error?.code ?? ''
    liar.tell(undefined)
    const after = await world.until(node, 'the end of a refusal', (observed) =>
      observed.functions.every(({ error }) => error === undefined),
    )
    if (
      after.chains[0]?.linkId !== before.chains[0]?.linkId ||
      after.chains[0]?.programId !== before.chains[0]?.programId
    )
      throw new Error('a refused change changed the chain')
    return code
  }
  return {
    tampered: await hear(await tamperedObject(counterDir)),
    alteredFunction: await hear(alteredFunction),
  }
}

async function tamperedObject(counterDir: string): Promise<Lie> {
  const { files } = await readReleaseDirectory(counterDir)
  const honest = files.get('counter.bpf.o') ?? Buffer.alloc(0)
  const tampered = Buffer.from(honest)
  tampered.writeUInt8((tampered.at(-1) ?? 0) ^ 1, tampered.length - 1)
  const [from, to] = [sha256Digest(honest), sha256Digest(tampered)]
  return {
    blobs: new Map([[to, tampered]]),
    desired: (desired) => ({
      ...desired,
      releases: desired.releases.map((release) => ({
        ...release,
        files: release.files.map((file) => (file.digest === from ? { ...file, digest: to } : file)),
      })),
    }),
  }
}

const SignedOrder = z.object({ payload: z.string() })

const alteredFunction: Lie = {
  blobs: new Map(),
  desired: (desired): Desired => ({
    ...desired,
    functions: desired.functions.map((order) => {
      const envelope: unknown = JSON.parse(order.envelope)
      const document = Buffer.from(SignedOrder.parse(envelope).payload, 'base64').toString('utf8')
      const altered = document
        .replace(/"rate":\d+/, '"rate":1000000')
        .replace(/"revision":(\d+)/, (_, n) => `"revision":${Number(n) + 1}`)
      if (altered === document) throw new Error('the demo’s function has no rate to alter')
      const payload = Buffer.from(altered).toString('base64')
      return { ...order, envelope: JSON.stringify({ ...(envelope as object), payload }) }
    }),
  }),
}
