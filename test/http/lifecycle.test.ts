import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRevocation } from '../../src/attest/revocation.ts'
import { ProgramPage, ProgramView, ReleaseView, ReportList, ReportView } from '../../src/domain/release.ts'
import { applyOrder, type EnrolledNode, enrolledNode, putFunction } from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

const key = newKey()
const operator = newKey('ed25519')
let registry: RunningRegistry
let node: EnrolledNode
let publisher: string
let owner: string
let revision = 0
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  await addKey(registry, '/api/v1/operators/keys', operator)
  node = await enrolledNode(registry, 'node-1')
  publisher = await registry.account('publisher', { member: { acme: 'publisher' } })
  owner = await registry.account('owner', { member: { acme: 'owner' } })
})
afterAll(() => registry.close())

const publish = async (name: string, ...versions: string[]): Promise<void> => {
  for (const version of versions)
    expect((await publishAt(registry, await buildRelease(name, version, key))).status).toBe(201)
}
const path = (name: string, version?: string) =>
  `/api/v1/programs/${name}${version === undefined ? '' : `/versions/${version}`}`
const put = (where: string, body: unknown, token = publisher) => registry.call('PUT', where, { token, body })
const remove = (where: string, token = publisher) => registry.call('DELETE', where, { token })
const programOf = async (name: string, token?: string): Promise<ProgramView> =>
  ProgramView.parse((await registry.call('GET', path(name), { token })).json)
const apply = async (use: string): Promise<Answer> =>
  putFunction(registry, 'edge', applyOrder('edge', ++revision, operator, { instances: [{ use }] }))
const resolved = async (): Promise<string[]> =>
  (await node.desired()).desired.resolutions.map(({ version }) => version)

describe('a yanked release', () => {
  test('is left out where another one fits, and says why', async () => {
    await publish('acme/yanks', '1.0.0', '1.1.0')
    expect((await apply('acme/yanks@^1.0')).status).toBe(200)
    expect(await resolved()).toEqual(['1.1.0'])
    expect((await put(`${path('acme/yanks', '1.1.0')}/yank`, { message: 'drops fragments' })).status).toBe(
      204,
    )
    expect(await resolved()).toEqual(['1.0.0'])
    const { versions } = await programOf('acme/yanks')
    expect(versions.map(({ version, yanked }) => [version, yanked])).toEqual([
      ['1.1.0', 'drops fragments'],
      ['1.0.0', undefined],
    ])
    const page = ProgramPage.parse((await registry.call('GET', '/api/v1/programs')).json)
    expect(page.programs.find(({ program }) => program === 'acme/yanks')?.latest).toBe('1.0.0')
  })
  test('is still what an exact version means, and what is left when all are yanked', async () => {
    await apply('acme/yanks@1.1.0')
    expect(await resolved()).toEqual(['1.1.0'])
    await put(`${path('acme/yanks', '1.0.0')}/yank`, { message: 'old' })
    await apply('acme/yanks@^1.0')
    expect(await resolved()).toEqual(['1.1.0'])
    const release = ReleaseView.parse((await registry.call('GET', path('acme/yanks', '1.1.0'))).json)
    expect(release.yanked).toBe('drops fragments')
    const blob = await registry.call('GET', `/api/v1/blobs/${release.files[0]?.digest}`)
    expect(blob.status).toBe(200)
  })
  test('is offered again, and a step of the function is kept for each change', async () => {
    expect((await remove(`${path('acme/yanks', '1.0.0')}/yank`)).status).toBe(204)
    await apply('acme/yanks@^1.0')
    expect(await resolved()).toEqual(['1.0.0'])
    expect((await remove(`${path('acme/yanks', '1.1.0')}/yank`)).status).toBe(204)
    expect(await resolved()).toEqual(['1.1.0'])
    const history = await registry.call('GET', '/api/v1/functions/edge/history', { token: registry.admin })
    expect(
      Object(history.json).steps.map(
        (step: { resolutions: { version: string }[] }) => step.resolutions[0]?.version,
      ),
    ).toEqual(['1.1.0', '1.0.0', '1.0.0', '1.1.0', '1.1.0', '1.0.0', '1.1.0'])
  })
  test('needs a message that is one', async () => {
    for (const message of ['', '   ', 'a\0b', 'x'.repeat(2001)])
      expect((await put(`${path('acme/yanks', '1.1.0')}/yank`, { message })).code).toBe('invalid_request')
    expect((await put(`${path('acme/yanks', '9.9.9')}/yank`, { message: 'no' })).code).toBe(
      'version_not_found',
    )
  })
})

describe('channels', () => {
  test('move, and hold a release against deletion', async () => {
    await publish('acme/moves', '1.0.0', '2.0.0')
    const channel = `${path('acme/moves')}/channels/stable`
    expect((await put(channel, { version: '1.0.0' })).status).toBe(204)
    expect((await put(channel, { version: '2.0.0' })).status).toBe(204)
    expect((await programOf('acme/moves')).channels).toEqual({ stable: '2.0.0' })
    expect((await remove(path('acme/moves', '2.0.0'), owner)).code).toBe('release_in_use')
    expect((await remove(channel)).status).toBe(204)
    expect((await remove(channel)).code).toBe('not_found')
    expect((await remove(path('acme/moves', '2.0.0'), owner)).status).toBe(204)
  })
  test('are no versions, and point to what is there', async () => {
    for (const name of ['x', '1.0.0', 'v1', 'Stable'])
      expect((await put(`${path('acme/moves')}/channels/${name}`, { version: '1.0.0' })).code).toBe(
        'invalid_request',
      )
    const nowhere = await put(`${path('acme/moves')}/channels/beta`, { version: '3.0.0' })
    expect(nowhere.code).toBe('version_not_found')
  })
})

describe('a release that is deleted', () => {
  test('is gone with its bytes, and its version stays taken', async () => {
    await publish('acme/gone', '1.0.0')
    const { files } = ReleaseView.parse((await registry.call('GET', path('acme/gone', '1.0.0'))).json)
    const own = files.find(({ name }) => name === 'hookline.yaml')?.digest
    expect((await registry.call('GET', `/api/v1/blobs/${own}`)).status).toBe(200)
    expect((await remove(path('acme/gone', '1.0.0'), publisher)).code).toBe('forbidden')
    expect((await remove(path('acme/gone', '1.0.0'), owner)).status).toBe(204)
    expect((await registry.call('GET', path('acme/gone', '1.0.0'))).code).toBe('version_not_found')
    expect((await registry.call('GET', `/api/v1/blobs/${own}`)).code).toBe('not_found')
    const again = await publishAt(registry, await buildRelease('acme/gone', '1.0.0', key))
    expect(again.code).toBe('release_exists')
    const page = await registry.call('GET', '/api/v1/programs')
    expect(page.bytes.includes('acme/gone')).toBe(false)
    await publish('acme/gone', '1.0.1')
    expect((await programOf('acme/gone')).versions.map(({ version }) => version)).toEqual(['1.0.1'])
  })
  test('is none that a function uses, nor an old one, but administrators take an old one down', async () => {
    await publish('acme/used', '1.0.0', '1.1.0')
    await apply('acme/used@1.0.0')
    expect((await remove(path('acme/used', '1.0.0'), owner)).code).toBe('release_in_use')
    const takedown = (version: string, token: string) =>
      registry.call('POST', `${path('acme/used', version)}/takedown`, { token })
    expect((await takedown('1.0.0', registry.admin)).code).toBe('release_in_use')
    const old = new Date(Date.now() - 73 * 3600 * 1000)
    await registry.database.prisma.release.updateMany({
      where: { version: '1.1.0', program: { ref: 'acme/used' } },
      data: { publishedAt: old },
    })
    expect((await remove(path('acme/used', '1.1.0'), owner)).code).toBe('release_too_old')
    expect((await takedown('1.1.0', owner)).code).toBe('scope_missing')
    expect((await takedown('1.1.0', registry.admin)).status).toBe(204)
  })
})

test('a release that is revoked stays as evidence, until an administrator takes it down', async () => {
  await publish('acme/faulty', '1.0.0')
  const revoked = { kind: 'release', program: 'acme/faulty', version: '1.0.0' } as const
  const at = new Date().toISOString()
  const envelope = signRevocation({ revoked, reason: 'faulty', message: 'drops too much', at }, key)
  const done = await registry.call('POST', '/api/v1/revocations', { token: publisher, body: { envelope } })
  expect(done.status).toBe(201)
  expect((await remove(path('acme/faulty', '1.0.0'), owner)).code).toBe('release_is_evidence')
  expect((await registry.call('GET', path('acme/faulty', '1.0.0'))).status).toBe(200)
  const takedown = `${path('acme/faulty', '1.0.0')}/takedown`
  expect((await registry.call('POST', takedown, { token: registry.admin })).status).toBe(204)
})

describe('quarantine', () => {
  test('hides a program from all but its namespace, and its bytes from everybody', async () => {
    await publish('acme/bad', '1.0.0')
    const { files } = ReleaseView.parse((await registry.call('GET', path('acme/bad', '1.0.0'))).json)
    const manifest = files.find(({ name }) => name === 'hookline.yaml')?.digest
    await apply('acme/bad@^1.0')
    expect(await resolved()).toEqual(['1.0.0'])
    const quarantine = `${path('acme/bad')}/quarantine`
    expect((await put(quarantine, { message: 'malware' }, owner)).code).toBe('scope_missing')
    expect((await put(quarantine, { message: 'malware' }, registry.admin)).status).toBe(204)
    expect((await registry.call('GET', path('acme/bad'))).code).toBe('not_found')
    expect((await programOf('acme/bad', owner)).quarantined).toBe('malware')
    expect((await registry.call('GET', `/api/v1/blobs/${manifest}`, { token: owner })).code).toBe('not_found')
    expect(await resolved()).toEqual([])
    expect((await remove(quarantine, registry.admin)).status).toBe(204)
    expect(await resolved()).toEqual(['1.0.0'])
  })
  test('hides a namespace that has nothing else', async () => {
    await openNamespace(registry, 'hidden', key)
    await publishAt(registry, await buildRelease('hidden/bad', '1.0.0', key))
    const seen = async () => (await registry.call('GET', '/api/v1/namespaces/hidden')).code
    expect(await seen()).toBeUndefined()
    await put(`${path('hidden/bad', '1.0.0')}/quarantine`, { message: 'malware' }, registry.admin)
    expect(await seen()).toBe('not_found')
    await remove(`${path('hidden/bad', '1.0.0')}/quarantine`, registry.admin)
    await put(`${path('hidden/bad')}/quarantine`, { message: 'malware' }, registry.admin)
    expect(await seen()).toBe('not_found')
  })
  test('of one release leaves the others', async () => {
    await publish('acme/bad', '1.1.0')
    await put(`${path('acme/bad', '1.1.0')}/quarantine`, { message: 'malware' }, registry.admin)
    expect((await programOf('acme/bad')).versions.map(({ version }) => version)).toEqual(['1.0.0'])
    expect((await programOf('acme/bad', owner)).versions.map(({ version }) => version)).toEqual([
      '1.1.0',
      '1.0.0',
    ])
    expect((await registry.call('GET', path('acme/bad', '1.1.0'))).code).toBe('version_not_found')
    expect(await resolved()).toEqual(['1.0.0'])
  })
})

test('a deprecation is shown, of a program and of a release', async () => {
  await publish('acme/older', '1.0.0')
  expect((await put(`${path('acme/older')}/deprecation`, { message: 'use acme/newer' })).status).toBe(204)
  expect((await put(`${path('acme/older', '1.0.0')}/deprecation`, { message: 'slow' })).status).toBe(204)
  const view = await programOf('acme/older')
  expect([view.deprecated, view.versions[0]?.deprecated]).toEqual(['use acme/newer', 'slow'])
  await remove(`${path('acme/older')}/deprecation`)
  expect((await programOf('acme/older')).deprecated).toBeUndefined()
})

test('what is said of a release hides and turns nothing around', async () => {
  await publish('acme/said', '1.0.0')
  const deprecate = (message: string) => put(`${path('acme/said')}/deprecation`, { message })
  for (const message of ['a\u001b[2J', 'a\u202eb', 'a\0b', '\ud800'])
    expect([message, (await deprecate(message)).code]).toEqual([message, 'invalid_request'])
  expect((await deprecate('two\nlines, für alle')).status).toBe(204)
})

test('a report reaches administrators, and is closed', async () => {
  await publish('acme/reported', '1.0.0')
  const body = { program: 'acme/reported', version: '1.0.0', reason: 'malware', text: 'sends packets home' }
  const stranger = await registry.account('reporter')
  const made = ReportView.parse(
    (await registry.call('POST', '/api/v1/reports', { token: stranger, body })).json,
  )
  const list = async (state: string) =>
    ReportList.parse(
      (await registry.call('GET', `/api/v1/reports?state=${state}`, { token: registry.admin })).json,
    ).reports
  expect(await list('open')).toEqual([made])
  const actions = async (audit: string, token: string): Promise<string[]> =>
    Object((await registry.call('GET', audit, { token })).json).records.map(
      ({ action }: { action: string }) => action,
    )
  expect(await actions('/api/v1/audit?action=report.*', registry.admin)).toEqual(['report.open'])
  // those whom it is about do not learn who made it
  const theirs = await actions('/api/v1/namespaces/acme/audit', owner)
  expect([theirs.includes('release.publish'), theirs.includes('report.open')]).toEqual([true, false])
  const closed = await put(
    `/api/v1/reports/${made.id}/resolution`,
    { message: 'quarantined' },
    registry.admin,
  )
  expect(closed.status).toBe(200)
  expect([await list('open'), (await list('resolved')).map(({ resolution }) => resolution)]).toEqual([
    ...[[], ['quarantined']],
  ])
  const nothing = { ...body, program: 'acme/absent' }
  expect((await registry.call('POST', '/api/v1/reports', { token: stranger, body: nothing })).code).toBe(
    'not_found',
  )
})

test('each change is in the audit, with what was before', async () => {
  const rows = await registry.database.prisma.audit.findMany({ where: { subject: 'acme/yanks@1.1.0' } })
  expect(rows.map(({ action, before, after }) => [action, before, after])).toEqual([
    ['release.publish', null, expect.anything()],
    ['release.yank', { yanked: null }, { yanked: 'drops fragments' }],
    ['release.unyank', { yanked: 'drops fragments' }, { yanked: null }],
  ])
})
