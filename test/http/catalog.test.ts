import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { ProgramPage, ProgramView } from '../../src/domain/release.ts'
import { noneMatch, parseRange } from '../../src/http/blob-routes.ts'
import { buildRelease, newKey, openNamespace, publishAt, xdpObject } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

const key = newKey()
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  for (const program of ['acme/aa', 'acme/bb', 'acme/cc'])
    for (const version of ['1.0.0', '1.10.0', '1.9.0', '2.0.0-rc.1'])
      await publishAt(registry, await buildRelease(program, version, key))
  await publishAt(registry, await buildRelease('acme/pre', '0.1.0-alpha.2', key))
  await publishAt(registry, await buildRelease('acme/pre', '0.1.0-alpha.10', key))
})
afterAll(() => registry.close())

test('programs come in pages that together are all of them, each with its newest stable version', async () => {
  const seen: [string, string, string][] = []
  let path = '/api/v1/programs?limit=3'
  for (;;) {
    const page = ProgramPage.parse((await registry.call('GET', path)).json)
    seen.push(
      ...page.programs.map(({ program, latest, summary }): [string, string, string] => [
        program,
        latest,
        summary,
      ]),
    )
    if (page.next === undefined) break
    path = `/api/v1/programs?limit=3&cursor=${page.next}`
  }
  expect(seen).toEqual([
    ['acme/aa', '1.10.0', 'Test 1.10.0'],
    ['acme/bb', '1.10.0', 'Test 1.10.0'],
    ['acme/cc', '1.10.0', 'Test 1.10.0'],
    ['acme/pre', '0.1.0-alpha.10', 'Test 0.1.0-alpha.10'],
  ])
})
test('a page is as long as there are programs, and then ends', async () => {
  const page = ProgramPage.parse((await registry.call('GET', '/api/v1/programs?limit=4')).json)
  expect([page.programs.length, page.next]).toEqual([4, undefined])
})
test.each(['limit=0', 'limit=101', 'limit=x', 'cursor=nothing', 'surprise=1'])(
  'a page with %s is refused',
  async (query) => {
    const answer = await registry.call('GET', `/api/v1/programs?${query}`)
    expect([answer.status, answer.code]).toEqual([400, 'invalid_request'])
  },
)
test('a program shows its versions by precedence', async () => {
  const { versions } = ProgramView.parse((await registry.call('GET', '/api/v1/programs/acme/aa')).json)
  expect(versions.map(({ version }) => version)).toEqual(['2.0.0-rc.1', '1.10.0', '1.9.0', '1.0.0'])
})
test('an unknown version is told from an unknown program', async () => {
  expect((await registry.call('GET', '/api/v1/programs/acme/aa/versions/9.9.9')).code).toBe(
    'version_not_found',
  )
  expect((await registry.call('GET', '/api/v1/programs/acme/zz/versions/1.0.0')).code).toBe('not_found')
  expect((await registry.call('GET', '/api/v1/programs/acme/zz')).code).toBe('not_found')
  expect((await registry.call('GET', '/api/v1/programs/acme/aa/versions/v1')).code).toBe('invalid_request')
})

describe('blobs', () => {
  const object = xdpObject()
  const digest = sha256Digest(object)
  const get = (headers: Record<string, string> = {}, method = 'GET') =>
    registry.call(method, `/api/v1/blobs/${digest}`, { headers })
  test('are bytes and nothing else, kept for ever by whoever has them', async () => {
    const { status, headers, bytes } = await get()
    expect(status).toBe(200)
    expect(bytes.equals(object)).toBe(true)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(object.length),
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      etag: `"${digest}"`,
    })
  })
  test('HEAD tells their size', async () => {
    const { status, headers, bytes } = await get({}, 'HEAD')
    expect([status, headers.get('content-length'), bytes.length]).toEqual([200, String(object.length), 0])
  })
  test('are not sent again to whoever has them', async () => {
    for (const tag of [`"${digest}"`, `W/"${digest}"`, `"a", "${digest}"`, '*']) {
      const { status, bytes } = await get({ 'if-none-match': tag })
      expect([status, bytes.length]).toEqual([304, 0])
    }
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200)
  })
  test('come in parts', async () => {
    const part = await get({ range: 'bytes=10-19' })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${object.length}`])
    expect(part.bytes).toEqual(object.subarray(10, 20))
    const tail = await get({ range: 'bytes=-5', 'if-range': `"${digest}"` })
    expect(tail.bytes).toEqual(object.subarray(-5))
    const other = await get({ range: 'bytes=0-0', 'if-range': '"other"' })
    expect([other.status, other.bytes.length]).toEqual([200, object.length])
    const beyond = await get({ range: `bytes=${object.length}-` })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${object.length}`])
  })
  test('of no visible release are not there, even when the bytes are', async () => {
    const bytes = Buffer.from('stored, but named by no release')
    await registry.services.blobs.put(sha256Digest(bytes), bytes)
    expect((await registry.call('GET', `/api/v1/blobs/${sha256Digest(bytes)}`)).code).toBe('not_found')
    expect((await registry.call('GET', '/api/v1/blobs/sha256:..%2f..%2fetc')).code).toBe('invalid_request')
  })
})

test.each([
  [undefined, undefined],
  ['bytes=0-0', { start: 0, end: 0 }],
  ['bytes=5-', { start: 5, end: 9 }],
  ['bytes=5-99', { start: 5, end: 9 }],
  ['bytes=-3', { start: 7, end: 9 }],
  ['bytes=-99', { start: 0, end: 9 }],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=3-2', undefined],
  ['bytes=-', undefined],
  ['bytes=0-1,4-5', undefined],
  ['items=0-1', undefined],
  ['bytes=a-b', undefined],
])('Range %s of ten bytes is %j', (field, range) => expect(parseRange(field, 10)).toEqual(range))
test('of an empty blob there is no range', () => expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable'))
test('an absent If-None-Match matches nothing', () => expect(noneMatch(undefined, '"a"')).toBe(false))
