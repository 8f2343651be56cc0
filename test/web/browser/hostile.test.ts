import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { enrolledNode } from '../../http/enrolled-node.ts'
import { buildRelease, newKey, openNamespace, publishAt } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, signIn, type TestBrowser, type Visitor } from '../../support/browser.ts'
import {
  DEEP_README,
  HOSTILE_LINE,
  HOSTILE_README,
  LARGE_README,
  STEERED_LINE,
  TABLE_README,
} from './hostile-text.ts'
import { hacked, plant, strange, tooWide } from './looks.ts'

/** What the page of a long text may take, on a machine that does other things as well. */
const SHOWN_MS = 8000

let registry: RunningRegistry
let browser: TestBrowser
let node = ''

const TEXTS = { hostile: HOSTILE_README, large: LARGE_README, table: TABLE_README, deep: DEEP_README }

beforeAll(async () => {
  ;[registry, browser] = await Promise.all([startRegistry(), openBrowser()])
  const key = newKey()
  await openNamespace(registry, 'acme', key)
  for (const [name, text] of Object.entries(TEXTS))
    for (const version of ['1.0.0', '1.1.0']) {
      const manifest = {
        ...{ summary: HOSTILE_LINE, readme: 'README.md', changelog: 'CHANGES.md' },
        source: 'https://x/?"onmouseover="window.hacked=1"&<script>',
        config: [
          {
            name: 'limit',
            variable: 'cfg_limit',
            type: 'u32',
            default: 5,
            unit: '"><b onclick=x>',
            help: HOSTILE_LINE,
          },
        ],
        requires: { kernel: '>=5.12', features: ['btf'] },
      }
      const files: [string, Buffer][] = [
        ['README.md', Buffer.from(text)],
        ['CHANGES.md', Buffer.from(`# Changes\n\n## ${version}\n\n${HOSTILE_README}`)],
      ]
      const answer = await publishAt(
        registry,
        await buildRelease(`acme/${name}`, version, key, { manifest, files }),
      )
      expect(answer.status, answer.bytes.toString()).toBe(201)
    }
  const of = '/api/v1/programs/acme/hostile'
  const put = async (path: string): Promise<void> => {
    const { status } = await registry.call('PUT', of + path, {
      token: registry.admin,
      body: { message: HOSTILE_LINE },
    })
    expect(status).toBe(204)
  }
  await put('/versions/1.0.0/yank')
  await put('/deprecation')
  const joined = await enrolledNode(registry, 'fra-1', { role: '"><img src=x onerror=hacked>' })
  node = joined.id
  const error = {
    ...{ code: '<b>', message: STEERED_LINE, remedy: STEERED_LINE },
    log: `<script>window.hacked=1</script>\n${'0: (85) call \u202E'.repeat(40)}`,
  }
  const reported = await joined.call('PUT', `/api/v1/nodes/${node}/observed`, {
    body: {
      ...{
        at: new Date().toISOString(),
        agent: '<script>window.hacked=1</script>',
        chains: [],
        errors: [error],
      },
      functions: [{ name: 'edge', revision: 1, state: 'refused', error }],
    },
  })
  expect(reported.status).toBeLessThan(300)
}, 120_000)
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await registry?.close()
})

/** Opens a page as an administrator, who has most to lose, and keeps what it asks for elsewhere. */
async function open(path: string, width: number): Promise<Visitor & { elsewhere: string[] }> {
  const visitor = await browser.visitor({ viewport: { width, height: 800 } })
  await signIn(visitor.context, registry.url, registry.admin)
  const elsewhere: string[] = []
  visitor.page.on('request', (request) => {
    if (!request.url().startsWith(registry.url)) elsewhere.push(request.url())
  })
  const answer = await visitor.page.goto(registry.url + path, { waitUntil: 'load' })
  expect(answer?.status(), path).toBe(200)
  return { ...visitor, elsewhere }
}

const PAGES = [
  ['the program', '/programs/acme/hostile'],
  ['the release', '/programs/acme/hostile/v/1.0.0'],
  ['its contents', '/programs/acme/hostile/v/1.1.0/contents'],
  ['its configuration', '/programs/acme/hostile/v/1.1.0/configuration'],
  ['its verification', '/programs/acme/hostile/v/1.1.0/verify'],
  ['its versions', '/programs/acme/hostile/versions'],
  ['a comparison', '/programs/acme/hostile/compare?from=1.0.0&to=1.1.0'],
  ['its namespace', '/namespaces/acme'],
  ['a search', '/search?q=hostile'],
  ['home', '/'],
  ['the nodes', '/nodes'],
  ['the node', 'NODE'],
  ['the functions', '/functions'],
] as const

describe.each(PAGES)('strangers’ text on the page of %s', (_name, path) => {
  test.each([1280, 390])('is text and nothing else at %i px', async (width) => {
    const address = path === 'NODE' ? `/nodes/${node}` : path
    const { page, complaints, elsewhere } = await open(address, width)
    expect(await strange(page)).toEqual([])
    // what waits for the mouse or the focus has its chance
    for (const target of await page.locator('main a, main code, main h3, main li').all())
      await target.dispatchEvent('mouseover')
    expect(await hacked(page)).toBe(false)
    expect(complaints).toEqual([])
    expect(elsewhere).toEqual([])
    expect(await tooWide(page)).toEqual([])
    const text = await page.locator('main').innerText()
    expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b]/)
  })
})

test('what is no longer markup can be read', async () => {
  const { page } = await open('/programs/acme/hostile', 1280)
  const text = await page.locator('main').innerText()
  for (const part of [
    'Readable',
    'The last line is readable, too.',
    '<iframe srcdoc=',
    '⟨U+202E⟩gnp.exe',
    'plain',
    'reference',
  ])
    expect(text).toContain(part)
  expect(await page.locator('main h1').count()).toBe(1)
})

test.each(['large', 'table', 'deep'])(
  'a %s text is shown in time, and the page stays of use',
  async (name) => {
    const start = performance.now()
    const { page, complaints } = await open(`/programs/acme/${name}`, 390)
    const took = performance.now() - start
    console.log(`${name} text: shown after ${Math.round(took)} ms`)
    expect(took).toBeLessThan(SHOWN_MS)
    expect(await page.locator('main').innerText()).toContain('Readable')
    expect(await tooWide(page)).toEqual([])
    expect(complaints).toEqual([])
    await page.locator('header a', { hasText: 'Docs' }).click()
    await page.waitForURL(/\/docs/)
  },
)

test('the check of this test finds what it looks for', async () => {
  const { page, complaints, elsewhere } = await open('/', 1280)
  await plant(page)
  expect((await strange(page)).length).toBeGreaterThanOrEqual(4)
  // the policy of the page keeps even that from running or asking
  await expect.poll(() => complaints.length).toBeGreaterThan(0)
  expect(complaints.join(' ')).toContain('Content Security Policy')
  expect(await hacked(page)).toBe(false)
  expect(elsewhere).toEqual(['http://203.0.113.9/x'])
})
