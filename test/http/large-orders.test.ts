import { afterAll, beforeAll, expect, test } from 'vitest'
import { entriesOf } from '../../src/agent/instance.ts'
import { verifyOrder } from '../../src/attest/order.ts'
import { registryClient } from '../../src/client/registry-client.ts'
import { FunctionHistory } from '../../src/domain/fleet-function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { compile, heldRelease } from '../agent/held-release.ts'
import {
  applyOrder,
  deleteFunction,
  type EnrolledNode,
  enrolledNode,
  putFunction,
  removeOrder,
} from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

const publisher = newKey()
const operator = newKey('ed25519')
const COUNT = 100_000
const LIST = {
  name: 'rules',
  map: 'rules',
  maxItems: COUNT,
  key: { prefix: 'cidr' },
  value: { verdict: 'u32' },
}
const object = compile(`
  struct cidr { __u32 prefixlen; __u8 address[4]; };
  struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, ${COUNT}); __uint(map_flags, BPF_F_NO_PREALLOC);
           __type(key, struct cidr); __type(value, __u32); } rules SEC(".maps");
  SEC("xdp") int xdp_limit(struct xdp_md *ctx) {
    struct cidr key = { 32, { 10 } };
    return bpf_map_lookup_elem(&rules, &key) ? XDP_DROP : XDP_PASS;
  }`)
const manifest = {
  programs: [{ object: 'limit.bpf.o', entry: 'xdp_limit', hook: 'xdp' }],
  config: [LIST],
  permissions: ['drop'],
}

let registry: RunningRegistry
let node: EnrolledNode
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  await addKey(registry, '/api/v1/operators/keys', operator)
  const files: [string, Buffer][] = [['limit.bpf.o', object]]
  await publishAt(registry, await buildRelease('acme/limit', '1.0.0', publisher, { manifest, files }))
  node = await enrolledNode(registry, 'edge-1')
})
afterAll(() => registry.close())

const withRules = (rules: object[]) => ({ instances: [{ use: 'acme/limit@^1.0', config: { rules } }] })
/** Items that make an envelope of nearly all bytes that an order may have. */
const nearlyTooMuch = withRules(
  Array.from({ length: Math.floor((LIMITS.order_bytes * 0.74) / 272) }, () => ({ prefix: 'x'.repeat(256) })),
)

test('a function with 100,000 rules reaches a node whole, and becomes the content of its map', async () => {
  const rules = Array.from({ length: COUNT }, (_, at) => ({
    prefix: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32`,
    verdict: at,
  }))
  const put = await putFunction(registry, 'large', applyOrder('large', 1, operator, withRules(rules)))
  expect(put.status).toBe(200)
  const { desired } = await node.desired()
  const { order } = verifyOrder(desired.functions[0]?.envelope ?? '', [operator.publicKey])
  if (order.kind !== 'apply') throw new Error('the order applies a function')
  const [instance] = order.function.instances
  const [entry] =
    instance === undefined
      ? []
      : entriesOf(order.function, instance, heldRelease({ 'limit.bpf.o': object }, manifest))
  const content = entry?.image.maps.find(({ name }) => name === 'rules')?.content ?? []
  expect(content).toHaveLength(COUNT)
  expect(content[70_000]).toEqual({
    key: Buffer.from([32, 0, 0, 0, 10, 1, 17, 112]),
    value: Buffer.from([0x70, 0x11, 1, 0]),
  })
  await deleteFunction(registry, 'large', removeOrder('large', 2, operator))
})

test('functions in force that are too much together are refused; a smaller or removed one makes room', async () => {
  const put = (name: string, revision: number, spec: object) =>
    putFunction(registry, name, applyOrder(name, revision, operator, spec))
  const names = ['aa', 'bb', 'cc']
  for (const name of names) expect((await put(name, 1, nearlyTooMuch)).status).toBe(200)
  const refused = await put('dd', 1, nearlyTooMuch)
  expect([refused.status, refused.code]).toEqual([413, 'too_large'])
  expect((await put('aa', 2, {})).status).toBe(200)
  expect((await put('dd', 1, nearlyTooMuch)).status).toBe(200)
  expect((await put('ee', 1, nearlyTooMuch)).code).toBe('too_large')
  await deleteFunction(registry, 'bb', removeOrder('bb', 2, operator))
  expect((await put('ee', 1, nearlyTooMuch)).status).toBe(200)
  // all that is in force can be sent, to a node and to an operator
  expect((await node.desired()).desired.functions.map(({ name }) => name)).toEqual([
    ...['aa', 'bb', 'cc', 'dd', 'ee', 'large'],
  ])
  expect(await registryClient(registry.url, registry.admin).functions()).toHaveLength(6)
})

test('a history too long to be sent is cut off at its old end', async () => {
  for (const name of ['cc', 'dd', 'ee']) await deleteFunction(registry, name, removeOrder(name, 2, operator))
  for (let revision = 3; revision <= 6; revision++)
    await putFunction(registry, 'aa', applyOrder('aa', revision, operator, revision < 6 ? nearlyTooMuch : {}))
  const answer = await registry.call('GET', '/api/v1/functions/aa/history', { token: registry.admin })
  // three of nearly 8 MiB fit, the first revision is the fourth
  const { steps } = FunctionHistory.parse(answer.json)
  expect(steps.map(({ revision }) => revision)).toEqual([6, 5, 4, 3, 2])
})
