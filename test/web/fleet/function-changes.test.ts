import { expect, test } from 'vitest'
import { FunctionSpec } from '../../../src/domain/function.ts'
import { type ReadStep, stepChanges } from '../../../src/web/fleet/function-changes.ts'

const step = (spec: object, versions: Record<string, string>, operator = 'sha256:one'): ReadStep => ({
  operator,
  spec: FunctionSpec.parse({
    ...{ kind: 'function', name: 'edge', selector: { role: 'edge' }, interfaces: ['eth0'] },
    instances: [{ use: 'acme/limit@^1.0' }, { use: 'acme/count@^2.0' }],
    ...spec,
  }),
  step: { revision: 1, resolutions: Object.entries(versions).map(([use, version]) => ({ use, version })) },
})
const V1 = { 'acme/limit@^1.0': '1.0.0', 'acme/count@^2.0': '2.0.0' }

test('ranges that stand for another release', () => {
  expect(stepChanges(step({}, V1), step({}, { ...V1, 'acme/limit@^1.0': '1.1.0' }))).toEqual([
    'acme/limit 1.0.0 → 1.1.0',
  ])
  expect(stepChanges(step({}, V1), step({}, { 'acme/count@^2.0': '2.0.0' }))).toEqual([
    'acme/limit 1.0.0 → no release fits',
  ])
  expect(stepChanges(step({}, V1), step({}, V1))).toEqual([])
})

test('instances that come, go, move, or are configured otherwise', () => {
  const [limit, count] = [{ use: 'acme/limit@^1.0' }, { use: 'acme/count@^2.0' }]
  const to = (instances: object[]): string[] => stepChanges(step({}, V1), step({ instances }, V1))
  expect(to([count, limit])).toEqual(['order: count, limit'])
  expect(to([limit])).toEqual(['taken out: count'])
  expect(to([limit, count, { ...limit, name: 'again' }])).toEqual(['added: again'])
  expect(to([{ ...limit, config: { rate: 5, deny: [{ prefix: '192.0.2.0/24' }] } }, count])).toEqual([
    'limit: rate unset → 5',
    'limit: deny unset → 1 item',
  ])
  expect(to([{ ...limit, proceed: { xdp_limit: ['pass', 'tx'] } }, count])).toEqual([
    'limit: goes on after other verdicts',
  ])
  expect(to([{ use: 'acme/limit@~1.0', name: 'limit' }, count])).toContain(
    'limit: acme/limit@^1.0 → acme/limit@~1.0',
  )
})

test('for whom, where, in which order, and by whom', () => {
  const changed = step(
    { selector: {}, interfaces: ['eth0', 'eth1'], priority: 5, allowGeneric: true },
    V1,
    'sha256:two',
  )
  expect(stepChanges(step({}, V1), changed)).toEqual([
    'nodes: role=edge → every node',
    'interfaces: eth0 → eth0, eth1',
    'priority: 100 → 5',
    'XDP in the stack: not allowed → allowed',
    'signed by another operator',
  ])
})
