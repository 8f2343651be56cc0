import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { badge, countText } from '../../src/registry/badge.ts'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
const HOSTILE = '<script>alert("&amp;")</script> ]]>  it\'s'
const key = newKey()
beforeAll(async () => {
  registry = await startRegistry()
  for (const namespace of ['acme', 'other']) await openNamespace(registry, namespace, key)
  await publishAt(registry, await buildRelease('acme/app', '1.0.0', key))
  await publishAt(registry, await buildRelease('acme/app', '1.1.0', key, { manifest: { summary: HOSTILE } }))
  await publishAt(registry, await buildRelease('other/app', '1.0.0', key))
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', key))
  await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
}, 60_000)
afterAll(() => registry.close())

/** Elements of a document as a real parser reads it; it throws for one that is not well-formed. */
function parsed(xml: Buffer): { feed: string; entries: { title: string; summary: string }[] } {
  const script = `
import json, sys
from xml.etree import ElementTree
a = '{http://www.w3.org/2005/Atom}'
root = ElementTree.fromstring(sys.stdin.buffer.read())
entries = [{'title': e.findtext(a + 'title'), 'summary': e.findtext(a + 'summary')} for e in root.findall(a + 'entry')]
for e in [root, *root.findall(a + 'entry')]:
    assert e.findtext(a + 'id') and e.findtext(a + 'updated') and e.findtext(a + 'title')
print(json.dumps({'feed': root.tag, 'entries': entries}))`
  return JSON.parse(execFileSync('python3', ['-c', script], { input: xml, encoding: 'utf8' }))
}
const get = (path: string, headers = {}): Promise<Answer> => registry.call('GET', path, { headers })

test('feeds name the newest public releases first, and are well-formed whatever a summary holds', async () => {
  const all = await get('/feeds/releases.atom')
  expect([all.status, all.headers.get('content-type')]).toEqual([200, 'application/atom+xml; charset=utf-8'])
  const { feed, entries } = parsed(all.bytes)
  expect(feed).toBe('{http://www.w3.org/2005/Atom}feed')
  expect(entries.map(({ title }) => title)).toEqual(['other/app@1.0.0', 'acme/app@1.1.0', 'acme/app@1.0.0'])
  expect(entries[1]?.summary).toBe(HOSTILE)
  const titles = async (path: string) => parsed((await get(path)).bytes).entries.map(({ title }) => title)
  expect(await titles('/feeds/acme/releases.atom')).toEqual(['acme/app@1.1.0', 'acme/app@1.0.0'])
  expect(await titles('/feeds/other/app/releases.atom')).toEqual(['other/app@1.0.0'])
  // a private program, and one that is not there, are alike
  const [secret, none] = [
    await get('/feeds/acme/secret/releases.atom'),
    await get('/feeds/acme/none/releases.atom'),
  ]
  expect(secret.bytes.toString().replaceAll('secret', 'none')).toBe(none.bytes.toString())
  expect(parsed(none.bytes).entries).toEqual([])
})

test('entries lead to pages, and are known by what never changes', async () => {
  const text = (await get('/feeds/acme/app/releases.atom')).bytes.toString()
  const { url } = registry
  expect(text).toContain(`<link rel="alternate" type="text/html" href="${url}/programs/acme/app/v/1.1.0"/>`)
  expect(text).toContain(`<id>${url}/api/v1/programs/acme/app/versions/1.1.0</id>`)
  expect(text).toContain(`<link rel="alternate" type="text/html" href="${url}/programs/acme/app"/>`)
  const all = (await get('/feeds/acme/releases.atom')).bytes.toString()
  expect(all).toContain(`<link rel="alternate" type="text/html" href="${url}/namespaces/acme"/>`)
})

test('a feed that did not change is not sent again', async () => {
  const path = '/feeds/acme/app/releases.atom'
  const first = await get(path)
  const etag = first.headers.get('etag') ?? ''
  expect(first.headers.get('last-modified')).toMatch(/GMT$/)
  const again = await get(path, { 'if-none-match': etag })
  expect([again.status, again.bytes.length]).toEqual([304, 0])
  const message = { message: 'broken' }
  const yank = '/api/v1/programs/acme/app/versions/1.0.0/yank'
  await registry.call('PUT', yank, { token: registry.admin, body: message })
  const changed = await get(path, { 'if-none-match': etag })
  expect(parsed(changed.bytes).entries.map(({ title }) => title)).toEqual([
    ...['acme/app@1.1.0', 'acme/app@1.0.0 (yanked)'],
  ])
  await registry.call('DELETE', yank, { token: registry.admin })
})

test('badges show version and downloads, and know nothing of what is private', async () => {
  const version = await get('/badges/acme/app/version.svg')
  expect(version.headers.get('content-type')).toBe('image/svg+xml')
  expect(version.headers.get('cache-control')).toContain('max-age=300')
  expect(version.bytes.toString()).toContain('aria-label="hookline: 1.1.0"')
  expect((await get('/badges/acme/app/downloads.svg')).bytes.toString()).toContain('downloads: 0')
  const [secret, none] = [
    await get('/badges/acme/secret/version.svg'),
    await get('/badges/acme/none/version.svg'),
  ]
  expect(secret.bytes).toEqual(none.bytes)
  expect(none.bytes.toString()).toContain('hookline: unknown')
  const token = registry.admin
  const asked = await registry.call('GET', '/badges/acme/secret/version.svg', { token })
  expect(asked.bytes).toEqual(none.bytes) // nor for those who may read it: a cache may keep it
})

test('a badge escapes what it shows; counts are short', () => {
  expect(badge('a"<', '&')).toContain('aria-label="a&quot;&lt;: &amp;"')
  expect([0, 999, 1000, 1250, 12_900, 3_400_000, 2e9].map(countText)).toEqual([
    ...['0', '999', '1k', '1.2k', '12k', '3.4M', '2G'],
  ])
})
