import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { sha256Digest } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { Desired } from '../../src/domain/node.ts'
import { startLyingRegistry } from '../../tools/demo/lying-registry.ts'
import type { BuiltRelease } from '../http/release-builder.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  chainOf,
  Fleet,
  type FleetNode,
  KNOB_MANIFEST,
  knobObject,
  stateOf,
  statusOf,
  xdpProgramOn,
} from './fleet.ts'
import { describeRelease } from './held-release.ts'

type Lying = Awaited<ReturnType<typeof startLyingRegistry>>

describeAsRoot('a registry that was taken over', () => {
  let fleet: Fleet
  let node: FleetNode
  let liar: Lying
  let genuine: Record<'v1' | 'v2' | 'next' | 'other' | 'stranger' | 'neighbour', BuiltRelease>
  /** Envelope of the order before the one in force. */
  let earlier = ''

  beforeAll(async () => {
    fleet = await Fleet.start()
    const [stranger, neighbour] = [await fleet.key('stranger'), await fleet.key('neighbour')]
    liar = await startLyingRegistry(fleet.url)
    fleet.cleanup.add('liar', () => liar.close())
    await fleet.publishKnob('1.1.0', 1)
    const policy = fleet
      .policy(
        `  - { match: "other/*", signers: [{ key: "${neighbour.key.fingerprint}" }], permissions: [drop] }`,
      )
      .replace('}], permissions', '}], minVersion: { "acme/knob": "1.1.0" }, permissions')
    node = await fleet.node('a', { url: liar.url, policy })
    await fleet.apply('edge', node)
    await fleet.untilRuns(node, 'edge', 'acme/knob@1.1.0')
    earlier = await envelopeNow()
    await fleet.apply('edge', node, { priority: 50 })
    await fleet.until(node, 'the second order', ({ chains }) => chains[0]?.functions[0]?.revision === 2)
    const signed = (program: string, version: string, key = fleet.publisher, step = 7) =>
      build(program, version, key, step)
    genuine = {
      v1: await signed('acme/knob', '1.0.0'),
      v2: await signed('acme/knob', '2.0.0'),
      next: await signed('acme/knob', '1.2.0'),
      other: await signed('acme/other', '1.2.0', fleet.publisher, 8),
      stranger: await signed('acme/knob', '1.2.0', stranger),
      neighbour: await signed('acme/knob', '1.2.0', neighbour),
    }
    strangers = { stranger: stranger.key, neighbour: neighbour.key }
  })
  afterAll(() => fleet?.close())
  let strangers: Record<'stranger' | 'neighbour', Fleet['publisher']['key']>

  async function build(program: string, version: string, { key }: Fleet['publisher'], step: number) {
    const files = new Map([
      ['hookline.yaml', Buffer.from(stringify({ name: program, version, ...KNOB_MANIFEST }))],
      ['knob.bpf.o', knobObject(step)],
    ])
    return { program, version, files, bundle: await signRelease({ program, version, files }, key) }
  }
  async function envelopeNow(): Promise<string> {
    const { functions } = Desired.parse(JSON.parse(readFileSync(join(node.state, 'desired.json'), 'utf8')))
    return functions[0]?.envelope ?? expect.fail('no order')
  }
  /** Tells a lie, waits for its refusal, and for the truth to be believed again. The kernel's program never changes. */
  async function refused(
    lie: (honest: Desired) => Desired,
    code: string,
    { blobs = [], name = 'edge' }: { blobs?: readonly Buffer[]; name?: string } = {},
  ): Promise<void> {
    const [before, { linkId }] = [xdpProgramOn(node.edge), chainOf(node)]
    liar.tell({ desired: lie, blobs: new Map(blobs.map((bytes) => [sha256Digest(bytes), bytes])) })
    await fleet.untilRefused(node, name, code)
    expect(xdpProgramOn(node.edge)).toBe(before)
    liar.tell(undefined)
    await fleet.until(
      node,
      'the truth',
      (observed) => stateOf(observed, 'edge') === 'running' && observed.functions.length === 1,
    )
    expect([xdpProgramOn(node.edge), chainOf(node).linkId]).toEqual([before, linkId])
    expect(before).toBe(chainOf(node).programId)
  }
  /** The honest state with acme/knob resolved to this release instead. */
  const instead =
    (release: ReturnType<typeof describeRelease>, keys: readonly string[] = []) =>
    (honest: Desired): Desired => ({
      ...honest,
      resolutions: honest.resolutions.map(({ use }) => ({ use, version: release.version })),
      releases: [release],
      keys: [...honest.keys, ...keys],
    })
  const flipped = (bytes: Buffer | undefined): Buffer => {
    const copy = Buffer.from(bytes ?? expect.fail('no such file'))
    copy.writeUInt8((copy.at(-1) ?? 0) ^ 1, copy.length - 1)
    return copy
  }
  const withFile = ({ files }: BuiltRelease, name: string, bytes: Buffer): Map<string, Buffer> =>
    new Map([...files].map(([each, content]) => [each, each === name ? bytes : content]))

  describe('cannot make a kernel run', () => {
    test('an altered object under its honest digest', async () => {
      const { next } = genuine
      const honest = next.files.get('knob.bpf.o')
      const files = [...next.files.values()].map((bytes): [string, Buffer] => [
        sha256Digest(bytes),
        bytes === honest ? flipped(bytes) : bytes,
      ])
      const before = xdpProgramOn(node.edge)
      liar.tell({ desired: instead(describeRelease(next)), blobs: new Map(files) })
      await fleet.untilRefused(node, 'edge', 'digest_mismatch')
      expect(xdpProgramOn(node.edge)).toBe(before)
      liar.tell(undefined)
      await fleet.until(node, 'the truth', (observed) => stateOf(observed, 'edge') === 'running')
    })
    test.each(['knob.bpf.o', 'hookline.yaml'])('an altered %s, digest altered to fit', async (name) => {
      const { next } = genuine
      const files = withFile(next, name, flipped(next.files.get(name)))
      await refused(instead(describeRelease(next, files)), 'subject_mismatch', { blobs: [...files.values()] })
    })
    test('a genuine object of another release', async () => {
      const { next, other } = genuine
      const files = withFile(next, 'knob.bpf.o', other.files.get('knob.bpf.o') ?? Buffer.alloc(0))
      await refused(instead(describeRelease(next, files)), 'subject_mismatch', { blobs: [...files.values()] })
    })
    test('a release without a signature', async () => {
      const { next } = genuine
      await refused(instead({ ...describeRelease(next), bundle: '' }), 'bundle_missing', {
        blobs: [...next.files.values()],
      })
    })
    test.each(['stranger', 'neighbour'] as const)('a release signed by a %s', async (who) => {
      const release = genuine[who]
      const lie = instead(describeRelease(release), [strangers[who].publicKey.spki.toString('base64')])
      await refused(lie, 'signer_not_allowed', { blobs: [...release.files.values()] })
    })
    test('a genuine release outside of the range that was ordered', async () => {
      const { v2 } = genuine
      await refused(instead(describeRelease(v2)), 'outside_range', { blobs: [...v2.files.values()] })
    })
    test('a genuine release below the minimum of the policy', async () => {
      const { v1 } = genuine
      await refused(instead(describeRelease(v1)), 'below_min_version', { blobs: [...v1.files.values()] })
    })
    test('a genuine old release under a new version’s name', async () => {
      const { v1 } = genuine
      await refused(instead({ ...describeRelease(v1), version: '1.2.0' }), 'release_mismatch', {
        blobs: [...v1.files.values()],
      })
    })
  })

  describe('cannot give orders', () => {
    const withOrder =
      (change: (envelope: string) => string, name = 'edge') =>
      (honest: Desired): Desired => ({
        ...honest,
        functions: honest.functions.map((order) => ({ ...order, name, envelope: change(order.envelope) })),
      })
    const spec = (name: string, selector: Record<string, string>) =>
      FunctionSpec.parse({
        ...{ kind: 'function', name, selector, interfaces: ['eth0'] },
        instances: [{ use: 'acme/knob@^1.0', config: { drop: 1 } }],
      })

    test('by altering one that an operator signed', async () => {
      const alter = (envelope: string): string => {
        const signed: { payload: string } = JSON.parse(envelope)
        const text = Buffer.from(signed.payload, 'base64').toString().replace('"revision":2', '"revision":3')
        return JSON.stringify({ ...signed, payload: Buffer.from(text).toString('base64') })
      }
      await refused(withOrder(alter), 'order_signature_invalid')
    })
    test('by replaying an older one', async () => {
      await refused(
        withOrder(() => earlier),
        'stale_revision',
      )
    })
    test('with a key of its own', async () => {
      const order = { kind: 'apply', revision: 9, function: spec('edge', {}) } as const
      const envelope = signOrder(order, strangers.stranger)
      const lie = withOrder(() => envelope)
      const key = strangers.stranger.publicKey.spki.toString('base64')
      await refused((honest) => ({ ...lie(honest), keys: [...honest.keys, key] }), 'operator_not_allowed')
    })
    test('with the key of a publisher', async () => {
      const order = { kind: 'remove', revision: 9, name: 'edge' } as const
      const envelope = signOrder(order, fleet.publisher.key)
      await refused(
        withOrder(() => envelope),
        'operator_not_allowed',
      )
    })
    test('that an operator signed for other nodes', async () => {
      const order = { kind: 'apply', revision: 1, function: spec('core', { role: 'core' }) } as const
      const envelope = signOrder(order, fleet.operator.key)
      const lie = (honest: Desired): Desired => ({
        ...honest,
        functions: [...honest.functions, { name: 'core', revision: 1, envelope }],
      })
      await refused(lie, 'selector_mismatch', { name: 'core' })
    })
    test('by showing a genuine one as that of another function', async () => {
      await refused(
        withOrder((envelope) => envelope, 'core'),
        'order_invalid',
        { name: 'core' },
      )
    })
  })

  describe('can withhold, and the chain goes on', () => {
    test('without its keys and releases', async () => {
      await refused((honest) => ({ ...honest, keys: [] }), 'signer_not_allowed')
      await refused((honest) => ({ ...honest, releases: [] }), 'version_not_found')
      await refused((honest) => ({ ...honest, resolutions: [] }), 'version_not_found')
    })
    test('with an emptied list of functions: that ends none', async () => {
      const before = chainOf(node)
      liar.tell({ desired: (honest) => ({ ...honest, functions: [] }), blobs: new Map() })
      const emptied = (): boolean =>
        Desired.parse(JSON.parse(readFileSync(join(node.state, 'desired.json'), 'utf8'))).functions.length ===
        0
      await expect.poll(emptied, { timeout: 10_000 }).toBe(true)
      const heard = Date.now()
      const later = await fleet.until(node, 'a later report', ({ at }) => Date.parse(at) > heard + 500)
      expect(later.functions).toMatchObject([{ name: 'edge', revision: 2, state: 'running' }])
      expect(later.chains).toMatchObject([{ linkId: before.linkId, programId: before.programId }])
      liar.tell(undefined)
    })
  })

  test('after all of it the node follows an honest one, on the same link', async () => {
    const { linkId } = chainOf(node)
    await node.agent.stop()
    await fleet.publishKnob('1.1.1', 2)
    fleet.startAgent(node)
    expect((await fleet.untilRuns(node, 'edge', 'acme/knob@1.1.1')).linkId).toBe(linkId)
    expect(statusOf(node)?.errors).toEqual([])
  })
})
