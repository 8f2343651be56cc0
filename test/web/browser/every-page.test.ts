import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type ShownRegistry, startShowcase } from '../../../tools/showcase/showcase.ts'
import { openBrowser, signIn, type TestBrowser, type Visitor } from '../../support/browser.ts'
import { type Address, PUBLIC, SIGNED_IN, signedInPages } from './addresses.ts'
import { accessibilityFaults, headings, tooWide } from './looks.ts'

let showcase: ShownRegistry
let browser: TestBrowser
let addresses: ReadonlyMap<string, Address>

beforeAll(async () => {
  ;[showcase, browser] = await Promise.all([startShowcase(), openBrowser()])
  addresses = new Map([...PUBLIC, ...signedInPages(showcase)].map((address) => [address.name, address]))
}, 180_000)
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await showcase?.close()
})

const addressOf = (name: string): Address => {
  const address = addresses.get(name)
  if (address === undefined) throw new Error(`there is no page "${name}"`)
  return address
}

/** Opens a page as whoever it is for. */
async function open(
  name: string,
  options: Parameters<TestBrowser['visitor']>[0] = {},
  as = addressOf(name).as,
): Promise<Visitor> {
  const { path, status = 200 } = addressOf(name)
  const visitor = await browser.visitor(options)
  if (as !== undefined) await signIn(visitor.context, showcase.url, showcase.people.get(as) ?? '')
  const answer = await visitor.page.goto(showcase.url + path)
  expect(answer?.status(), path).toBe(status)
  return visitor
}

/** Checks what must hold for every page in a window of any size. */
async function requireSound(page: Page, complaints: readonly string[]): Promise<void> {
  expect(complaints).toEqual([])
  expect(await tooWide(page)).toEqual([])
  const levels = await headings(page)
  expect(levels.filter((level) => level === 1)).toHaveLength(1)
  const jumps = levels.filter((level, at) => at > 0 && level > (levels[at - 1] ?? 0) + 1)
  expect(jumps, `headings ${levels.join(' ')}`).toEqual([])
}

const EVERY = [...PUBLIC.map(({ name }) => name), ...SIGNED_IN]

describe.each(EVERY)('page %s', (name) => {
  test.each(['light', 'dark'] as const)('has no fault of accessibility, %s', async (colorScheme) => {
    const { page, complaints } = await open(name, { colorScheme })
    await requireSound(page, complaints)
    expect(await accessibilityFaults(page)).toEqual([])
  })

  test.each([320, 390])('fits a window of %i px', async (width) => {
    const { page, complaints } = await open(name, { viewport: { width, height: 760 } })
    await requireSound(page, complaints)
  })

  test('is readable and usable without scripts', async () => {
    const { page } = await open(name, { javaScriptEnabled: false })
    await expect.poll(() => page.locator('h1').isVisible()).toBe(true)
    expect((await page.locator('main').innerText()).length).toBeGreaterThan(40)
    // a button that only a script makes do something is not there without it
    expect(await page.locator('button:visible').count()).toBe(
      await page.locator('form button:visible').count(),
    )
    // what is loaded later is not missed
    expect(await page.locator('main [aria-busy="true"]:visible').count()).toBe(0)
  })
})

describe.each(PUBLIC.map(({ name }) => name))('page %s for somebody who signed in', (name) => {
  test('has no fault of accessibility', async () => {
    const { page, complaints } = await open(name, {}, 'ines')
    await requireSound(page, complaints)
    expect(await accessibilityFaults(page)).toEqual([])
  })
})

describe.each(SIGNED_IN)('page %s', (name) => {
  test('asks whoever is not signed in to sign in, or is not there', async () => {
    const { page } = await browser.visitor()
    const { path } = addressOf(name)
    const answer = await page.goto(showcase.url + path)
    const { pathname, searchParams } = new URL(page.url())
    if (pathname === '/sign-in') expect(searchParams.get('next')).toBe(path)
    else if (name === 'namespace-own' || name === 'publish-own') expect(answer?.status()).toBe(200)
    else expect(answer?.status()).toBe(404)
  })
})

test('a private program is on no page of a stranger', async () => {
  const { page } = await browser.visitor()
  for (const path of ['/search?q=egress-fence', '/namespaces/tidewall', '/search?namespace=tidewall']) {
    await page.goto(showcase.url + path)
    expect(await page.locator('main a[href*="egress-fence"]').count(), path).toBe(0)
  }
})
