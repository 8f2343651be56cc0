import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { buildRelease, newKey, openNamespace, publishAt } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, type TestBrowser } from '../../support/browser.ts'
import { fetchedBy, layoutShift, readyAfter } from './looks.ts'

/** All bytes of the first page for somebody new, as they come over the wire: page, style, scripts, typeface. */
const FIRST_PAGE_BYTES = 50_000
/** Until the page can be used by somebody new: the fastest of several loads, since what else the machine does only adds. */
const READY_MS = 300
const LOADS = 9

let registry: RunningRegistry
let browser: TestBrowser

beforeAll(async () => {
  ;[registry, browser] = await Promise.all([startRegistry(), openBrowser()])
  const key = newKey()
  await openNamespace(registry, 'acme', key)
  // as many as the page shows at most
  for (const name of ['limit', 'guard', 'spread', 'meter', 'sample', 'mark'])
    await publishAt(registry, await buildRelease(`acme/${name}`, '1.0.0', key))
})
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await registry?.close()
})

test('the first page is small, and asks nobody else', async () => {
  const { page, context } = await browser.visitor()
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  const asked = new Map<string, { url: string; bytes: number }>()
  session.on('Network.requestWillBeSent', ({ requestId, request }) =>
    asked.set(requestId, { url: request.url, bytes: 0 }),
  )
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const one = asked.get(requestId)
    if (one !== undefined) one.bytes = encodedDataLength
  })
  await page.goto(registry.url, { waitUntil: 'networkidle' })
  const parts = [...asked.values()].map(({ url, bytes }) => `${new URL(url).pathname} ${bytes}`)
  const total = [...asked.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  console.log(`first page: ${total} bytes (${parts.join(', ')})`)
  expect([...asked.values()].filter(({ url }) => !url.startsWith(registry.url))).toEqual([])
  expect(total).toBeGreaterThan(10_000)
  expect(total).toBeLessThan(FIRST_PAGE_BYTES)
})

test('a second page asks for nothing but itself', async () => {
  const { page } = await browser.visitor()
  await page.goto(registry.url, { waitUntil: 'networkidle' })
  await page.goto(`${registry.url}/programs/acme/limit`, { waitUntil: 'networkidle' })
  expect(await fetchedBy(page)).toEqual([])
})

test.each(['/', '/search', '/programs/acme/limit'])('nothing on %s moves once it is drawn', async (path) => {
  for (const width of [1280, 390]) {
    const { page } = await browser.visitor({ viewport: { width, height: 800 } })
    await page.goto(registry.url + path, { waitUntil: 'networkidle' })
    expect(await layoutShift(page), `${width} px`).toBe(0)
  }
})

test('the first page can be used soon', async () => {
  const times: number[] = []
  for (let load = 0; load < LOADS; load++) {
    const { page } = await browser.visitor()
    await page.goto(registry.url)
    times.push(await readyAfter(page))
  }
  const sorted = times.sort((a, b) => a - b)
  const [fastest = 0, median = 0] = [sorted[0], sorted[Math.floor(LOADS / 2)]]
  console.log(
    `first page: ready after ${Math.round(median)} ms, the fastest of ${LOADS} after ${Math.round(fastest)} ms`,
  )
  expect(fastest).toBeGreaterThan(0)
  expect(fastest).toBeLessThan(READY_MS)
})
