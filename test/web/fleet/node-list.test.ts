import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/domain/limits.ts'
import { type NodeOverview, summaryOf } from '../../../src/domain/node-summary.ts'
import { countMet, metNodes } from '../../../src/web/fleet/function-nodes.ts'
import { addressOf, askedOf, countStates, selectNodes, withFilter } from '../../../src/web/fleet/node-list.ts'
import { refusedByVerifier, sampleChain, sampleEntry, sampleReport } from './sample-report.ts'

const now = new Date('2026-05-01T12:30:00.000Z')
const node = (
  name: string,
  labels: Record<string, string>,
  over: Partial<NodeOverview> = {},
): NodeOverview => ({
  ...{ id: `id-${name}`, facts: { name, labels, kernel: '6.8.0', arch: 'x86_64', agent: '0.1.0' } },
  ...{ lastSeenAt: now.toISOString() },
  ...over,
})
const running = summaryOf(
  sampleReport({
    functions: [{ name: 'edge', revision: 3, state: 'running' }],
    chains: [sampleChain('eth0', 'xdp', [sampleEntry(1, {})])],
  }),
)
const failing = summaryOf(
  sampleReport({ functions: [{ name: 'edge', revision: 2, state: 'refused', error: refusedByVerifier() }] }),
)
const NODES = [
  node('a-edge', { role: 'edge' }, { summary: running }),
  node('b-core', { role: 'core' }),
  node('c-edge', { role: 'edge' }, { summary: failing }),
  node('d-edge', { role: 'edge', zone: 'ams' }, { summary: running, lastSeenAt: '2026-05-01T12:00:00.000Z' }),
]
const found = (query: string): string[] =>
  selectNodes(NODES, askedOf(new URLSearchParams(query)), now).map((one) => one.node.facts.name)

test('those to look after come first', () => {
  expect(found('')).toEqual(['c-edge', 'd-edge', 'b-core', 'a-edge'])
  const counts = countStates(selectNodes(NODES, askedOf(new URLSearchParams()), now))
  expect(Object.fromEntries(counts)).toEqual({ trouble: 1, silent: 1, never: 1, running: 1 })
})

test('labels hold together; words are of name, kernel, labels, interfaces and the error', () => {
  expect(found('label=role%3Dedge')).toEqual(['c-edge', 'd-edge', 'a-edge'])
  expect(found('label=role%3Dedge&label=zone%3Dams')).toEqual(['d-edge'])
  expect(found('label=role%3Ded')).toEqual([])
  expect(found('label=constructor%3D')).toEqual([])
  expect(found('q=ETH0+6.8')).toEqual(['d-edge', 'a-edge'])
  expect(found('q=verifier_refused')).toEqual(['c-edge'])
  expect(found('q=nothing')).toEqual([])
  expect(found('function=edge')).toEqual(['c-edge', 'd-edge', 'a-edge'])
  expect(found('function=other')).toEqual([])
})

test('what does not fit counts as not there', () => {
  const asked = askedOf(
    new URLSearchParams(
      'page=-1&state=dead&state=trouble&label=bare&function=A%20B&q='.concat('x'.repeat(999)),
    ),
  )
  expect(asked).toEqual({
    q: 'x'.repeat(LIMITS.search_chars),
    labels: [],
    states: ['trouble'],
    fn: undefined,
    page: 1,
  })
  expect(askedOf(new URLSearchParams('page=1e99')).page).toBe(1)
  expect(askedOf(new URLSearchParams('page=3')).page).toBe(3)
})

test('a list has one address, and a filter goes as it came', () => {
  const asked = askedOf(new URLSearchParams('q=a&label=x%3Dy&state=silent&page=2'))
  expect(addressOf(asked)).toBe('/nodes?q=a&label=x%3Dy&state=silent&page=2')
  const more = withFilter(asked, 'states', 'trouble')
  expect(addressOf(more)).toBe('/nodes?q=a&label=x%3Dy&state=silent&state=trouble')
  expect(withFilter(more, 'states', 'trouble').states).toEqual(['silent'])
  expect(addressOf(askedOf(new URLSearchParams()))).toBe('/nodes')
})

test('how a function fares, the nodes that refuse it first', () => {
  const met = metNodes(NODES, 'edge', { role: 'edge' }, now)
  expect(met.map((one) => one.node.facts.name)).toEqual(['c-edge', 'd-edge', 'a-edge'])
  expect(countMet(met, 3)).toEqual({ selected: 3, current: 2, older: 0, refused: 1, waiting: 0, unheard: 0 })
  expect(countMet(met, 4)).toMatchObject({ current: 0, older: 2 })
})

test('nodes that a function is no longer for are met while they report it', () => {
  const met = metNodes(NODES, 'edge', { role: 'core' }, now)
  expect(countMet(met, 3)).toMatchObject({ selected: 1, unheard: 1, current: 2 })
  const removed = metNodes(NODES, 'edge', undefined, now)
  expect(removed.map(({ selected }) => selected)).toEqual([false, false, false])
})
