import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Desired, Observed } from '../../src/domain/node.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { chainOf, stateOf, statusOf, xdpProgramOn } from '../agent/fleet.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { ATTACKS } from './attacks.ts'
import type { NodeLie } from './node-mounts.ts'
import { type NodeScene, startNodeScene } from './node-scene.ts'
import { NOTHING } from './order-mounts.ts'

const PACKETS = 100
const rows = ATTACKS.flatMap(({ name, node }) => ('code' in node ? [{ name, ...node }] : []))
const NO_BLOBS = new Map<string, Buffer>()

describeAsRoot('at a node whose registry was taken over', () => {
  let scene: NodeScene
  beforeAll(async () => {
    scene = await startNodeScene()
  })
  afterAll(() => scene?.fleet.close())

  const codesIn = ({ functions, errors }: Observed, where: string): string[] =>
    where === 'errors'
      ? errors.map(({ code }) => code)
      : functions.flatMap(({ name, error }) => (name === where && error ? [error.code] : []))
  const namesIn = (observed: Observed | undefined): string[] =>
    observed?.functions.map(({ name }) => name).sort() ?? []

  /** Tells a lie, waits for its refusal, looks at the kernel, and waits for the truth to be believed again. */
  async function refused(lie: NodeLie, code: string): Promise<void> {
    const { node, liar, runs } = scene[lie.at]
    const { fleet } = scene
    const [before, { linkId }] = [xdpProgramOn(node.edge), chainOf(node)]
    const names = namesIn(statusOf(node))
    liar.tell({ desired: lie.desired ?? ((honest) => honest), blobs: lie.blobs ?? NO_BLOBS })
    await lie.meanwhile?.()
    await fleet.until(node, code, (observed) => codesIn(observed, lie.seenIn ?? runs).includes(code))
    if (lie.ends) await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).not.toBe(before)
    else expect([xdpProgramOn(node.edge), chainOf(node).programId]).toEqual([before, before])
    expect(chainOf(node).linkId).toBe(linkId)
    liar.tell(undefined)
    await lie.after?.()
    await fleet.until(
      node,
      'the truth',
      (observed) => stateOf(observed, runs) === 'running' && namesIn(observed).join() === names.join(),
    )
    expect(chainOf(node).linkId).toBe(linkId)
  }

  test.each(rows)('$name: $code', async ({ mount, code }) => refused(await mount(scene), code))

  describe('withholding takes nothing down:', () => {
    const parts: Partial<Desired>[] = [{ keys: [] }, { releases: [] }, { resolutions: [] }]
    test.each(parts)('%j', async (part) => {
      const code = part.keys === undefined ? 'version_not_found' : 'signer_not_allowed'
      await refused({ at: 'plain', desired: (honest) => ({ ...honest, ...part }) }, code)
    })
    test('an emptied list does not hide that something is revoked', async () => {
      const { fleet, logged } = scene
      logged.liar.tell({ desired: () => NOTHING, blobs: NO_BLOBS })
      const told = await fleet.untilRefused(logged.node, logged.runs, 'order_withheld')
      expect(codesIn(told, 'doomed')).toEqual(['release_revoked'])
      logged.liar.tell(undefined)
    })
    test('an emptied list is told of after a restart, too; a node that heard no registry misses nothing', async () => {
      const { fleet, plain } = scene
      const { node, liar, runs } = plain
      const before = chainOf(node)
      const tell = (desired: () => Desired): void => liar.tell({ desired, blobs: NO_BLOBS })
      const away = (): Desired => {
        throw new Error('no answer')
      }
      const restart = async (): Promise<void> => {
        await node.agent.stop()
        fleet.startAgent(node, { url: liar.url })
      }
      const silence = () =>
        fleet.until(node, 'silence', (observed) =>
          codesIn(observed, 'errors').includes('registry_unavailable'),
        )
      tell(() => NOTHING)
      await fleet.untilRefused(node, runs, 'order_withheld')
      expect(node.agent.lines.join('\n')).toContain(`refused ${runs}: the registry no longer sends order 2`)
      tell(away)
      await restart()
      expect(codesIn(await silence(), runs)).toEqual(['order_withheld']) // it is what was heard last
      await node.agent.stop()
      rmSync(join(node.state, 'desired.json'))
      fleet.startAgent(node, { url: liar.url })
      expect(codesIn(await silence(), runs)).not.toContain('order_withheld')
      liar.tell(undefined)
      const later = await fleet.until(node, 'the truth', (observed) => stateOf(observed, runs) === 'running')
      expect(later.chains).toMatchObject([{ linkId: before.linkId, programId: before.programId }])
    })
  })

  test('after all of it every packet passes, and an honest registry is followed on the same link', async () => {
    const { fleet, plain } = scene
    const { node } = plain
    const [{ linkId }, lab, run] = [chainOf(node), fleet.lab, newRun()]
    const receiver = await startReceiver({ lab, at: node.edge, run })
    const sent = { lab, from: node.client, run, mix: { good: 1 }, count: PACKETS, rate_pps: 2000 }
    await (await startSender(sent)).done
    await sleep(100) // what is on the way
    expect((await receiver.stop()).classes.good.distinct).toBe(PACKETS)
    await node.agent.stop()
    await fleet.publishKnob('1.1.1', 2)
    fleet.startAgent(node)
    const chain = await fleet.untilRuns(node, 'edge', 'acme/knob@1.1.1', 'acme/knob@1.1.1')
    expect(chain.linkId).toBe(linkId)
  })
})
