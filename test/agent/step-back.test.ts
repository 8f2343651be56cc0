import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LogList } from '../../src/domain/log.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { chainOf, Fleet, type FleetNode, untilKept, xdpProgramOn } from './fleet.ts'

const MOST_MS = 120_000
/** With owners: the database's own user reads it. */
const copy = (from: string, to: string): void => void execFileSync('cp', ['-a', from, to])

describeAsRoot('an older release than what runs, by an order that did not change', () => {
  let fleet: Fleet
  let node: FleetNode
  let without: FleetNode
  /** How often it went over to that version, as its agent said. */
  const ran = ({ agent }: FleetNode, version: string): number =>
    agent.lines.filter((line) => line.includes(`runs on eth0 (xdp): acme/knob@${version}`)).length

  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    const { logs } = LogList.parse(await (await fetch(new URL('/api/v1/logs', fleet.url))).json())
    const key = logs.find(({ log }) => log === 'catalog')?.key
    node = await fleet.node('l', { policy: `${fleet.policy()}\nlog: { key: "${key}" }\n` })
    without = await fleet.node('n')
    for (const [name, one] of [
      ['knob', node],
      ['other', without],
    ] as const) {
      await fleet.apply(name, one)
      await fleet.untilRuns(one, name, 'acme/knob@1.0.0')
    }
  }, MOST_MS)
  afterAll(() => fleet?.close())

  test(
    'is taken from a registry whose log goes on, as after a yank',
    async () => {
      await fleet.publishKnob('1.1.0', 2)
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.1.0')
      await untilKept(node, 'knob')
      await fleet.hookline('yank', 'acme/knob@1.1.0', '--message', 'too slow')
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.0.0')
      await untilKept(node, 'knob')
      expect(ran(node, '1.0.0')).toBe(2)
    },
    MOST_MS,
  )

  test(
    'is not taken from a registry that went back in time, nor at a start without it',
    async () => {
      await fleet.registry.stop()
      copy(fleet.path('registry'), fleet.path('backup'))
      await fleet.startRegistry()
      await fleet.publishKnob('1.2.0', 3)
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.2.0')
      await fleet.untilRuns(without, 'other', 'acme/knob@1.2.0')
      await untilKept(node, 'knob')
      const { programId } = chainOf(node)
      await fleet.registry.stop()
      rmSync(fleet.path('registry'), { recursive: true })
      copy(fleet.path('backup'), fleet.path('registry'))
      await fleet.startRegistry()

      await fleet.untilRefused(node, 'knob', 'log_rollback')
      // what a node does that follows no log says that there was such a step to take
      await fleet.untilRuns(without, 'other', 'acme/knob@1.0.0')
      expect([chainOf(node).programId, xdpProgramOn(node.edge)]).toEqual([programId, programId])
      expect(ran(node, '1.0.0')).toBe(2)

      await node.agent.stop()
      fleet.startAgent(node, { url: 'http://127.0.0.1:9' })
      await fleet.untilRefused(node, 'knob', 'registry_unavailable')
      expect([chainOf(node).programId, xdpProgramOn(node.edge)]).toEqual([programId, programId])
      expect(ran(node, '1.0.0')).toBe(0)
    },
    MOST_MS,
  )
})
