import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { signRelease } from '../../src/attest/sign-release.ts'
import type { Desired } from '../../src/domain/node.ts'
import { startLyingRegistry } from '../../tools/demo/lying-registry.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  chainOf,
  Fleet,
  type FleetNode,
  type KeyFile,
  KNOB_MANIFEST,
  knobObject,
  stateOf,
  statusOf,
  xdpProgramOn,
} from './fleet.ts'

describeAsRoot('what trust.yaml asks of releases', () => {
  let fleet: Fleet
  let reviewer: KeyFile
  let liar: Awaited<ReturnType<typeof startLyingRegistry>>
  beforeAll(async () => {
    fleet = await Fleet.start()
    reviewer = await fleet.key('reviewer')
    await fleet.hookline('key', 'add', reviewer.publicPath, '--namespace', 'acme')
    liar = await startLyingRegistry(fleet.url)
    fleet.cleanup.add('liar', () => liar.close())
  })
  afterAll(() => fleet?.close())

  /** A policy for acme that accepts publisher and reviewer, with these further fields. */
  const policyWith = (fields: string): string =>
    [
      `operators: [{ key: "${fleet.operator.key.fingerprint}" }]`,
      `programs: [{ match: "acme/*", signers: [{ key: "${fleet.publisher.key.fingerprint}" }, { key: "${reviewer.key.fingerprint}" }], permissions: [drop]${fields === '' ? '' : `, ${fields}`} }]`,
    ].join('\n')
  const knob = (program: string, version: string) => ({
    ...{ program, version },
    files: new Map([
      ['hookline.yaml', Buffer.from(stringify({ name: program, version, ...KNOB_MANIFEST }))],
      ['knob.bpf.o', knobObject(1)],
    ]),
  })

  describe('several signers', () => {
    let node: FleetNode
    beforeAll(async () => {
      await fleet.publishKnob('1.0.0', 1, 'acme/two')
      node = await fleet.node('two', { url: liar.url, policy: policyWith('minSigners: 2') })
      await fleet.apply('two', node, { instances: [{ use: 'acme/two@^1.0' }] })
    })
    test('a release of one is refused until another one signs it', async () => {
      await fleet.untilRefused(node, 'two', 'too_few_signers')
      expect(xdpProgramOn(node.edge)).toBeUndefined()
      await fleet.hookline('cosign', 'acme/two@1.0.0', '--key', reviewer.path)
      await fleet.untilRuns(node, 'two', 'acme/two@1.0.0')
    })
    test.each<[string, () => Promise<string[]>]>([
      ['withholds the second signature', async () => []],
      [
        'says the first one twice',
        async () => [await signRelease(knob('acme/two', '1.0.0'), fleet.publisher.key)],
      ],
      [
        'has the second one over an older release',
        async () => [await signRelease(knob('acme/two', '0.9.0'), reviewer.key)],
      ],
      ['makes one up', async () => ['{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}']],
    ])('what runs goes on when a registry %s', async (_, others) => {
      const before = chainOf(node)
      const bundles = await others()
      const lie = (honest: Desired): Desired => ({
        ...honest,
        releases: honest.releases.map((release) => ({ ...release, bundles })),
      })
      liar.tell({ desired: lie, blobs: new Map() })
      await fleet.untilRefused(node, 'two', 'too_few_signers')
      expect(chainOf(node)).toMatchObject({ linkId: before.linkId, programId: before.programId })
      liar.tell(undefined)
      await fleet.until(node, 'the truth', (observed) => stateOf(observed, 'two') === 'running')
    })
  })

  describe('an age', () => {
    test('a release runs when it is old enough, by the alarm, and not before', async () => {
      await fleet.publishKnob('1.0.0', 1, 'acme/aged')
      const node = await fleet.node('aged', { policy: policyWith('minAge: 6s') })
      await fleet.apply('aged', node, { instances: [{ use: 'acme/aged@^1.0' }] })
      const refused = await fleet.untilRefused(node, 'aged', 'too_young')
      const until = Date.parse(/until ([^ ]*)$/.exec(refused.functions[0]?.error?.message ?? '')?.[1] ?? '')
      const chain = await fleet.untilRuns(node, 'aged', 'acme/aged@1.0.0')
      expect(Date.parse(chain.since)).toBeGreaterThanOrEqual(until)
      expect(statusOf(node)?.functions).toMatchObject([{ state: 'running' }])
      // a newer one is too young in its turn, over a restart of the agent too, and what runs goes on
      writeFileSync(node.trust, policyWith('minAge: 1h'))
      await fleet.publishKnob('1.1.0', 2, 'acme/aged')
      await fleet.untilRefused(node, 'aged', 'too_young')
      const seen = (): string => readFileSync(join(node.state, 'seen.json'), 'utf8')
      const before = seen()
      await node.agent.stop()
      fleet.startAgent(node)
      await fleet.untilRefused(node, 'aged', 'too_young')
      expect(seen()).toBe(before)
      expect(chainOf(node).linkId).toBe(chain.linkId)
      // an operator may order it at once
      await fleet.apply('aged', node, { instances: [{ use: 'acme/aged@^1.0', emergency: true }] })
      await fleet.untilRuns(node, 'aged', 'acme/aged@1.1.0')
    })
  })

  describe('a changed policy', () => {
    let node: FleetNode
    beforeAll(async () => {
      await fleet.publishKnob('1.0.0', 1, 'acme/kept')
      node = await fleet.node('kept', { policy: policyWith('') })
      await fleet.apply('kept', node, { instances: [{ use: 'acme/kept@^1.0' }] })
      await fleet.untilRuns(node, 'kept', 'acme/kept@1.0.0')
    })
    test.each([
      ['more signers', 'minSigners: 2', 'too_few_signers'],
      ['another licence', 'licenses: [ISC]', 'license_not_allowed'],
      ['a provenance', 'provenance: { required: true, builders: ["https://builder"] }', 'provenance_missing'],
      ['more age', 'minAge: 1h', 'too_young'],
    ])('that asks for %s is held against what runs, which goes on', async (_, fields, code) => {
      const before = chainOf(node)
      expect(await checkedBy(fields)).toMatchObject({
        stops: 1,
        releases: [{ code, runs: true, stops: true }],
      })
      writeFileSync(node.trust, policyWith(fields))
      await fleet.untilRefused(node, 'kept', code)
      expect(chainOf(node)).toMatchObject({ linkId: before.linkId, programId: before.programId })
      writeFileSync(node.trust, policyWith(''))
      await fleet.until(node, 'the old one', (observed) => stateOf(observed, 'kept') === 'running')
      expect(chainOf(node).programId).toBe(before.programId)
    })
    test('is told beforehand that it stops nothing', async () => {
      expect(await checkedBy('licenses: [MIT]')).toMatchObject({
        stops: 0,
        releases: [{ runs: true, stops: false }],
      })
    })
    /** What `hookline trust check` says of a policy with these fields. */
    async function checkedBy(fields: string): Promise<unknown> {
      const path = fleet.path('changed.yaml')
      writeFileSync(path, policyWith(fields))
      const args = ['trust', 'check', path, '--against', node.trust, '--state', node.state]
      return fleet.answer(...args)
    }
  })

  describe('the policy of owners', () => {
    let [owner, node]: [KeyFile | undefined, FleetNode | undefined] = [undefined, undefined]
    const written = () => node ?? expect.fail('no node')
    /** Signs and pushes a revision whose rule has these further fields. */
    async function push(revision: number, fields: object = {}): Promise<void> {
      const key = owner ?? expect.fail('no owner')
      const [file, out] = [fleet.path('owners.yaml'), fleet.path(`owners-${revision}.json`)]
      const rule = {
        ...{ match: 'acme/*', signers: [{ key: fleet.publisher.key.fingerprint }] },
        ...{ permissions: ['drop'], ...fields },
      }
      writeFileSync(
        file,
        stringify({
          ...{ kind: 'policy', name: 'owned', selector: { node: written().name } },
          ...{ operators: [{ key: fleet.operator.key.fingerprint }], programs: [rule] },
        }),
      )
      await fleet.hookline(
        'trust',
        'sign',
        file,
        '--revision',
        `${revision}`,
        '--key',
        key.path,
        '--out',
        out,
      )
      await fleet.hookline('trust', 'push', out, '--public-key', key.publicPath)
    }
    const complains = (code: string) =>
      fleet.until(written(), code, ({ errors }) => errors.some((error) => error.code === code))

    test('is obeyed once they gave one, and a newer one in its place', async () => {
      owner = await fleet.key('owner')
      await fleet.publishKnob('1.0.0', 1, 'acme/owned')
      node = await fleet.node('owned', {
        url: liar.url,
        policy: `owners: [{ key: "${owner.key.fingerprint}" }]`,
      })
      await fleet.apply('owned', node, { instances: [{ use: 'acme/owned@^1.0' }] })
      await complains('policy_missing')
      expect(xdpProgramOn(node.edge)).toBeUndefined()
      await push(1)
      await fleet.untilRuns(node, 'owned', 'acme/owned@1.0.0')
      await push(2, { licenses: ['ISC'] })
      await fleet.untilRefused(node, 'owned', 'license_not_allowed')
      expect(await fleet.answer('trust', 'check', node.trust, '--state', node.state)).toMatchObject({
        releases: [{ code: 'license_not_allowed', runs: true }],
      })
    })
    test('cannot be taken back, made up or ended by a registry', async () => {
      const older = readFileSync(fleet.path('owners-1.json'), 'utf8')
      const tell = (policies: Desired['policies']): void =>
        liar.tell({ desired: (honest) => ({ ...honest, policies }), blobs: new Map() })
      tell([{ name: 'owned', revision: 3, envelope: older }])
      await complains('stale_revision')
      expect(stateOf(statusOf(written()) ?? expect.fail('no report'), 'owned')).toBe('refused')
      const forged = fleet.path('forged.json')
      const args = ['--revision', '9', '--key', fleet.publisher.path, '--out', forged]
      await fleet.hookline('trust', 'sign', fleet.path('owners.yaml'), ...args)
      tell([{ name: 'owned', revision: 9, envelope: readFileSync(forged, 'utf8') }])
      await complains('owner_not_allowed')
      tell([])
      await fleet.until(written(), 'silence', ({ errors }) => errors.length === 0)
      await fleet.untilRefused(written(), 'owned', 'license_not_allowed')
      liar.tell(undefined)
      await push(3)
      await fleet.untilRuns(written(), 'owned', 'acme/owned@1.0.0')
    })
  })
})
