import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { signRelease, signStatement } from '../../src/attest/sign-release.ts'
import { AuditPage } from '../../src/domain/audit.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { ReleaseView } from '../../src/domain/release.ts'
import { BUILDER, slsaStatement } from '../support/slsa.ts'
import { applyOrder, type EnrolledNode, enrolledNode, putFunction } from './enrolled-node.ts'
import {
  addKey,
  type BuiltRelease,
  buildRelease,
  newKey,
  openNamespace,
  publishAt,
  xdpObject,
} from './release-builder.ts'
import { type Answer, type CallOptions, type RunningRegistry, startRegistry } from './running-registry.ts'

const [ada, grace, eve, operator] = [newKey(), newKey('ed25519'), newKey(), newKey('ed25519')]
let registry: RunningRegistry
let node: EnrolledNode
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', ada)
  await addKey(registry, '/api/v1/namespaces/acme/keys', grace)
  await addKey(registry, '/api/v1/operators/keys', operator)
  node = await enrolledNode(registry, 'edge-1')
})
afterAll(() => registry.close())

const published = async (program: string, more: object = {}): Promise<BuiltRelease> => {
  const release = await buildRelease(program, '1.0.0', ada)
  const answer = await publishAt(registry, { ...release, ...more })
  expect(answer.status, answer.code).toBe(201)
  return release
}
const cosign = (
  { program, version }: BuiltRelease,
  bundle: string,
  options: CallOptions = {},
): Promise<Answer> =>
  registry.call('POST', `/api/v1/programs/${program}/versions/${version}/bundles`, {
    ...{ token: registry.admin, body: { bundle } },
    ...options,
  })
const shown = async ({ program, version }: BuiltRelease): Promise<ReleaseView> =>
  ReleaseView.parse((await registry.call('GET', `/api/v1/programs/${program}/versions/${version}`)).json)
const fingerprints = (...keys: PrivateKey[]): string[] => keys.map(({ fingerprint }) => fingerprint)

describe('a release of several signers', () => {
  test('is published with all their bundles', async () => {
    const release = await buildRelease('acme/both', '1.0.0', ada)
    const bundles = [await signRelease(release, grace)]
    const { json } = await publishAt(registry, { ...release, bundles })
    expect(ReleaseView.parse(json)).toMatchObject({
      bundles,
      signer: ada.fingerprint,
      signers: fingerprints(ada, grace),
    })
    expect(await shown(release)).toEqual(ReleaseView.parse(json))
  })
  test.each<[string, (release: BuiltRelease) => Promise<string[]>, string]>([
    [
      'a signer who is not accepted',
      async (release) => [await signRelease(release, eve)],
      'signer_not_allowed',
    ],
    [
      'a signature over another release',
      async (release) => [await signRelease({ ...release, version: '1.0.1' }, grace)],
      'release_mismatch',
    ],
    ['a bundle that is none', async () => ['{}'], 'bundle_invalid'],
    [
      'more signatures than there may be',
      (release) =>
        Promise.all(Array.from({ length: LIMITS.release_bundles + 1 }, () => signRelease(release, grace))),
      'too_large',
    ],
  ])('is refused whole for %s', async (_, others, code) => {
    const release = await buildRelease('acme/refused', '1.0.0', ada)
    const answer = await publishAt(registry, { ...release, bundles: await others(release) })
    expect(answer.code).toBe(code)
    expect((await registry.call('GET', '/api/v1/programs/acme/refused')).code).toBe('not_found')
  })
})

describe('a signature that comes later', () => {
  test('is shown, audited, and reaches the nodes with its key', async () => {
    const release = await published('acme/later')
    await putFunction(
      registry,
      'later',
      applyOrder('later', 1, operator, { instances: [{ use: 'acme/later@1.0.0' }] }),
    )
    const before = await node.desired()
    const bundle = await signRelease(release, grace)
    const answer = await cosign(release, bundle)
    expect(ReleaseView.parse(answer.json)).toMatchObject({
      bundles: [bundle],
      signers: fingerprints(ada, grace),
    })
    const { desired, etag } = await node.desired()
    expect(etag).not.toBe(before.etag)
    expect(desired.releases.find(({ program }) => program === 'acme/later')?.bundles).toEqual([bundle])
    expect(desired.keys).toContain(grace.publicKey.spki.toString('base64'))
    expect(before.desired.keys).not.toContain(grace.publicKey.spki.toString('base64'))
    const audit = await registry.call('GET', '/api/v1/audit?action=release.cosign', { token: registry.admin })
    expect(AuditPage.parse(audit.json).records).toMatchObject([{ subject: 'acme/later@1.0.0' }])
  })
  test('of somebody who has signed it changes nothing', async () => {
    const release = await published('acme/again')
    for (const key of [ada, grace, grace]) await cosign(release, await signRelease(release, key))
    expect((await shown(release)).signers).toEqual(fingerprints(ada, grace))
  })
  test.each<[string, (release: BuiltRelease) => Promise<string> | string, string]>([
    ['a stranger’s', (release) => signRelease(release, eve), 'signer_not_allowed'],
    [
      'one over other files',
      (release) =>
        signRelease({ ...release, files: new Map([...release.files, ['x', Buffer.from('x')]]) }, grace),
      'subject_missing',
    ],
    [
      'one over another version',
      (release) => signRelease({ ...release, version: '2.0.0' }, grace),
      'release_mismatch',
    ],
    ['one that is empty', () => '', 'bundle_missing'],
    ['one that is none', () => 'null', 'bundle_invalid'],
  ])('is refused: %s', async (what, make, code) => {
    const release = await published(`acme/refused-${what.length}`)
    expect((await cosign(release, await make(release))).code).toBe(code)
    expect((await shown(release)).signers).toEqual(fingerprints(ada))
  })
  test('is refused to whoever may not publish there, as if nothing was there', async () => {
    const release = await published('acme/foreign')
    const bundle = await signRelease(release, grace)
    const token = await registry.account('stranger')
    expect((await cosign(release, bundle, { token })).code).toBe('not_found')
    const reader = await registry.account('reader', { member: { acme: 'reader' } })
    expect((await cosign(release, bundle, { token: reader })).code).toBe('forbidden')
    expect((await cosign({ ...release, version: '9.0.0' }, bundle)).code).toBe('version_not_found')
  })
  test('of a key that was removed meanwhile is refused; what it signed before stays', async () => {
    const leaving = newKey()
    await addKey(registry, '/api/v1/namespaces/acme/keys', leaving)
    const [first, second] = [await published('acme/first'), await published('acme/second')]
    expect((await cosign(first, await signRelease(first, leaving))).status).toBe(200)
    await registry.call('DELETE', `/api/v1/namespaces/acme/keys/${leaving.fingerprint}`, {
      token: registry.admin,
    })
    expect((await cosign(second, await signRelease(second, leaving))).code).toBe('signer_not_allowed')
    expect((await shown(first)).signers).toEqual(fingerprints(ada, leaving))
  })
})

describe('a key of a namespace', () => {
  const [past, future] = ['2020-01-01T00:00:00.000Z', '2999-01-01T00:00:00.000Z']
  const put = ({ fingerprint, publicKey }: PrivateKey, validity: object): Promise<Answer> =>
    registry.call('PUT', `/api/v1/namespaces/acme/keys/${fingerprint}`, {
      token: registry.admin,
      body: { publicKey: publicKey.spki.toString('base64'), ...validity },
    })
  test.each([
    ['that is valid now', { validFrom: past, validUntil: future }, undefined],
    ['that was valid', { validUntil: past }, 'key_expired'],
    ['that will be valid', { validFrom: future }, 'key_expired'],
  ])('%s signs: %s', async (what, validity, code) => {
    const key = newKey()
    expect((await put(key, validity)).json).toMatchObject(validity)
    const release = await buildRelease(`acme/valid-${what.length}`, '1.0.0', key)
    expect((await publishAt(registry, release)).code).toBe(code)
    const other = await published(`acme/cosigned-${what.length}`)
    expect((await cosign(other, await signRelease(other, key))).code).toBe(code)
  })
  test('may be valid for longer, or for ever, when it is said anew', async () => {
    const key = newKey()
    await put(key, { validUntil: past })
    const release = await buildRelease('acme/renewed', '1.0.0', key)
    expect((await publishAt(registry, release)).code).toBe('key_expired')
    expect((await put(key, {})).json).not.toHaveProperty('validUntil')
    expect((await publishAt(registry, release)).status).toBe(201)
  })
  test('is refused when it would never be valid', async () => {
    expect((await put(newKey(), { validFrom: future, validUntil: past })).code).toBe('invalid_request')
  })
})

describe('a provenance', () => {
  const built = (files: Buffer[], key = ada) =>
    signStatement(Buffer.from(JSON.stringify(slsaStatement(files))), key)
  test('is shown, given byte for byte, and sent to nodes', async () => {
    const provenance = await built([xdpObject()])
    const release = await published('acme/built', { provenance })
    const path = '/api/v1/programs/acme/built/versions/1.0.0/provenance'
    expect((await shown(release)).provenance).toEqual({
      ...{
        builder: BUILDER,
        buildType: 'https://example.org/make/v1',
        bundle: path,
        signer: ada.fingerprint,
      },
      source: 'git+https://github.com/acme/app@refs/tags/v1',
    })
    expect((await registry.call('GET', path)).bytes.toString()).toBe(provenance)
    await putFunction(
      registry,
      'built',
      applyOrder('built', 1, operator, { instances: [{ use: 'acme/built@1.0.0' }] }),
    )
    const { desired } = await node.desired()
    expect(desired.releases.find(({ program }) => program === 'acme/built')?.provenance).toBe(provenance)
  })
  test('of a signer that the registry does not know is kept, and no signer is shown', async () => {
    const release = await published('acme/elsewhere', { provenance: await built([xdpObject()], eve) })
    expect((await shown(release)).provenance).not.toHaveProperty('signer')
  })
  test('is not there where none was sent', async () => {
    const release = await published('acme/unbuilt')
    expect(await shown(release)).not.toHaveProperty('provenance')
    const answer = await registry.call('GET', '/api/v1/programs/acme/unbuilt/versions/1.0.0/provenance')
    expect(answer.code).toBe('not_found')
  })
  test.each<[string, () => Promise<string> | string, string]>([
    ['about other objects', () => built([Buffer.from('other')]), 'provenance_invalid'],
    ['about other objects, of a stranger', () => built([Buffer.from('other')], eve), 'provenance_invalid'],
    ['that is no bundle', () => '{}', 'bundle_invalid'],
    [
      'that was altered',
      async () => {
        const bundle = JSON.parse(await built([Buffer.from('other')]))
        bundle.dsseEnvelope.payload = Buffer.from(JSON.stringify(slsaStatement([xdpObject()]))).toString(
          'base64',
        )
        return JSON.stringify(bundle)
      },
      'signature_invalid',
    ],
  ])('is refused %s, and the release with it', async (_, make, code) => {
    const release = await buildRelease('acme/misbuilt', '1.0.0', ada)
    expect((await publishAt(registry, { ...release, provenance: await make() })).code).toBe(code)
  })
})
