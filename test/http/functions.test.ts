import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { preAuthEncoding } from '../../src/attest/dsse.ts'
import { signBytes } from '../../src/attest/signature.ts'
import { FunctionHistory, FunctionList, FunctionView } from '../../src/domain/fleet-function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { applyOrder, deleteFunction, putFunction, removeOrder } from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

const publisher = newKey()
const operator = newKey('ed25519')
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  await addKey(registry, '/api/v1/operators/keys', operator)
  for (const program of ['acme/limit', 'acme/scrub'])
    await publishAt(registry, await buildRelease(program, '1.0.0', publisher))
})
afterAll(() => registry.close())

const get = (path: string) => registry.call('GET', path, { token: registry.admin })
const history = async (name: string): Promise<[number, string][]> => {
  const { steps } = FunctionHistory.parse((await get(`/api/v1/functions/${name}/history`)).json)
  return steps.map(({ revision, resolutions }) => [
    revision,
    resolutions.map(({ version }) => version).join(' '),
  ])
}

test('an order is shown as it was signed, with what its ranges resolve to', async () => {
  const instances = [{ use: 'acme/limit@^1.0' }, { use: 'acme/limit@9.0.0', name: 'missing' }]
  const envelope = applyOrder('shown', 1, operator, { instances })
  const put = await putFunction(registry, 'shown', envelope)
  const view = FunctionView.parse(put.json)
  expect(view).toMatchObject({ name: 'shown', revision: 1, state: 'applied', envelope })
  expect(view.resolutions).toEqual([
    { use: 'acme/limit@^1.0', version: '1.0.0' },
    { use: 'acme/limit@9.0.0' },
  ])
  expect((await get('/api/v1/functions/shown')).json).toEqual(view)
  const { functions } = FunctionList.parse((await get('/api/v1/functions')).json)
  expect(functions).toContainEqual(view)
})

describe('what is refused', () => {
  test.each<[string, number, string, string, string]>([
    [
      'an order by a key that is no operator’s',
      422,
      'operator_not_allowed',
      'edge',
      applyOrder('edge', 1, newKey()),
    ],
    ['an order about another function', 422, 'order_invalid', 'edge', applyOrder('other', 1, operator)],
    ['a removal where an order is expected', 422, 'order_invalid', 'edge', removeOrder('edge', 1, operator)],
    ['what is no envelope', 422, 'order_invalid', 'edge', '{}'],
  ])('%s', async (_, status, code, name, envelope) => {
    const answer = await putFunction(registry, name, envelope)
    expect([answer.status, answer.code]).toEqual([status, code])
    expect((await get(`/api/v1/functions/${name}`)).code).toBe('not_found')
  })
  test('an order that was altered', async () => {
    const parsed = JSON.parse(applyOrder('edge', 1, operator))
    const payload = Buffer.from(parsed.payload, 'base64').toString().replace('"eth*"', '"ens*"')
    const altered = JSON.stringify({ ...parsed, payload: Buffer.from(payload).toString('base64') })
    const answer = await putFunction(registry, 'edge', altered)
    expect([answer.status, answer.code]).toEqual([422, 'order_signature_invalid'])
  })
  test.each<[string, object]>([
    ['a NUL in a label', { selector: { role: '\0' } }],
    ['half a character in a label', { selector: { role: '\ud800' } }],
    [
      'a NUL in the name of an entry',
      { instances: [{ use: 'acme/limit@1', config: {}, proceed: { '\0': [] } }] },
    ],
  ])('an order with %s, which would keep every node from its orders', async (_, spec) => {
    // signed by hand, since signOrder refuses it as well
    const { payload, payloadType } = JSON.parse(applyOrder('edge', 1, operator))
    const { function: sound, ...order } = JSON.parse(Buffer.from(payload, 'base64').toString())
    const bytes = Buffer.from(JSON.stringify({ ...order, function: { ...sound, ...spec } }))
    const sig = signBytes(preAuthEncoding(payloadType, bytes), operator).toString('base64')
    const signatures = [{ keyid: operator.fingerprint, sig }]
    const envelope = JSON.stringify({ payload: bytes.toString('base64'), payloadType, signatures })
    const answer = await putFunction(registry, 'edge', envelope)
    expect([answer.status, answer.code]).toEqual([422, 'order_invalid'])
    expect((await registry.services.fleet.snapshot()).heads).toBeDefined()
  })
  test('the removal of a function that never was', async () => {
    const answer = await deleteFunction(registry, 'never', removeOrder('never', 1, operator))
    expect([answer.status, answer.code]).toEqual([404, 'not_found'])
  })
  test('an order by way of removal', async () => {
    const answer = await deleteFunction(registry, 'edge', applyOrder('edge', 1, operator))
    expect([answer.status, answer.code]).toEqual([422, 'order_invalid'])
  })
})

describe('revisions', () => {
  test('only go up', async () => {
    expect((await putFunction(registry, 'upward', applyOrder('upward', 5, operator))).status).toBe(200)
    for (const revision of [1, 4, 5]) {
      const answer = await putFunction(registry, 'upward', applyOrder('upward', revision, operator))
      expect([answer.status, answer.code]).toEqual([409, 'revision_conflict'])
    }
    const removal = await deleteFunction(registry, 'upward', removeOrder('upward', 5, operator))
    expect(removal.code).toBe('revision_conflict')
    expect((await putFunction(registry, 'upward', applyOrder('upward', 6, operator))).status).toBe(200)
  })
  test('of concurrent orders with one revision exactly one is taken', async () => {
    const orders = Array.from({ length: 8 }, (_, at) => applyOrder('rivals', 1, operator, { priority: at }))
    const answers = await Promise.all(orders.map((envelope) => putFunction(registry, 'rivals', envelope)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)])
    const won = orders[answers.findIndex(({ status }) => status === 200)]
    expect((await get('/api/v1/functions/rivals')).json).toMatchObject({ envelope: won })
    expect(await history('rivals')).toHaveLength(1)
  })
  test('may be as large as an order may say', async () => {
    const revision = LIMITS.revision_most
    const put = await putFunction(registry, 'large', applyOrder('large', revision, operator))
    expect(FunctionView.parse(put.json).revision).toBe(revision)
  })
  test('a removed function says so, and comes back by a higher revision', async () => {
    await putFunction(registry, 'gone', applyOrder('gone', 1, operator))
    const removed = await deleteFunction(registry, 'gone', removeOrder('gone', 2, operator))
    expect(removed.json).toMatchObject({ state: 'removed', revision: 2, resolutions: [] })
    expect((await putFunction(registry, 'gone', applyOrder('gone', 2, operator))).code).toBe(
      'revision_conflict',
    )
    const back = await putFunction(registry, 'gone', applyOrder('gone', 3, operator))
    expect(back.json).toMatchObject({ state: 'applied', revision: 3 })
  })
})

describe('history', () => {
  const instances = [{ use: 'acme/stepped@^1.0' }, { use: 'acme/scrub@1.0.0' }]
  const publishVersion = async (version: string) =>
    publishAt(registry, await buildRelease('acme/stepped', version, publisher))
  test('has a step for each order, and for each publish that changes what it runs, newest first', async () => {
    await publishVersion('1.0.0')
    await putFunction(registry, 'stepped', applyOrder('stepped', 1, operator, { instances }))
    await publishVersion('1.0.1')
    await publishVersion('2.0.0') // outside the range
    await publishVersion('1.0.2-rc.1') // a pre-release that the range does not name
    await putFunction(registry, 'stepped', applyOrder('stepped', 2, operator, { instances, priority: 7 }))
    await publishVersion('1.1.0')
    await publishVersion('1.0.9') // older than what runs
    expect(await history('stepped')).toEqual([
      [2, '1.1.0 1.0.0'],
      [2, '1.0.1 1.0.0'],
      [1, '1.0.1 1.0.0'],
      [1, '1.0.0 1.0.0'],
    ])
  })
  test('keeps the envelope of each step', async () => {
    const { steps } = FunctionHistory.parse((await get('/api/v1/functions/stepped/history')).json)
    const orders = steps.map(({ envelope }) =>
      JSON.parse(Buffer.from(JSON.parse(envelope).payload, 'base64').toString()),
    )
    expect(orders.map(({ revision }) => revision)).toEqual([2, 2, 1, 1])
  })
  test('ends with the function: a publish adds no step to a removed one', async () => {
    await deleteFunction(registry, 'stepped', removeOrder('stepped', 3, operator))
    await publishVersion('1.2.0')
    expect(await history('stepped')).toHaveLength(4)
  })
  test('of concurrent publishes misses none of the outcome', async () => {
    const programs = ['acme/aa', 'acme/bb', 'acme/cc']
    for (const program of programs) await publishAt(registry, await buildRelease(program, '1.0.0', publisher))
    const uses = programs.map((program) => ({ use: `${program}@^1.0` }))
    await putFunction(registry, 'together', applyOrder('together', 1, operator, { instances: uses }))
    const releases = await Promise.all(programs.map((program) => buildRelease(program, '1.1.0', publisher)))
    await Promise.all(releases.map((release) => publishAt(registry, release)))
    const steps = await history('together')
    expect(steps).toHaveLength(4)
    expect(steps[0]).toEqual([1, '1.1.0 1.1.0 1.1.0'])
  })
})
