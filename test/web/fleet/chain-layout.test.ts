import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/domain/limits.ts'
import {
  drawingOf,
  entryPlace,
  flowOf,
  ratesBetween,
  usefulEnd,
} from '../../../src/web/fleet/chain-layout.ts'
import { refusedByVerifier, sampleChain, sampleEntry, sampleReport } from './sample-report.ts'

test('packets go on by the verdicts to proceed on; the others leave, by how they are meant', () => {
  const entry = sampleEntry(1, { pass: 70, drop: 20, tx: 5, redirect: 4, other: 1 })
  expect(flowOf(entry)).toEqual({ reached: 100, onward: 70, leaving: { dropped: 20, away: 9, odd: 1 } })
})

test('a packet whose next entry was missing is counted once, and does not go on', () => {
  expect(flowOf(sampleEntry(1, { pass: 100, missing: 30 }))).toEqual({
    ...{ reached: 100, onward: 70 },
    leaving: { dropped: 0, away: 0, odd: 30 },
  })
  expect(flowOf(sampleEntry(1, { pass: 1, missing: 30 })).onward, 'of a liar').toBe(0)
})

test('a verdict that does not go on leaves, be it pass', () => {
  const flow = flowOf(sampleEntry(1, { pass: 10, drop: 5 }, { proceed: ['drop'] }))
  expect(flow).toEqual({ reached: 15, onward: 5, leaving: { dropped: 0, away: 10, odd: 0 } })
})

test('chains are put by interface, those of one name apart by network namespace', () => {
  const entry = [sampleEntry(1, {})]
  const { interfaces, leftOut } = drawingOf([
    sampleChain('eth1', 'tc-egress', entry, { ifindex: 3 }),
    sampleChain('eth0', 'tc-ingress', entry),
    sampleChain('eth0', 'xdp', entry),
    sampleChain('eth0', 'xdp', entry, { netns: '4026532000' }),
  ])
  expect(interfaces.map(({ name, chains }) => [name, [...chains.keys()].sort()])).toEqual([
    ['eth0', ['tc-ingress', 'xdp']],
    ['eth0', ['xdp']],
    ['eth1', ['tc-egress']],
  ])
  expect(leftOut).toBe(0)
})

test('a node that reports more entries than can be drawn says how many are left out', () => {
  const entries = Array.from({ length: 200 }, (_, at) => sampleEntry(at + 1, {}))
  const chains = Array.from({ length: 10 }, (_, at) =>
    sampleChain(`eth${at}`, 'xdp', entries, { ifindex: at + 1 }),
  )
  const { interfaces, leftOut } = drawingOf(chains)
  const drawn = interfaces.flatMap((at) => [...at.chains.values()].flatMap((chain) => chain.entries))
  expect(drawn).toHaveLength(LIMITS.picture_entries)
  expect(leftOut).toBe(2000 - LIMITS.picture_entries)
  const bare = Array.from({ length: 1000 }, (_, at) =>
    sampleChain(`eth${at}`, 'xdp', [], { ifindex: at + 1 }),
  )
  expect(drawingOf(bare).interfaces.length, 'chains without entries').toBe(LIMITS.picture_entries)
})

test('rates are packets a second between two reports, by the total over generations', () => {
  const before = sampleChain('eth0', 'xdp', [sampleEntry(1, { pass: 100, drop: 10 }, { instance: 'limit' })])
  // a new generation counts from nothing, at another position
  const moved = sampleEntry(2, { pass: 20 }, { instance: 'limit', total: { pass: 300, drop: 30 } })
  const after = sampleChain('eth0', 'xdp', [sampleEntry(1, {}, { instance: 'new' }), moved], {
    generation: 8,
  })
  const rates = ratesBetween(
    sampleReport({ at: '2026-05-01T12:00:00.000Z', chains: [before] }),
    sampleReport({ at: '2026-05-01T12:00:02.000Z', chains: [after] }),
  )
  expect([...rates]).toEqual([[entryPlace(after, moved), { pass: 100, drop: 10 }]])
})

test('there is no rate where time stood still, went back, or counters did', () => {
  const chain = (pass: number) => [sampleChain('eth0', 'xdp', [sampleEntry(1, { pass })])]
  const [at, later] = ['2026-05-01T12:00:00.000Z', '2026-05-01T12:00:02.000Z']
  const rate = (a: string, b: string, from: number, to: number): number =>
    ratesBetween(sampleReport({ at: a, chains: chain(from) }), sampleReport({ at: b, chains: chain(to) }))
      .size
  expect(rate(at, later, 1, 9)).toBe(1)
  expect(rate(at, at, 1, 9)).toBe(0)
  expect(rate(later, at, 1, 9)).toBe(0)
  expect(rate(at, later, 9, 1)).toBe(0)
})

test('the useful end of a log leaves out what only counts', () => {
  const log = refusedByVerifier().log ?? ''
  const end = usefulEnd(log, 2)
  expect(end).toEqual([
    'invalid access to packet, off=14 size=4, R2(id=0,off=14,r=14)',
    'R2 offset is outside of the packet',
  ])
  expect(usefulEnd('processed 1 insns', 2), 'nothing else').toEqual(['processed 1 insns'])
})
