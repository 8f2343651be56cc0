import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, type TestContext, test } from 'vitest'
import { seededRandom } from '../../tools/fuzz/random.ts'
import { CHANGES, changeBy, FIRST, GUARD, type Member, WITNESS } from '../../tools/soak/change.ts'
import { pinsOf } from '../../tools/soak/host.ts'
import { layRoad, startTraffic } from '../../tools/soak/road.ts'
import { soakChain } from '../../tools/soak/run-chain.ts'
import { soakKill } from '../../tools/soak/run-kill.ts'
import { needs, whyNoTcx } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'

const NOTHING_WRONG = { lost: 0, escaped: 0, duplicates: 0, stateIntact: true }
/** What a machine that is busy with other tests can still count without loss. */
const RATE_PPS = 20_000
const HOOKS = ['xdp', 'tc-ingress', 'tc-egress'] as const
/** Where a chain can be attached, and how. */
const PLACES = [
  { hook: 'xdp', tc: 'tcx' },
  ...HOOKS.slice(1).flatMap((hook) => (['tcx', 'clsact'] as const).map((tc) => ({ hook, tc }))),
] as const
const needsTc = ({ hook, tc }: (typeof PLACES)[number], context: TestContext): void => {
  if (hook !== 'xdp' && tc === 'tcx') needs(tc, whyNoTcx(), context)
}

describe('changes by chance', () => {
  test('are of every kind, keep guard and witness at varying places, and always change something', () => {
    const random = seededRandom(1, 0)
    const made = new Set<string>()
    const places = new Set<number>()
    let [chain, previous]: [readonly Member[], readonly Member[] | undefined] = [FIRST, undefined]
    for (let at = 0; at < 500; at++) {
      const next = changeBy(random, chain, previous)
      expect(next.chain).not.toEqual(chain)
      const names = next.chain.map(({ instance }) => instance)
      expect(names).toEqual(expect.arrayContaining([GUARD, WITNESS]))
      expect(new Set(names).size).toBe(names.length)
      if (next.change === 'rollback') expect(next.chain).toEqual(previous)
      made.add(next.change)
      places.add(names.indexOf(GUARD))
      previous = chain
      chain = next.chain
    }
    expect([...made].sort()).toEqual([...CHANGES].sort())
    expect(places.size).toBeGreaterThan(5)
  })
  test('are the same for the same seed', () => {
    const chainOf = (seed: number): readonly Member[] =>
      changeBy(seededRandom(seed, 0), changeBy(seededRandom(seed, 1), FIRST, undefined).chain, FIRST).chain
    expect(chainOf(7)).toEqual(chainOf(7))
    expect([1, 2, 3, 4].map((seed) => JSON.stringify(chainOf(seed)))).not.toEqual(
      Array(4).fill(JSON.stringify(chainOf(1))),
    )
  })
})

describeAsRoot('a chain under traffic', () => {
  test.each(HOOKS)(
    'that is not there lets what must not get through escape: the count can fail (%s)',
    async (hook) => {
      using road = layRoad(hook)
      const traffic = await startTraffic(road, RATE_PPS)
      await sleep(500)
      const { packets, banned, escaped, lost } = await traffic.stop()
      expect(packets).toBeGreaterThan(1000)
      expect(banned).toBeGreaterThan(100)
      expect(escaped).toBe(banned)
      expect(lost).toBe(0)
    },
  )

  test.for(PLACES)(
    'on $hook ($tc) loses nothing and lets nothing escape over 30 changes',
    { timeout: 120_000 },
    async (place, context) => {
      needsTc(place, context)
      const report = await soakChain({ ...place, changes: 30, packets: 20_000, seed: 3, rate_pps: RATE_PPS })
      expect(report).toMatchObject(NOTHING_WRONG)
      expect(report.changes).toBeGreaterThanOrEqual(30)
      expect(report.packets).toBeGreaterThanOrEqual(20_000)
      expect(report.dropped).toBe(report.banned)
      expect(report.linkIds).toHaveLength(1) // never detached
      expect(existsSync(pinsOf(`soak-${process.pid}`))).toBe(false)
    },
  )

  test.for(PLACES)(
    'whose agent is killed in a change is whole, and the next agent converges: $hook ($tc)',
    {
      timeout: 120_000,
    },
    async (place, context) => {
      needsTc(place, context)
      const report = await soakKill({ ...place, count: 5, seed: 5, rate_pps: RATE_PPS })
      expect(report).toMatchObject({ kills: 5, whole: 5, faults: [], ...NOTHING_WRONG })
      expect(report).toMatchObject({ leaked: [], pinsLeaked: 0, pinsMissing: 0 })
      expect(report.before + report.after).toBe(5)
      expect(report.packets).toBeGreaterThan(1000)
      expect(existsSync(pinsOf(`kill-${process.pid}`))).toBe(false)
    },
  )
})
