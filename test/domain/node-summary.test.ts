import { expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import type { Observed } from '../../src/domain/node.ts'
import { NodeSummary, nodeState, summaryOf } from '../../src/domain/node-summary.ts'
import { refusedByVerifier, sampleChain, sampleEntry, sampleReport } from '../web/fleet/sample-report.ts'

const now = new Date('2026-05-01T12:30:00.000Z')
const stateAt = (report: Partial<Observed> | undefined, seconds = 1): unknown =>
  nodeState(
    {
      lastSeenAt: new Date(now.getTime() - seconds * 1000).toISOString(),
      ...(report === undefined ? {} : { summary: summaryOf(sampleReport(report)) }),
    },
    now,
  )

test('how a node is', () => {
  const chains = [sampleChain('eth0', 'xdp', [sampleEntry(1, {})])]
  expect(stateAt(undefined)).toEqual({ kind: 'never' })
  expect(stateAt({ chains })).toEqual({ kind: 'running' })
  expect(stateAt({ chains, errors: [refusedByVerifier()] })).toEqual({ kind: 'trouble' })
  expect(stateAt({})).toEqual({ kind: 'idle' })
  expect(stateAt({ functions: [{ name: 'edge', revision: 1, state: 'waiting' }] })).toEqual({
    kind: 'waiting',
  })
  expect(stateAt({ functions: [{ name: 'edge', revision: 1, state: 'removed' }] })).toEqual({ kind: 'idle' })
  const refused = { name: 'edge', revision: 1, state: 'refused', error: refusedByVerifier() } as const
  expect(stateAt({ functions: [refused] })).toEqual({ kind: 'trouble' })
})

test('a node is silent from the limit on, whatever it said last', () => {
  const errors = [refusedByVerifier()]
  expect(stateAt({ errors }, LIMITS.node_silent_s - 1)).toEqual({ kind: 'trouble' })
  expect(stateAt({ errors }, LIMITS.node_silent_s)).toEqual({
    kind: 'silent',
    silent_s: LIMITS.node_silent_s,
  })
})

test('a summary is small, whatever a node says, and can be read again', () => {
  const long = 'x'.repeat(100_000)
  const chains = Array.from({ length: 1024 }, () => sampleChain(long, 'xdp', []))
  const summary = summaryOf(sampleReport({ chains, errors: [{ ...refusedByVerifier(), message: long }] }))
  expect(JSON.stringify(summary).length).toBeLessThan(20_000)
  expect(summary.chainCount).toBe(1024)
  expect(NodeSummary.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary)
})

test('packets of a chain are those that reached its first entry', () => {
  const entries = [sampleEntry(1, { pass: 5, drop: 2, missing: 1 }), sampleEntry(2, { pass: 4 })]
  expect(summaryOf(sampleReport({ chains: [sampleChain('eth0', 'xdp', entries)] })).chains).toEqual([
    { interface: 'eth0', hook: 'xdp', mode: 'native', entries: 2, packets: 7 },
  ])
})
