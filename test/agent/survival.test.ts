import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packetsOf } from '../../src/domain/hook.ts'
import type { ObservedChain } from '../../src/domain/node.ts'
import { buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
import { countedSince, linkCounters } from '../../tools/lab/namespaces.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { chainOf, Fleet, type FleetNode, pinsOf, statusOf, xdpProgramOn } from './fleet.ts'

const RATE_PPS = 3000
const KILLS_AT_REST = 3
const KILLS_DURING_UPGRADES = 16
/** An upgrade takes about so long from the answer to the publish: poll, fetch, verify, build, switch, retire. */
const UPGRADE_MS = 300
/** Some 20 starts of an agent, each up to a few seconds when others use the machine. */
const MOST_MS = 120_000

describeAsRoot('an agent that is killed', () => {
  let fleet: Fleet
  let node: FleetNode

  beforeAll(async () => {
    fleet = await Fleet.start()
    node = await fleet.node('a')
    const scrub = fleet.path('scrub')
    buildProgram(join(PROGRAMS, 'scrub'), { outDir: scrub })
    await fleet.hookline('publish', scrub, '--key', fleet.publisher.path)
    await fleet.publishKnob('1.0.0')
    await fleet.apply('edge', node, {
      instances: [{ use: 'hookline/scrub@^1.0' }, { use: 'acme/knob@^1.0' }],
    })
    await fleet.untilRuns(node, 'edge', 'hookline/scrub@1.0.0', 'acme/knob@1.0.0')
  })
  afterAll(() => fleet?.close())

  /** Runs `work` under traffic; gives what was sent, what was lost of the good and escaped of the bogus. */
  async function underTraffic(work: () => Promise<void>) {
    const { lab } = fleet
    const run = newRun()
    const before = linkCounters(node.client)
    const receiver = await startReceiver({ lab, at: node.edge, run, seconds: 120 })
    const sender = await startSender({
      ...{ lab, from: node.client, run, rate_pps: RATE_PPS, seconds: 120, mix: { good: 8, bogus: 2 } },
    })
    try {
      await work()
    } finally {
      await sender.stop()
      await sleep(200) // what is on the way
    }
    const [{ sent }, { classes, socketDrops }] = [await sender.done, await receiver.stop()]
    // a queue that overflowed would make the counts mean nothing
    expect([socketDrops, countedSince(before, linkCounters(node.client)).txDropped]).toEqual([0, 0])
    return { sent, lost: sent.good - classes.good.distinct, escaped: classes.bogus.received }
  }
  const first = (chain: ObservedChain): number =>
    packetsOf(chain.entries[0]?.total ?? expect.fail('no entry'))
  const adopted = (): Promise<unknown> =>
    fleet.until(node, 'adoption', ({ chains }) => chains[0]?.functions[0]?.name === 'edge')

  test(
    `leaves its chain to work on, and adopts it again: same link, same program, ${KILLS_AT_REST} times`,
    async () => {
      const { linkId, programId, generation } = chainOf(node)
      let counted = first(chainOf(node))
      const result = await underTraffic(async () => {
        for (let kill = 0; kill < KILLS_AT_REST; kill++) {
          await sleep(300)
          await node.agent.kill()
          expect(xdpProgramOn(node.edge)).toBe(programId)
          await sleep(300)
          fleet.startAgent(node)
          await adopted()
          expect(chainOf(node)).toMatchObject({ linkId, programId, generation })
          expect(first(chainOf(node))).toBeGreaterThan(counted) // also by what came while nobody was there
          counted = first(chainOf(node))
        }
      })
      expect(result).toMatchObject({ lost: 0, escaped: 0 })
      expect(result.sent.bogus).toBeGreaterThan(100)
      const all = result.sent.good + result.sent.bogus
      await expect.poll(() => first(chainOf(node)), { timeout: 5000 }).toBeGreaterThanOrEqual(all)
    },
    MOST_MS,
  )

  test(
    `in ${KILLS_DURING_UPGRADES} upgrades at any moment converges: no packet lost or escaped, nothing left over`,
    async () => {
      const { linkId } = chainOf(node)
      const before = first(chainOf(node))
      const last = `acme/knob@1.0.${KILLS_DURING_UPGRADES}`
      const result = await underTraffic(async () => {
        for (let kill = 1; kill <= KILLS_DURING_UPGRADES; kill++) {
          await fleet.publishKnob(`1.0.${kill}`, kill + 1)
          await sleep((UPGRADE_MS * kill) / KILLS_DURING_UPGRADES)
          await node.agent.kill()
          fleet.startAgent(node)
          // every other time the next kill finds an agent that is only starting
          if (kill % 2 === 0) await adopted()
        }
        await fleet.untilRuns(node, 'edge', 'hookline/scrub@1.0.0', last)
      })
      expect(result).toMatchObject({ lost: 0, escaped: 0 })
      const chain = chainOf(node)
      expect([chain.linkId, chain.programId]).toEqual([linkId, xdpProgramOn(node.edge)])
      // what runs, and what ran before it
      await expect.poll(() => generations().length, { timeout: 5000 }).toBeLessThanOrEqual(2)
      expect(generations()).toContain(`gen-${chain.generation}`)
      expect(
        remembered()
          .map((generation) => `gen-${generation}`)
          .sort(),
      ).toEqual(generations())
      // the totals of all generations: a packet may have been on its way when its generation was counted, none twice
      const all = result.sent.good + result.sent.bogus
      await expect.poll(() => first(chainOf(node)) - before, { timeout: 5000 }).toBeGreaterThan(all * 0.999)
      expect(first(chainOf(node)) - before).toBeLessThan(all * 1.001 + 50) // and neighbour discovery
      expect(statusOf(node)?.errors).toEqual([])
    },
    MOST_MS,
  )

  const generations = (): string[] =>
    (pinsOf(node) ?? []).flatMap((path) => /(?<=^[^/]+\/)gen-\d+$/.exec(path)?.[0] ?? []).sort()
  const remembered = (): number[] => {
    const folder = join(node.state, 'chains')
    const records: { generations: { generation: number }[] }[] = readdirSync(folder)
      .filter((name) => name.endsWith('.json')) // a write that was cut short leaves its file aside
      .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
    return records.flatMap((record) => record.generations.map(({ generation }) => generation))
  }
})
