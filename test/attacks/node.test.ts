import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Desired, type Observed } from '../../src/domain/node.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { chainOf, stateOf, statusOf, xdpProgramOn } from '../agent/fleet.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { ATTACKS } from './attacks.ts'
import type { NodeLie } from './node-mounts.ts'
import { type NodeScene, startNodeScene } from './node-scene.ts'

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
    test('an emptied list of functions ends none', async () => {
      const { fleet, plain } = scene
      const before = chainOf(plain.node)
      plain.liar.tell({ desired: (honest) => ({ ...honest, functions: [] }), blobs: NO_BLOBS })
      const sent = (): Desired =>
        Desired.parse(JSON.parse(readFileSync(join(plain.node.state, 'desired.json'), 'utf8')))
      await expect.poll(() => sent().functions, { timeout: 10_000 }).toEqual([])
      const heard = Date.now()
      const later = await fleet.until(plain.node, 'a later report', ({ at }) => Date.parse(at) > heard + 500)
      expect(later.functions).toMatchObject([{ name: 'edge', revision: 2, state: 'running' }])
      expect(later.chains).toMatchObject([{ linkId: before.linkId, programId: before.programId }])
      plain.liar.tell(undefined)
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
