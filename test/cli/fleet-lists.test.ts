import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { runCli } from '../../src/cli/run.ts'
import { parseFunction } from '../../src/domain/function.ts'
import { HttpDouble, json } from '../client/double.ts'
import { memoryIo } from './hookline.ts'

const at = '2026-06-01T12:00:00.123Z'
const operator = parsePrivateKey(generateKeyPair('ed25519').privateKey)
const error = { code: 'policy_denied', message: 'no rule', remedy: 'add one' }

/** A node that was last heard of at `lastSeenAt`, and what it says of the function. */
const node = (name: string, lastSeenAt: string, state: 'running' | 'refused') => ({
  ...{ id: name, key: operator.fingerprint, keySince: at, enrolledAt: at, lastSeenAt },
  facts: { name, labels: { role: 'edge', site: 'north' }, kernel: '6.12', arch: 'x64', agent: '0.1.0' },
  observed: {
    ...{ at: lastSeenAt, agent: '0.1.0', chains: [], errors: [] },
    functions: [{ name: 'edge', revision: 1, state, ...(state === 'refused' && { error }) }],
  },
})
const functionOf = (onRevoke: string): object => {
  const text = `kind: function\nname: edge\nselector: {}\ninterfaces: [eth1]\n${onRevoke}instances: [{ use: acme/limit@^1.0 }]\n`
  const order = { kind: 'apply' as const, revision: 1, function: parseFunction(text) }
  const resolutions = [{ use: 'acme/limit@^1.0', version: '1.4.0' }]
  const envelope = signOrder(order, operator)
  return { name: 'edge', revision: 1, state: 'applied', appliedAt: at, resolutions, envelope }
}

let double: HttpDouble
let nodes: object[] = []
let fn: object = functionOf('')
beforeAll(async () => {
  double = await HttpDouble.start(({ path }, response) => {
    if (path === '/api/v1/nodes') return json(response, 200, { nodes })
    if (path === '/api/v1/functions') return json(response, 200, { functions: [fn] })
    return json(response, 200, path.endsWith('/history') ? { steps: [] } : fn)
  })
})
afterAll(() => double.close())
async function run(...args: string[]): Promise<string> {
  const io = memoryIo()
  const notHere = (): Promise<never> => Promise.reject(new Error('not here'))
  const services = {
    ...{ serve: notHere, witness: notHere, agent: notHere, doctor: notHere, verifyRunning: notHere },
  }
  expect(await runCli([...args, '--url', double.url, '--token', 't'], io, services, '0'), io.err).toBe(0)
  return io.out
}

test('a node that is not heard of is silent, whatever it said last', async () => {
  nodes = [node('gone', at, 'running'), node('here', new Date().toISOString(), 'running')]
  const list = await run('node', 'list')
  expect(list).toMatch(/^gone .* 2026-06-01 12:00:00Z +silent for \d+ d$/m)
  expect(list).toMatch(/^here .* role=edge,site=north .* ok$/m)
})
test('a function that nodes refuse is listed with that beside what was ordered', async () => {
  const now = new Date().toISOString()
  nodes = [node('a', now, 'running'), node('b', now, 'refused'), node('c', now, 'running')]
  expect(await run('function', 'list')).toMatch(
    /^edge +1 +applied +2026-06-01 12:00:00Z +1 refused, 2 running /m,
  )
  const { functions } = JSON.parse(await run('function', 'list', '--json'))
  expect(functions).toMatchObject([{ name: 'edge', nodes: { refused: 1, running: 2 } }])
})
test('and one that no node reports with none', async () => {
  nodes = []
  expect(await run('function', 'list')).toMatch(/^edge +1 +applied .* none +acme/m)
})
test.each([
  ['', 'previous'],
  ['onRevoke: drop\n', 'drop'],
])('a function shows what it does on a revocation, by %j %s', async (line, onRevoke) => {
  fn = functionOf(line)
  expect(await run('function', 'show', 'edge')).toMatch(new RegExp(`^on revoke +${onRevoke}$`, 'm'))
})
