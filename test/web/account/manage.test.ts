import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProgramView } from '../../../src/domain/release.ts'
import { buildRelease, newKey, openNamespace, publishAt } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, type Visitor } from '../visitor.ts'

let registry: RunningRegistry
let owner: Visitor
let publisher: Visitor
beforeAll(async () => {
  registry = await startRegistry()
  const token = await registry.account('ada')
  const key = newKey()
  await openNamespace({ ...registry, admin: token }, 'acme', key)
  for (const version of ['1.0.0', '1.1.0'])
    await publishAt(registry, await buildRelease('acme/filter', version, key))
  owner = openBrowser(registry, token)
  publisher = openBrowser(registry, await registry.account('grace', { member: { acme: 'publisher' } }))
}, 60_000)
afterAll(() => registry.close())

const page = '/programs/acme/filter/manage'
const program = async (token?: string) => registry.call('GET', '/api/v1/programs/acme/filter', { token })
const release = async (version: string) =>
  ProgramView.parse((await program()).json).versions.find((one) => one.version === version)

describe('managing a program', () => {
  test('yanks and takes it back, with words', async () => {
    const silent = await publisher.post(`${page}/yank`, { version: '1.1.0', message: '  ' })
    expect([silent.status, silent.text]).toEqual([
      400,
      expect.stringContaining('id="yank-1.1.0-message-wrong"'),
    ])
    const yanked = await publisher.post(`${page}/yank`, { version: '1.1.0', message: 'drops <b>IPv6</b>' })
    expect(yanked.location).toBe(`${page}?done=yank`)
    expect((await release('1.1.0'))?.yanked).toBe('drops <b>IPv6</b>')
    const seen = (await publisher.get(page)).text
    expect(seen).toContain('drops &lt;b&gt;IPv6&lt;/b&gt;')
    expect(seen).toContain('Offer 1.1.0 again')
    expect((await publisher.post(`${page}/unyank`, { version: '1.1.0' })).location).toBe(
      `${page}?done=unyank`,
    )
    expect((await release('1.1.0'))?.yanked).toBeUndefined()
    expect((await publisher.post(`${page}/yank`, { version: '9.9.9', message: 'x' })).status).toBe(404)
    const odd = await publisher.post(`${page}/unyank`, { version: 'v1' })
    expect([odd.status, odd.text]).toEqual([400, expect.stringContaining('role="alert"')])
  })
  test('deprecates a release, or all of it', async () => {
    await publisher.post(`${page}/deprecate`, { version: '1.0.0', message: 'use 1.1.0' })
    expect((await release('1.0.0'))?.deprecated).toBe('use 1.1.0')
    await publisher.post(`${page}/undeprecate`, { version: '1.0.0' })
    expect((await release('1.0.0'))?.deprecated).toBeUndefined()
    await publisher.post(`${page}/deprecate`, { message: 'use acme/other' })
    expect(ProgramView.parse((await program()).json).deprecated).toBe('use acme/other')
    expect((await publisher.get(page)).text).toContain('use acme/other')
    await publisher.post(`${page}/undeprecate`)
    expect(ProgramView.parse((await program()).json).deprecated).toBeUndefined()
    // an empty version is none, rather than all of them
    expect((await publisher.post(`${page}/deprecate`, { version: '', message: 'x' })).status).toBe(400)
  })
  test('points channels', async () => {
    await publisher.post(`${page}/channel`, { channel: 'stable', version: '1.0.0' })
    expect(ProgramView.parse((await program()).json).channels).toEqual({ stable: '1.0.0' })
    const refused = await publisher.post(`${page}/channel`, { channel: 'x', version: '1.0.0' })
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringContaining('id="channel-channel-wrong"'),
    ])
    await publisher.post(`${page}/unchannel`, { channel: 'stable' })
    expect(ProgramView.parse((await program()).json).channels).toEqual({})
    expect((await publisher.post(`${page}/unchannel`, { channel: 'stable' })).status).toBe(404)
  })
  test('changes who may read it, by owners alone', async () => {
    expect((await publisher.get(page)).text).not.toContain('Make it private')
    expect((await publisher.post(`${page}/visibility`, { visibility: 'private' })).status).toBe(403)
    expect((await owner.get(page)).text).toContain('Make it private')
    expect((await owner.post(`${page}/visibility`, { visibility: 'private' })).location).toBe(
      `${page}?done=visibility`,
    )
    expect((await program()).status).toBe(404)
    expect((await owner.get(page)).text).toContain('Make it public')
    await owner.post(`${page}/visibility`, { visibility: 'public' })
    expect((await program()).status).toBe(200)
  })
  test('says when it is quarantined', async () => {
    const quarantine = { token: registry.admin, body: { message: 'under review' } }
    await registry.call('PUT', '/api/v1/programs/acme/filter/quarantine', quarantine)
    expect((await publisher.get(page)).text).toContain('under review')
    expect((await publisher.get('/me')).text).toContain(
      '<span class="tag bad" title="under review">quarantined</span>',
    )
    await registry.call('DELETE', '/api/v1/programs/acme/filter/quarantine', { token: registry.admin })
  })
  test('is for whoever publishes it', async () => {
    const stranger = openBrowser(registry, await registry.account('stranger'))
    expect((await stranger.get(page)).status).toBe(404)
    expect((await stranger.post(`${page}/yank`, { version: '1.0.0', message: 'mine' })).status).toBe(404)
    expect((await openBrowser(registry).get(page)).location).toBe(`/sign-in?next=${encodeURIComponent(page)}`)
    const elsewhere = await registry.token({ scopes: ['read', 'yank'], programs: ['acme/other'] }, 'grace')
    expect((await openBrowser(registry, elsewhere).get(page)).status).toBe(403)
    expect((await publisher.get('/programs/acme/absent/manage')).status).toBe(404)
    expect((await release('1.0.0'))?.yanked).toBeUndefined()
  })
})

describe('reporting', () => {
  const path = '/programs/acme/filter/report'
  const reports = async () =>
    Object((await registry.call('GET', '/api/v1/reports', { token: registry.admin })).json).reports
  test('is for everybody with an account, with words', async () => {
    const visitor = openBrowser(registry, await registry.account('reporter'))
    expect((await visitor.get(`${path}?version=1.1.0`)).text).toContain('<option value="1.1.0" selected>')
    const silent = await visitor.post(path, { version: '', reason: 'malware', text: '' })
    expect([silent.status, silent.text]).toEqual([400, expect.stringContaining('id="report-text-wrong"')])
    expect(silent.text).toContain('<option value="malware" selected>')
    const form = { version: '1.1.0', reason: 'malware', text: 'it phones home' }
    expect((await visitor.post(path, form)).location).toBe('/me?done=reported')
    expect(await reports()).toEqual([
      expect.objectContaining({ program: 'acme/filter', version: '1.1.0', account: 'reporter' }),
    ])
    expect((await openBrowser(registry).get(path)).location).toContain('/sign-in?next=')
    expect((await openBrowser(registry).post(path, form)).status).toBe(401)
  })
  test('of what one may not read is as if there were nothing', async () => {
    await owner.post(`${page}/visibility`, { visibility: 'private' })
    const visitor = openBrowser(registry, await registry.account('curious'))
    expect((await visitor.get(path)).status).toBe(404)
    expect((await visitor.post(path, { version: '', reason: 'other', text: 'x' })).status).toBe(404)
    expect(await reports()).toHaveLength(1)
  })
})
