import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LogProof } from '../../../src/domain/log.ts'
import { html } from '../../../src/web/html.ts'
import { logPart } from '../../../src/web/log/log-part.ts'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'

let registry: RunningRegistry
const publisher = newKey()
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  await publishAt(registry, await buildRelease('acme/limit', '1.0.0', publisher))
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', publisher))
  await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
  for (let at = 0; at < 15; at++) {
    const path = '/api/v1/programs/acme/limit/versions/1.0.0/yank'
    await registry.call('PUT', path, { token: registry.admin, body: { message: '<b>no</b>' } })
    await registry.call('DELETE', path, { token: registry.admin })
  }
})
afterAll(() => registry.close())

const page = async (path: string, token?: string) => {
  const { status, bytes, headers } = await registry.call('GET', path, {
    token,
    headers: { accept: 'text/html' },
  })
  return { status, text: bytes.toString('utf8'), type: headers.get('content-type') }
}
const proofOf = async (program: string) =>
  LogProof.parse(
    (
      await registry.call('GET', `/api/v1/programs/${program}/versions/1.0.0/log-proof`, {
        token: registry.admin,
      })
    ).json,
  )

describe('the log’s pages', () => {
  test('say how both logs stand, and what happened, the newest first', async () => {
    const { status, text } = await page('/log')
    expect(status).toBe(200)
    expect(text.match(/<h1>/g)).toHaveLength(1)
    expect(text).toContain('none are asked')
    expect(text).toMatch(
      /<a href="\/programs\/acme\/limit\/v\/1\.0\.0">acme\/limit@1\.0\.0<\/a><bdi> no longer yanked/,
    )
    expect(text).not.toContain('acme/secret')
  })
  test('go on page by page to the first entry', async () => {
    const seen: number[] = []
    let path = '/log'
    for (let turns = 0; turns < 10; turns++) {
      const { text } = await page(path)
      seen.push(...[...text.matchAll(/entries\/catalog\/(\d+)/g)].map(([, index]) => Number(index)))
      const older = /href="([^"#]*)[^"]*" rel="next"/.exec(text)?.[1]
      if (older === undefined) break
      path = older.replaceAll('&amp;', '&')
    }
    expect(seen).toEqual(Array.from(seen, (_, at) => seen.length - 1 - at))
    expect(seen.length).toBeGreaterThan(30)
  })
  test('take nonsense in an address for nothing', async () => {
    for (const query of [
      'log=other',
      'before=-1',
      'before=1e9',
      'before=99999999',
      'log=revocations&before=0',
    ])
      expect((await page(`/log?${query}`)).status).toBe(200)
  })
  test('show an entry with its proof', async () => {
    const { index, hashes } = await proofOf('acme/limit')
    const { status, text } = await page(`/log/entries/catalog/${index}`)
    expect(status).toBe(200)
    expect(text).toContain('hookline log proof acme/limit@1.0.0')
    for (const hash of hashes)
      expect(text).toContain(Buffer.from(hash, 'base64').toString('hex').slice(0, 12))
    expect(text).not.toMatch(/ style=|<script(?![^>]* src=)/)
  })
  test('show what a private program’s entry hides to nobody', async () => {
    const { index, salt } = await proofOf('acme/secret')
    for (const token of [undefined, registry.admin]) {
      const { status, text } = await page(`/log/entries/catalog/${index}`, token)
      expect(status).toBe(200)
      expect(text).toContain('something about a private program')
      expect(text).not.toContain('acme/secret')
      expect(text).not.toContain(salt)
    }
  })
  test.each(['catalog/99999', 'catalog/-1', 'catalog/01', 'catalog/x', 'other/0', 'revocations/0'])(
    'have no entry %s',
    async (path) => expect((await page(`/log/entries/${path}`)).status).toBe(404),
  )
  test('take no address from the log itself', async () => {
    const answer = await page('/log/catalog/checkpoint')
    expect(answer.type).toMatch(/^text\/plain/)
    expect((await page('/log/entries/checkpoint')).status).not.toBe(200)
  })
})

describe('the part about a release', () => {
  const release = { program: 'acme/limit', version: '1.0.0' }
  test('links its entry, and says how to check it', async () => {
    const place = await proofOf('acme/limit')
    const text = String(logPart(place, release, new Date()))
    expect(text).toContain(`/log/entries/catalog/${place.index}`)
    expect(text).toContain('hookline log proof acme/limit@1.0.0')
    // what checks a file asks nobody, and has no key but the one that is named
    expect(text).toContain('hookline log check release.tlog-proof --log-key &quot;$CATALOG_KEY&quot;')
  })
  test('says that there is none, and shows nothing that is hidden', async () => {
    expect(String(logPart(undefined, release, new Date()))).toContain('no entry')
    const place = await proofOf('acme/secret')
    const text = String(html`${logPart(place, { program: 'acme/secret', version: '1.0.0' }, new Date())}`)
    expect(text).toContain('only members can open')
    expect(text).not.toContain(place.salt)
  })
})
