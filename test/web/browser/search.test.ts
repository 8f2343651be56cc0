import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type ShownRegistry, startShowcase } from '../../../tools/showcase/showcase.ts'
import { openBrowser, type TestBrowser } from '../../support/browser.ts'
import { mark, stayed } from './looks.ts'

let showcase: ShownRegistry
let browser: TestBrowser

beforeAll(async () => {
  ;[showcase, browser] = await Promise.all([startShowcase(), openBrowser()])
}, 180_000)
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await showcase?.close()
})

const names = '.programs h3 a'

test('results come while one types, without a page load, and the address follows', async () => {
  const { page, complaints } = await browser.visitor()
  await page.goto(`${showcase.url}/search`)
  await mark(page)
  const before = await page.locator('main h1').innerText()
  await page.locator('#q').pressSequentially('voice')
  await expect.poll(() => page.locator(names).allInnerTexts()).toEqual(['paceline/voice-first'])
  await expect.poll(() => new URL(page.url()).search).toBe('?q=voice')
  expect(await page.locator('main h1').innerText()).not.toBe(before)
  expect(await page.evaluate('document.activeElement.id')).toBe('q')
  expect(await stayed(page)).toBe(true)
  expect(complaints).toEqual([])
})

test('facets narrow, every state is an address, and Back undoes each', async () => {
  const { page } = await browser.visitor()
  await page.goto(`${showcase.url}/search?q=dns`)
  const all = await page.locator(names).count()
  expect(all).toBeGreaterThan(2)
  await page.locator('.facets a', { hasText: 'TC ingress' }).click()
  await expect.poll(() => page.locator(names).allInnerTexts()).toEqual(['zonekeepers/dns-ports'])
  const narrowed = page.url()
  expect(new URL(narrowed).searchParams.get('hook')).toBe('tc-ingress')
  await page.locator('.sorts a', { hasText: 'Name' }).click()
  await expect.poll(() => new URL(page.url()).searchParams.get('sort')).toBe('name')
  await page.goBack()
  await expect.poll(() => page.url()).toBe(narrowed)
  await expect.poll(() => page.locator(names).count()).toBe(1)
  await page.goBack()
  await expect.poll(() => page.locator(names).count()).toBe(all)
  // the address alone is enough for somebody else
  const other = await browser.visitor()
  await other.page.goto(narrowed)
  expect(await other.page.locator(names).allInnerTexts()).toEqual(['zonekeepers/dns-ports'])
  expect(await other.page.locator('.chosen').innerText()).toContain('TC ingress')
})

test('counts of facets are what choosing them gives', async () => {
  const { page } = await browser.visitor()
  await page.goto(`${showcase.url}/search`)
  const facet = page.locator('.facets a', { hasText: 'XDP' }).first()
  const count = await facet.locator('.count').innerText()
  await facet.click()
  await expect.poll(() => page.locator('main h1').innerText()).toBe(`${count} programs`)
})

test('without scripts the same search works by its form and links', async () => {
  const { page } = await browser.visitor({ javaScriptEnabled: false })
  await page.goto(showcase.url)
  await page.locator('#home-find').fill('vlan')
  await page.locator('#home-find').press('Enter')
  await page.waitForURL(`${showcase.url}/search?q=vlan`)
  expect(await page.locator(names).count()).toBeGreaterThan(1)
  await page.locator('.facets a', { hasText: 'TC egress' }).click()
  await page.waitForURL(/hook=tc-egress/)
  expect(await page.locator(names).allInnerTexts()).toEqual(['campusnet/tenant-vlan'])
  await page.locator('.chosen a', { hasText: 'TC egress' }).click()
  await page.waitForURL((url) => !url.search.includes('hook'))
})

test('what is typed is text, and what nobody has is said with a way on', async () => {
  const { page, complaints } = await browser.visitor()
  const typed = '"><script>alert(1)</script> zzz'
  await page.goto(`${showcase.url}/search?q=${encodeURIComponent(typed)}`)
  expect(await page.locator('#q').inputValue()).toBe(typed)
  expect(await page.locator('.empty').innerText()).toContain('No program fits')
  expect(await page.locator('.empty a').count()).toBeGreaterThan(0)
  expect(complaints).toEqual([])
})

test('a comparison shows what changed between two versions, and nothing for the same one twice', async () => {
  const { page } = await browser.visitor()
  await page.goto(`${showcase.url}/programs/hookline/ratelimit/compare?from=0.9.1&to=1.0.0`)
  const shown = await page.locator('main').innerText()
  for (const part of ['0.9.1', '1.0.0', 'rl_buckets', '16384', '65536', 'new_tcp_only'])
    expect(shown).toContain(part)
  await page.goto(`${showcase.url}/programs/hookline/ratelimit/compare?from=1.0.0&to=1.0.0`)
  expect(await page.locator('main').innerText()).not.toContain('16384')
})

test('a comparison is reached from the list of versions', async () => {
  const { page } = await browser.visitor()
  await page.goto(`${showcase.url}/programs/hookline/ratelimit/versions`)
  const compare = page.locator('main a[href*="/compare?"]').first()
  await compare.click()
  await page.waitForURL(/\/compare\?from=.+&to=.+/)
  expect(await page.locator('h1').count()).toBe(1)
})
