import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DownloadHistory, SearchPage } from '../../src/domain/search.ts'
import { seedCatalog } from '../../tools/seed/seed-catalog.ts'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

const key = newKey()
let registry: RunningRegistry
let member: string
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  for (const name of ['zonewarden', 'hashring', 'syncookie'])
    await publishAt(registry, await buildRelease(`acme/${name}`, '1.0.0', key))
  member = await registry.account('member', { member: { acme: 'reader' } })
  await registry.call('POST', '/api/v1/releases?visibility=private', {
    token: registry.admin,
    form: releaseForm(await buildRelease('acme/hidden-gem', '1.0.0', key)),
  })
  await seedCatalog(registry.database.prisma, { programs: 300, releases: 600, seed: 7 })
}, 60_000)
afterAll(() => registry.close())

const find = async (query: string, token?: string): Promise<SearchPage> => {
  const answer = await registry.call('GET', `/api/v1/search?${query}`, { token })
  expect([answer.status, answer.code]).toEqual([200, undefined])
  return SearchPage.parse(answer.json)
}
const names = ({ programs }: SearchPage): string[] => programs.map(({ program }) => program)
/** All pages of a search, page by page. */
async function all(query: string, between?: () => Promise<void>): Promise<SearchPage['programs']> {
  const programs: SearchPage['programs'] = []
  for (let cursor = ''; ; ) {
    const page = await find(`${query}&limit=20${cursor}`)
    programs.push(...page.programs)
    if (page.next === undefined) return programs
    cursor = `&cursor=${page.next}`
    await between?.()
  }
}

describe('words', () => {
  test.each([
    ['zonewarden', 'acme/zonewarden'],
    ['zonew', 'acme/zonewarden'],
    ['acme zonewarden', 'acme/zonewarden'],
    ['acme/zonewarden', 'acme/zonewarden'],
    ['ZONEWARDEN', 'acme/zonewarden'],
  ])('"%s" finds %s first', async (q, program) => {
    const page = await find(`q=${encodeURIComponent(q)}`)
    expect([names(page)[0], page.forgiven]).toEqual([program, false])
  })
  test.each([
    ['zonewardn', 'acme/zonewarden'],
    ['hashrng', 'acme/hashring'],
    ['syncokie', 'acme/syncookie'],
    ['zonewadren', 'acme/zonewarden'],
  ])('"%s", mistyped, finds %s and says so', async (q, program) => {
    const page = await find(`q=${q}`)
    expect([names(page)[0], page.forgiven]).toEqual([program, true])
  })
  test.each(['', '%20', '%2B%2B', '%00', '%27%3B--', '%26%7C%21', '%3A%2A', 'a%5C', '%F0%9F%90%9D', '%25'])(
    'q=%s is no error',
    async (q) => {
      await find(`q=${q}`)
    },
  )
  test('what nobody wrote finds nothing', async () => {
    expect(await find('q=zzzzqqqqxxxx')).toMatchObject({ programs: [], total: 0, forgiven: false })
  })
})

describe('facets', () => {
  test.each([
    '',
    'q=filter',
    'q=filter&hook=xdp',
    'hook=xdp&hook=tc-ingress&license=MIT',
    'kernel=5.10&signed=key',
  ])('of "%s" are those of a count by hand', async (query) => {
    const page = await find(`${query}&limit=100`)
    expect(page.total).toBeGreaterThan(0)
    const parameters = new URLSearchParams(query)
    expect((await all(query)).length).toBe(page.total)
    const counted = async (but: string, values: (one: SearchPage['programs'][number]) => string[]) => {
      const counts = new Map<string, number>()
      for (const one of await all(without(parameters, but)))
        for (const value of values(one)) counts.set(value, (counts.get(value) ?? 0) + 1)
      return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, 50)
    }
    const facet = (name: keyof SearchPage['facets']) =>
      page.facets[name].map(({ value, count }) => [value, count])
    expect(facet('hook')).toEqual(await counted('hook', ({ hooks }) => hooks))
    expect(facet('license')).toEqual(await counted('license', ({ license }) => [license]))
    expect(facet('namespace')).toEqual(
      await counted('namespace', ({ program }) => [program.slice(0, program.indexOf('/'))]),
    )
    expect(facet('signed')).toEqual(await counted('signed', ({ signed }) => [signed]))
    // a kernel runs what asks for it, for an older one, or for none
    const asked = (await all(without(parameters, 'kernel'))).map(({ kernel }) => numberOf(kernel ?? '0.0'))
    const kernels = [...new Set(asked)].filter((number) => number > 0).sort((a, b) => b - a)
    expect(page.facets.kernel.map(({ value, count }) => [numberOf(value), count])).toEqual(
      kernels.map((number) => [number, asked.filter((other) => other <= number).length]),
    )
  })
})

const numberOf = (series: string): number => {
  const [major = 0, minor = 0] = series.split('.').map(Number)
  return major * 1000 + minor
}

function without(parameters: URLSearchParams, name: string): string {
  const rest = new URLSearchParams(parameters)
  rest.delete(name)
  return String(rest)
}

describe('pages', () => {
  test.each(['sort=name', 'sort=downloads', 'sort=recent', 'q=filter', 'q=fitler'])(
    'of "%s" show everything once and in order',
    async (query) => {
      const seen = await all(query)
      expect(seen.length).toBe((await find(query)).total)
      expect(new Set(seen.map(({ program }) => program)).size).toBe(seen.length)
      const by = {
        'sort=name': (a: (typeof seen)[0], b: (typeof seen)[0]) => (a.program < b.program ? -1 : 1),
        'sort=downloads': (a: (typeof seen)[0], b: (typeof seen)[0]) => b.downloads - a.downloads,
        'sort=recent': (a: (typeof seen)[0], b: (typeof seen)[0]) =>
          Date.parse(b.updatedAt) - Date.parse(a.updatedAt),
      }[query]
      if (by !== undefined) expect(seen.toSorted(by)).toEqual(seen)
    },
  )
  test('show none twice while programs are added', async () => {
    let version = 0
    const seen = await all('sort=recent', async () => {
      version += 1
      await publishAt(registry, await buildRelease('acme/newer', `1.0.${version}`, key))
    })
    expect(new Set(seen.map(({ program }) => program)).size).toBe(seen.length)
  })
  test('of another search are refused', async () => {
    const { next } = await find('sort=name&limit=1')
    const forged = Buffer.from(JSON.stringify(['downloads', "1'; --", 'a/b', false])).toString('base64url')
    for (const query of [`sort=downloads&cursor=${next}`, 'cursor=!!!!', `sort=downloads&cursor=${forged}`])
      expect((await registry.call('GET', `/api/v1/search?${query}`)).code).toBe('invalid_request')
  })
  test.each([
    ...[
      ['relevance', '1e999999'],
      ['relevance', '1.2.3'],
      ['relevance', '.'],
    ],
    ...[
      ['recent', '2026-99-01 10:00:00+00'],
      ['recent', '2026-02-30 10:00:00+00'],
      ['recent', '2026-02-01 25:00:00+00'],
    ],
  ])('that were made up of a %s of %s are refused', async (sort, value) => {
    const cursor = Buffer.from(JSON.stringify([sort, value, 'a/b', false])).toString('base64url')
    const answer = await registry.call('GET', `/api/v1/search?sort=${sort}&cursor=${cursor}`)
    expect([answer.status, answer.code]).toEqual([400, 'invalid_request'])
  })
  test.each([
    ['relevance', '-0.5e-07'],
    ['recent', '2028-02-29 23:59:59.123456+00'],
    ['recent', '2026-01-31 00:00:00-09:30'],
  ])('of a %s of %s are taken', async (sort, value) => {
    const cursor = Buffer.from(JSON.stringify([sort, value, 'a/b', false])).toString('base64url')
    expect((await registry.call('GET', `/api/v1/search?sort=${sort}&cursor=${cursor}`)).status).toBe(200)
  })
})

describe('a private program', () => {
  test('is found by members, and counted for them only', async () => {
    expect(names(await find('q=hidden-gem', member))).toContain('acme/hidden-gem')
    const [open, inside] = [await find('q=hidden-gem'), await find('q=hidden-gem', member)]
    expect(JSON.stringify(open)).not.toContain('hidden-gem')
    const count = (page: SearchPage) =>
      page.facets.namespace.find(({ value }) => value === 'acme')?.count ?? 0
    expect(count(inside) - count(open)).toBe(1)
  })
})

describe('downloads', () => {
  test('are counted once for a release, from its beginning, and shown by day', async () => {
    await publishAt(registry, await buildRelease('acme/counted', '1.0.0', key))
    const path = '/api/v1/programs/acme/counted'
    const { files } = Object((await registry.call('GET', `${path}/versions/1.0.0`)).json)
    for (const { digest } of files) {
      await registry.call('GET', `/api/v1/blobs/${digest}`)
      await registry.call('GET', `/api/v1/blobs/${digest}`, { headers: { range: 'bytes=0-9' } })
      await registry.call('GET', `/api/v1/blobs/${digest}`, { headers: { range: 'bytes=5-' } })
      await registry.call('GET', `/api/v1/blobs/${digest}`, { headers: { 'if-none-match': `"${digest}"` } })
    }
    await registry.services.downloads.flush()
    const { total, days } = DownloadHistory.parse((await registry.call('GET', `${path}/downloads`)).json)
    expect(total).toBe(2)
    expect(days.map(({ count }) => count)).toEqual([2])
    expect((await find('q=counted')).programs[0]).toMatchObject({ program: 'acme/counted', downloads: 2 })
  })
  test('that could not be kept are kept later', async () => {
    const release = await registry.database.prisma.release.findFirstOrThrow({
      where: { program: { ref: 'acme/syncookie' } },
    })
    const before = release.downloads
    const { downloads } = registry.services
    for (let n = 0; n < 5; n++) downloads.count(release.id)
    await Promise.all([downloads.flush(), downloads.flush()])
    const after = await registry.database.prisma.release.findUniqueOrThrow({ where: { id: release.id } })
    expect(after.downloads - before).toBe(5n)
  })
})
