import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildRelease, newKey, openNamespace, publishAt } from '../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { hookline, scratch } from './hookline.ts'

const folder = await scratch()
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
  const key = newKey()
  await openNamespace(registry, 'acme', key)
  for (const version of ['1.0.0', '1.1.0'])
    await publishAt(registry, await buildRelease('acme/limit', version, key))
})
afterAll(() => registry.close())
const run = (...argv: string[]) =>
  hookline(folder, argv, { HOOKLINE_URL: registry.url, HOOKLINE_TOKEN: registry.admin })

test('a release is yanked, shown as yanked, left out, and offered again', async () => {
  expect((await run('yank', 'acme/limit@1.1.0', '--message', 'drops fragments')).code).toBe(0)
  expect((await run('show', 'acme/limit')).stdout).toMatch(/1\.1\.0 .*yanked: drops fragments/)
  expect((await run('show', 'acme/limit@^1')).stdout).toContain('acme/limit@1.0.0')
  expect((await run('show', 'acme/limit@1.1.0')).stdout).toMatch(/yanked +drops fragments/)
  expect((await run('unyank', 'acme/limit@1.1.0')).code).toBe(0)
  expect((await run('show', 'acme/limit@^1')).stdout).toContain('acme/limit@1.1.0')
})
test('a channel names a release in commands', async () => {
  expect((await run('channel', 'set', 'acme/limit@1.0.0', 'stable')).stdout).toContain(
    'acme/limit@stable is 1.0.0',
  )
  expect((await run('show', 'acme/limit@stable')).stdout).toContain('acme/limit@1.0.0')
  expect((await run('show', 'acme/limit')).stdout).toMatch(/1\.0\.0 +stable/)
  expect((await run('channel', 'remove', 'acme/limit', 'stable')).code).toBe(0)
  expect((await run('show', 'acme/limit@stable')).code).toBe(4)
})
test('a deprecation is a message or its end, not both', async () => {
  expect((await run('deprecate', 'acme/limit', '--message', 'use acme/other')).code).toBe(0)
  expect((await run('show', 'acme/limit')).stdout).toMatch(/deprecated +use acme\/other/)
  for (const flags of [[], ['--undo', '--message', 'x']])
    expect((await run('deprecate', 'acme/limit', ...flags)).code).toBe(2)
  expect((await run('deprecate', 'acme/limit', '--undo')).code).toBe(0)
})
test('a private program is shown as one, a public one as nothing of the sort', async () => {
  const shown = async (ref: string) => [
    /private +for members of its namespace only/.test((await run('show', ref)).stdout),
    JSON.parse((await run('show', ref, '--json')).stdout).private,
  ]
  for (const ref of ['acme/limit', 'acme/limit@1.0.0']) expect(await shown(ref)).toEqual([false, undefined])
  await run('visibility', 'acme/limit', 'private')
  for (const ref of ['acme/limit', 'acme/limit@1.0.0']) expect(await shown(ref)).toEqual([true, true])
  await run('visibility', 'acme/limit', 'public')
})
test('a report is listed and closed', async () => {
  expect((await run('report', 'acme/limit', '--reason', 'name', '--text', 'not theirs')).code).toBe(0)
  const { stdout } = await run('admin', 'reports', '--json')
  const [report] = JSON.parse(stdout).reports
  expect(report).toMatchObject({ program: 'acme/limit', reason: 'name', account: 'admin' })
  expect((await run('admin', 'resolve', report.id, '--message', 'it is')).code).toBe(0)
  expect((await run('admin', 'reports')).stdout).toBe('no reports\n')
})
test.each(['acme/limit@1.1.0', 'acme/limit'])(
  '%s in quarantine is shown to its namespace, not given',
  async (subject) => {
    expect((await run('admin', 'quarantine', subject, '--message', 'looked into')).code).toBe(0)
    const shown = await run('show', 'acme/limit@1.1.0')
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('the registry gives nobody these files'),
    })
    expect(JSON.parse((await run('show', 'acme/limit@1.1.0', '--json')).stdout).config).toEqual([])
    expect((await run('pull', 'acme/limit@1.1.0', '--out', 'q', '--unverified')).code).toBe(4)
    expect((await run('admin', 'quarantine', subject, '--undo')).code).toBe(0)
    expect((await run('show', 'acme/limit@1.1.0')).stdout).not.toContain('gives nobody')
  },
)
test('a release is deleted by its exact version only', async () => {
  expect((await run('delete', 'acme/limit@^1')).stderr).toContain('[invalid_name]')
  expect((await run('delete', 'acme/limit@1.0.0')).code).toBe(0)
  expect((await run('show', 'acme/limit@1.0.0')).code).toBe(4)
})
