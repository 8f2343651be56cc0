import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { buildRelease, newKey, openNamespace, publishAt } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, type TestBrowser } from '../../support/browser.ts'
import { focus } from './looks.ts'

let registry: RunningRegistry
let browser: TestBrowser

beforeAll(async () => {
  ;[registry, browser] = await Promise.all([startRegistry(), openBrowser()])
  const key = newKey()
  await openNamespace(registry, 'acme', key)
  await publishAt(registry, await buildRelease('acme/limit', '1.0.0', key))
})
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await registry?.close()
})

test('the first stop leads past the navigation', async () => {
  const { page } = await browser.visitor()
  await page.goto(registry.url)
  await page.keyboard.press('Tab')
  expect(await focus(page)).toMatchObject({ what: 'a Skip to content', seen: true })
  expect((await focus(page)).top).toBeGreaterThanOrEqual(0)
  await page.keyboard.press('Enter')
  await expect.poll(() => new URL(page.url()).hash).toBe('#main')
  await page.keyboard.press('Tab')
  const inMain = await page.evaluate<boolean>("document.activeElement.closest('main') !== null")
  expect(inMain).toBe(true)
})

test.each(['/', '/search', '/programs/acme/limit', '/sign-in'])(
  'every stop of %s shows that it has the focus, in the order of the page',
  async (path) => {
    const { page } = await browser.visitor()
    await page.goto(registry.url + path)
    const most = await page.locator('a[href], button, input, summary, [tabindex="0"]').count()
    const stops: string[] = []
    for (let at = 0; at < most; at++) {
      await page.keyboard.press('Tab')
      const { what, seen } = await focus(page)
      if (what.startsWith('body')) break
      stops.push(seen ? 'seen' : `${what} is not marked`)
    }
    expect(stops.length).toBeGreaterThan(5)
    expect([...new Set(stops)]).toEqual(['seen'])
    expect(await page.locator('[tabindex]:not([tabindex="0"]):not([tabindex="-1"])').count()).toBe(0)
  },
)

test.each([
  ['/', 'home-find'],
  ['/search', 'q'],
  ['/programs/acme/limit', 'find'],
])('"/" on %s goes to its search', async (path, id) => {
  const { page } = await browser.visitor()
  await page.goto(registry.url + path)
  await page.keyboard.press('/')
  expect(await page.evaluate('document.activeElement.id')).toBe(id)
  // in a field it is a letter
  await page.keyboard.type('a/b')
  expect(await page.locator(`#${id}`).inputValue()).toBe('a/b')
})

test('a search by keyboard alone ends at a program', async () => {
  const { page } = await browser.visitor()
  await page.goto(registry.url)
  await page.keyboard.press('/')
  await page.keyboard.type('limit')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/search\?q=limit/)
  const link = page.locator('.programs h3 a')
  await link.focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(`${registry.url}/programs/acme/limit`)
})
