import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { LogProof } from '../../src/domain/log.ts'
import type { Revoked } from '../../src/domain/log-entry.ts'
import { ProgramView, ReleaseView } from '../../src/domain/release.ts'
import { RevocationList, RevocationView } from '../../src/domain/revocation.ts'
import { decodeBundle } from '../../src/tlog/entry-bundle.ts'
import { applyOrder, type EnrolledNode, enrolledNode, putFunction } from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt, releaseForm } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

const [key, neighbour, operator, stranger] = [newKey(), newKey(), newKey('ed25519'), newKey()]
let registry: RunningRegistry
let node: EnrolledNode
let publisher: string
let yanker: string
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  await openNamespace(registry, 'other', neighbour)
  await addKey(registry, '/api/v1/operators/keys', operator)
  node = await enrolledNode(registry, 'node-1')
  yanker = await registry.account('yanker', { member: { acme: 'publisher' }, scopes: ['yank'] })
  publisher = await registry.account('publisher', { member: { acme: 'publisher' } })
})
afterAll(() => registry.close())

const signed = (revoked: Revoked, by = key, message = 'reads past the packet'): string =>
  signRevocation({ revoked, reason: 'vulnerable', message, at: '2026-05-01T12:00:00.000Z' }, by)
const release = (program: string, version: string): Revoked => ({ kind: 'release', program, version })
const revoke = (envelope: string, token = publisher): Promise<Answer> =>
  registry.call('POST', '/api/v1/revocations', { token, body: { envelope } })
const entriesOf = async (log: string, size: number): Promise<string[]> => {
  const answer = await registry.call('GET', `/log/${log}/tile/entries/000.p/${size}`)
  return decodeBundle(answer.bytes, size).map(String)
}
const sizeOf = async (log: string): Promise<number> =>
  Number((await registry.call('GET', `/log/${log}/checkpoint`)).bytes.toString().split('\n')[1])

describe('a revoked release', () => {
  test('is never resolved to again, keeps its bytes, and stands in both logs', async () => {
    for (const version of ['1.0.0', '1.1.0'])
      expect((await publishAt(registry, await buildRelease('acme/limit', version, key))).status).toBe(201)
    const order = applyOrder('edge', 1, operator, { instances: [{ use: 'acme/limit@^1.0' }] })
    expect((await putFunction(registry, 'edge', order)).status).toBe(200)
    const before = await node.desired()
    expect(before.desired.resolutions[0]?.version).toBe('1.1.0')
    expect(before.desired.releases[0]?.logged?.entry).toContain('"version":"1.1.0"')

    const envelope = signed(release('acme/limit', '1.1.0'))
    const answer = await revoke(envelope)
    expect(answer.status).toBe(201)
    const view = RevocationView.parse(answer.json)
    expect(view).toMatchObject({ signer: key.fingerprint, digest: sha256Digest(Buffer.from(envelope)) })

    const { desired, etag } = await node.desired()
    expect(etag).not.toBe(before.etag)
    expect(desired.resolutions[0]?.version).toBe('1.0.0')
    expect(desired.revocations).toEqual([{ envelope, key: view.key }])
    const shown = ReleaseView.parse(
      (await registry.call('GET', '/api/v1/programs/acme/limit/versions/1.1.0')).json,
    )
    expect(shown.revoked).toBe('reads past the packet')
    for (const { digest } of shown.files)
      expect((await registry.call('GET', `/api/v1/blobs/${digest}`)).status).toBe(200)
    const program = ProgramView.parse((await registry.call('GET', '/api/v1/programs/acme/limit')).json)
    expect(program.versions.map(({ revoked }) => revoked !== undefined)).toEqual([true, false])
    for (const log of ['catalog', 'revocations']) {
      const entries = await entriesOf(log, await sizeOf(log))
      const entry: unknown = JSON.parse(entries.at(-1) ?? '')
      expect(entry).toMatchObject({ kind: 'revoke', reason: 'vulnerable', envelope: view.digest })
    }
    const sizes = [await sizeOf('catalog'), await sizeOf('revocations')]
    expect((await revoke(envelope)).status).toBe(201)
    expect([await sizeOf('catalog'), await sizeOf('revocations')]).toEqual(sizes)
    const found = await registry.call('GET', `/api/v1/revocations/${view.digest}`)
    expect(RevocationView.parse(found.json)).toEqual(view)
  })
  test('does not change what nodes are sent where only the log grows', async () => {
    const before = await node.desired()
    await publishAt(registry, await buildRelease('acme/unrelated', '1.0.0', key))
    expect((await node.desired()).etag).toBe(before.etag)
  })
})

describe('who may not revoke', () => {
  test.each<[string, number, string, () => string]>([
    ['a stranger', 422, 'revoker_not_allowed', () => signed(release('acme/limit', '1.0.0'), stranger)],
    [
      'the signer of another namespace',
      422,
      'revoker_not_allowed',
      () => signed(release('acme/limit', '1.0.0'), neighbour),
    ],
    [
      'a publisher, a file',
      422,
      'revoker_not_allowed',
      () => signed({ kind: 'file', digest: sha256Digest(Buffer.from('a')) }),
    ],
    ['a release that is not there', 404, 'version_not_found', () => signed(release('acme/limit', '9.0.0'))],
    [
      'an operator, through somebody who may give no orders',
      403,
      'scope_missing',
      () => signed(release('acme/limit', '1.0.0'), operator),
    ],
  ])('%s', async (_, status, code, envelope) => {
    const size = await sizeOf('revocations')
    const answer = await revoke(envelope(), yanker)
    expect([answer.status, answer.code]).toEqual([status, code])
    expect(await sizeOf('revocations')).toBe(size)
  })
})

test('that of a private program is for its readers, and hidden in the logs', async () => {
  const built = await buildRelease('acme/secret', '1.0.0', key)
  const form = releaseForm(built)
  const published = await registry.call('POST', '/api/v1/releases?visibility=private', {
    token: registry.admin,
    form,
  })
  expect(published.status).toBe(201)
  const answer = await revoke(signed(release('acme/secret', '1.0.0')))
  const { digest } = RevocationView.parse(answer.json)
  expect((await registry.call('GET', `/api/v1/revocations/${digest}`)).status).toBe(404)
  for (const log of ['catalog', 'revocations']) {
    const path = `/api/v1/revocations/${digest}/log-proof/${log}`
    expect((await registry.call('GET', path)).code).toBe('not_found')
    const proof = LogProof.parse((await registry.call('GET', path, { token: publisher })).json)
    expect(proof.hidden).toContain(digest)
  }
  const list = await registry.call('GET', '/api/v1/revocations', { token: publisher })
  expect(RevocationList.parse(list.json).revocations.map((one) => one.digest)).toContain(digest)
  const entries = await entriesOf('revocations', await sizeOf('revocations'))
  expect(entries.at(-1)).toContain('"kind":"private"')
})

describe('an operator', () => {
  test('revokes a file, and with it what has it, and what would be published with it', async () => {
    const built = await buildRelease('acme/filed', '1.0.0', key)
    expect((await publishAt(registry, built)).status).toBe(201)
    const [, bytes] = [...built.files].find(([name]) => name.endsWith('.o')) ?? expect.fail('no object')
    const digest = sha256Digest(bytes)
    expect((await revoke(signed({ kind: 'file', digest }, operator), registry.admin)).status).toBe(201)
    const shown = await registry.call('GET', '/api/v1/programs/acme/filed/versions/1.0.0')
    expect(ReleaseView.parse(shown.json).revoked).toBe('reads past the packet')
    const again = await buildRelease('acme/filed', '1.0.1', key)
    expect((await publishAt(registry, again)).code).toBe('release_revoked')
  })
})
