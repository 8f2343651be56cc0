import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ObservedFunction } from '../../src/domain/node.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  chainOf,
  Fleet,
  type FleetNode,
  pinsOf,
  stateOf,
  statusOf,
  untilKept,
  xdpProgramOn,
} from './fleet.ts'
import { startRelay } from './relay.ts'

const CONFIRM = ['--confirm', '3']
/** Some changes, each heard of or taken back after three seconds. */
const MOST_MS = 90_000

describeAsRoot('a change that', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    await fleet.publishKnob('1.0.0', 2, 'acme/other')
  })
  afterAll(() => fleet?.close())

  const knob = (drop: number, priority = 100) => ({
    ...{ priority, instances: [{ use: 'acme/knob@^1.0', config: { drop } }] },
  })
  const other = (priority = 50) => ({ priority, instances: [{ use: 'acme/other@^1.0' }] })
  const functionOf = (node: FleetNode, name: string): ObservedFunction | undefined =>
    statusOf(node)?.functions.find((one) => one.name === name)
  const idsOf = (node: FleetNode) => {
    const { linkId, programId, generation } = chainOf(node)
    return { linkId, programId, generation }
  }

  test(
    'cuts the node off from its registry is taken back to what ran before, at once, and a better order is obeyed',
    async () => {
      const node = await fleet.node('cut', { inside: true, extra: CONFIRM })
      await fleet.apply('base', node, other())
      await fleet.apply('cut', node, knob(0))
      await fleet.untilRuns(node, 'cut', 'acme/other@1.0.0', 'acme/knob@1.0.0')
      await untilKept(node, 'cut')
      const before = idsOf(node)

      await fleet.apply('cut', node, knob(1))
      const refused = await fleet.untilRefused(node, 'cut', 'change_taken_back')
      expect(node.agent.lines.some((line) => line.includes('cut r2 run on eth0'))).toBe(true) // it did run
      expect(stateOf(refused, 'base')).toBe('running') // it shares the chain, and did not change
      expect([idsOf(node), xdpProgramOn(node.edge)]).toEqual([before, before.programId])

      // the other function of the chain is free to change meanwhile
      await fleet.apply('base', node, other(200))
      await fleet.until(node, 'the other order', ({ chains }) => chains[0]?.functions[1]?.name === 'base')
      expect(functionOf(node, 'cut')?.error?.code).toBe('change_taken_back')

      await fleet.apply('cut', node, knob(0, 1))
      await fleet.until(
        node,
        'the better order',
        (observed) =>
          stateOf(observed, 'cut') === 'running' &&
          observed.chains[0]?.functions.some(({ name, revision }) => name === 'cut' && revision === 3) ===
            true,
      )
      expect(chainOf(node).linkId).toBe(before.linkId)
    },
    MOST_MS,
  )

  test(
    'cuts the node off where nothing ran before is detached',
    async () => {
      const node = await fleet.node('first', { inside: true, extra: CONFIRM })
      await fleet.apply('first', node, knob(1))
      await fleet.untilRefused(node, 'first', 'change_taken_back')
      expect([statusOf(node)?.chains, xdpProgramOn(node.edge)]).toEqual([[], undefined])
      expect(node.agent.lines.some((line) => line.includes('first r1 runs on eth0'))).toBe(true)
      // a restart does not make it again
      await node.agent.stop()
      fleet.startAgent(node, { extra: CONFIRM })
      await fleet.untilRefused(node, 'first', 'change_taken_back')
      expect(xdpProgramOn(node.edge)).toBeUndefined()
      await fleet.apply('first', node, knob(0))
      await fleet.untilRuns(node, 'first', 'acme/knob@1.0.0')
    },
    MOST_MS,
  )

  test(
    'falls together with the loss of the registry is taken back, acquitted, and made again',
    async () => {
      const relay = await startRelay(fleet.url, { host: '127.0.0.1', port: 0 })
      fleet.cleanup.add('relay', () => relay.close())
      const node = await fleet.node('lost', { url: relay.url, extra: CONFIRM })
      await fleet.apply('lost', node, knob(0))
      await fleet.untilRuns(node, 'lost', 'acme/knob@1.0.0')
      await untilKept(node, 'lost')
      const before = idsOf(node)
      relay.silentAfter('"revision":2')
      await fleet.apply('lost', node, knob(1))
      await fleet.untilRefused(node, 'lost', 'change_taken_back')
      expect(idsOf(node)).toEqual(before)
      const again = await fleet.until(
        node,
        'the change again',
        (observed) =>
          stateOf(observed, 'lost') === 'running' &&
          observed.chains[0]?.functions[0]?.revision === 2 &&
          observed.errors.length > 0,
      )
      expect(again.errors.map(({ code }) => code)).toEqual(['registry_unavailable'])
      expect([chainOf(node).linkId, xdpProgramOn(node.edge)]).toEqual([
        before.linkId,
        chainOf(node).programId,
      ])
      expect(node.agent.lines.filter((line) => line.includes('away for another reason'))).toHaveLength(1)
      const made = idsOf(node)
      relay.speak()
      await fleet.until(node, 'the registry', ({ errors }) => errors.length === 0)
      await untilKept(node, 'lost')
      expect(idsOf(node)).toEqual(made)
      await fleet.remove('lost')
      await expect.poll(() => pinsOf(node), { timeout: 10_000 }).toBeUndefined()
    },
    MOST_MS,
  )

  test(
    'waited to be confirmed when the host went down is not made again before the registry is within reach',
    async () => {
      const relay = await startRelay(fleet.url, { host: '127.0.0.1', port: 0 })
      fleet.cleanup.add('relay of the host', () => relay.close())
      const extra = ['--confirm', '600']
      const node = await fleet.node('host', { url: relay.url, extra })
      const revisionOf = () => chainOf(node).functions[0]?.revision
      await fleet.apply('host', node, knob(0))
      await fleet.untilRuns(node, 'host', 'acme/knob@1.0.0')
      await untilKept(node, 'host')
      relay.silentAfter('"revision":2')
      await fleet.apply('host', node, knob(1))
      await fleet.until(node, 'the change', ({ chains }) => chains[0]?.functions[0]?.revision === 2)

      for (const _ of ['the host goes down', 'and once more']) {
        await node.agent.kill()
        rmSync(join('/sys/fs/bpf/hookline', node.name), { recursive: true })
        await expect.poll(() => xdpProgramOn(node.edge)).toBeUndefined() // the kernel lets links go in its own time
        fleet.startAgent(node, { extra, url: relay.url })
        await fleet.untilRefused(node, 'host', 'change_unconfirmed')
        expect([revisionOf(), xdpProgramOn(node.edge)]).toEqual([1, chainOf(node).programId])
      }
      relay.speak()
      await fleet.until(
        node,
        'the change again',
        (observed) => stateOf(observed, 'host') === 'running' && observed.errors.length === 0,
      )
      expect(revisionOf()).toBe(2)
      await untilKept(node, 'host')
    },
    MOST_MS,
  )

  test(
    'cuts the node off stays with --confirm 0: nobody asked for more',
    async () => {
      const node = await fleet.node('never', { inside: true, extra: ['--confirm', '0'] })
      await fleet.apply('never', node, knob(1))
      const { at } = await fleet.until(node, 'the chain', ({ chains }) => chains.length === 1)
      // longer than any question to the registry takes
      await fleet.until(node, 'a later report', (later) => Date.parse(later.at) > Date.parse(at) + 7000)
      expect(stateOf(statusOf(node) ?? expect.fail('no report'), 'never')).toBe('running')
      expect(xdpProgramOn(node.edge)).toBe(chainOf(node).programId)
    },
    MOST_MS,
  )
})
