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

/** Checks what must hold for every page in a window of any size; goes on after a fault, so that all are told at once. */
async function requireSound(page: Page): Promise<void> {
  const levels = await headings(page)
  expect.soft(levels.filter((level) => level === 1)).toHaveLength(1)
  const jumps = levels.filter((level, at) => at > 0 && level > (levels[at - 1] ?? 0) + 1)
  expect.soft(jumps, `headings ${levels.join(' ')}`).toEqual([])
  expect.soft(await accessibilityFaults(page)).toEqual([])
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 760 })
    expect.soft(await tooWide(page), `${width} px`).toEqual([])
  }
}

const EVERY = [...PUBLIC.map(({ name }) => name), ...SIGNED_IN]

describe.each(EVERY)('page %s', (name) => {
  test('has no fault of accessibility in light colours, and fits a phone', async () => {
    const { page, complaints } = await open(name)
    await requireSound(page)
    expect(complaints).toEqual([])
  })

  test('begins as narrow as a phone, without a fault in dark colours', async () => {
    const { page, complaints } = await open(name, {
      viewport: { width: 390, height: 760 },
      colorScheme: 'dark',
    })
    expect.soft(await tooWide(page)).toEqual([])
    expect.soft(await accessibilityFaults(page)).toEqual([])
    expect(complaints).toEqual([])
  })

  test('is readable and usable without scripts', async () => {
    const { page } = await open(name, { javaScriptEnabled: false })
    await expect.poll(() => page.locator('h1').isVisible()).toBe(true)
    expect((await page.locator('main').innerText()).length).toBeGreaterThan(40)
    // a button that only a script makes do something is not there without it
    expect(await page.locator('button:visible').count()).toBe(
      await page.locator('form button:visible').count(),
    )
    // nor is anything that waits to be loaded
    expect(await page.locator('main [aria-busy="true"]:visible').count()).toBe(0)
  })
})

test.each(PUBLIC.map(({ name }) => name))('page %s is as sound for somebody who signed in', async (name) => {
  const { page, complaints } = await open(name, {}, 'ines')
  await requireSound(page)
  expect(complaints).toEqual([])
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
    expect(await page.locator('main a[href^="/programs/tidewall/egress-fence"]').count(), path).toBe(0)
  }
})
