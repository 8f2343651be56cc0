import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'

let registry: RunningRegistry
let member: string
const key = newKey()
beforeAll(async () => {
  registry = await startRegistry()
  for (const name of ['acme', 'covert', 'bare']) await openNamespace(registry, name, key)
  member = await registry.account('mia', { member: { acme: 'reader', covert: 'publisher', bare: 'owner' } })
  await publishAt(registry, await buildRelease('acme/app', '1.0.0', key))
  for (const program of ['acme/secret', 'covert/secret']) {
    const form = releaseForm(await buildRelease(program, '1.0.0', key))
    await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
  }
  await registry.services.namespaces.setProof(
    'acme',
    { kind: 'dns', of: 'acme.example' },
    new Date('2026-03-01T00:00:00Z'),
    { kind: 'anonymous' },
  )
}, 60_000)
afterAll(() => registry.close())

async function page(path: string, token?: string): Promise<{ status: number; text: string }> {
  const headers = { accept: 'text/html', ...(token && { cookie: `hookline=given.${token}` }) }
  const { status, bytes } = await registry.call('GET', path, { headers })
  return { status, text: bytes.toString() }
}

test('a namespace shows its programs, what it proved, and who signs for it', async () => {
  const { status, text } = await page('/namespaces/acme')
  expect(status).toBe(200)
  expect(text).toContain('href="/programs/acme/app"')
  expect(text).toContain('acme.example')
  expect(text).toContain('2026-03-01')
  expect(text).toContain(key.fingerprint)
  expect(text).toContain('href="/feeds/acme/releases.atom"')
})

test('strangers see neither members nor what is private, members do', async () => {
  const stranger = await page('/namespaces/acme')
  expect(stranger.text).not.toContain('secret')
  expect(stranger.text).not.toContain('mia')
  expect(stranger.text).not.toContain('/namespaces/acme/members')
  const { text } = await page('/namespaces/acme', member)
  expect(text).toContain('href="/programs/acme/secret"')
  expect(text.match(/private: for members only/g)).toHaveLength(1)
  expect(text).toContain('You are a reader here.')
  expect(text).toContain('href="/namespaces/acme/members"')
})

test('one that shows nothing to everybody is there for its members only', async () => {
  for (const name of ['covert', 'bare']) {
    const [hidden, none] = [await page(`/namespaces/${name}`), await page('/namespaces/none')]
    expect([hidden.status, none.status]).toEqual([404, 404])
    expect(hidden.text.replaceAll(name, 'none')).toBe(none.text)
    expect((await page(`/namespaces/${name}`, member)).status).toBe(200)
  }
  expect((await page('/namespaces/bare', member)).text).toContain('Nothing is published in bare yet.')
})

test('a list goes on behind a name', async () => {
  expect((await page('/namespaces/acme?after=acme/aaa')).text).toContain('href="/programs/acme/app"')
  expect((await page('/namespaces/acme?after=acme/app')).text).not.toContain('href="/programs/acme/app"')
})

test('a name that is none, and a place in the list that is none, are refused', async () => {
  expect((await page('/namespaces/A%3Cb')).status).toBe(404)
  expect((await page('/namespaces/acme?after=zzz')).status).toBe(400)
})
