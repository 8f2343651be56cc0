import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, type TestBrowser } from '../../support/browser.ts'

let registry: RunningRegistry
let browser: TestBrowser
let token = ''

beforeAll(async () => {
  ;[registry, browser] = await Promise.all([startRegistry(), openBrowser()])
  token = await registry.account('ada')
})
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await registry?.close()
})

const field = 'form[action="/sign-in"] input[name="token"]'

test.each([true, false])(
  'by a token, to where one wanted to go, and out again; scripts: %s',
  async (javaScriptEnabled) => {
    const { page, context } = await browser.visitor({ javaScriptEnabled })
    await page.goto(`${registry.url}/me/tokens`)
    expect(new URL(page.url()).pathname).toBe('/sign-in')
    expect(await page.locator(field).getAttribute('type')).toBe('password')
    await page.locator(field).fill(token)
    await page.locator(field).press('Enter')
    await page.waitForURL(`${registry.url}/me/tokens`)
    expect(await page.locator('header').innerText()).toContain('ada')
    const cookies = await context.cookies()
    expect(cookies).toMatchObject([{ httpOnly: true, sameSite: 'Lax' }])
    await page.goto(`${registry.url}/me`)
    await page.locator('form[action="/sign-out"] button').click()
    await page.waitForURL(`${registry.url}/`)
    expect(await context.cookies()).toEqual([])
    expect(await page.locator('header').innerText()).toContain('Sign in')
    // going back shows nothing of what was somebody’s
    await page.goBack()
    expect(await page.locator('header').innerText()).toContain('Sign in')
    // the token was given, not made here: it is still good
    expect((await registry.call('GET', '/api/v1/whoami', { token })).status).toBe(200)
  },
)

test('not by a token that nobody has: it is said beside the field, and nothing is kept', async () => {
  const { page, context, complaints } = await browser.visitor()
  await page.goto(`${registry.url}/sign-in?next=/me`)
  await page.locator(field).fill('hlt_nobodys')
  await page.locator(field).press('Enter')
  await expect.poll(() => page.locator('[aria-invalid="true"]').count()).toBe(1)
  expect(await context.cookies()).toEqual([])
  expect(await page.content()).not.toContain('hlt_nobodys')
  expect(complaints).toEqual([])
})

test.each(['//203.0.113.9/', 'https://203.0.113.9/', '/\\203.0.113.9', 'javascript:alert(1)'])(
  'never to somebody else’s place: %s',
  async (next) => {
    const { page } = await browser.visitor()
    await page.goto(`${registry.url}/sign-in?next=${encodeURIComponent(next)}`)
    await page.locator(field).fill(token)
    await page.locator(field).press('Enter')
    await page.waitForURL(`${registry.url}/me`)
  },
)

test('another site’s form signs nobody in or out', async () => {
  const { page, context } = await browser.visitor()
  await page.route('http://other.test/', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<form method="post" action="${registry.url}/sign-in"><input name="token" value="${token}"><button>Go</button></form>`,
    }),
  )
  await page.goto('http://other.test/')
  const answer = page.waitForResponse(`${registry.url}/sign-in`)
  await page.locator('button').click()
  expect((await answer).status()).toBe(403)
  expect(await context.cookies()).toEqual([])
})

test('a token that was taken back signs its browser out', async () => {
  const { page, context } = await browser.visitor()
  const short = await registry.token({ scopes: ['read'] }, 'ada')
  await page.goto(`${registry.url}/sign-in`)
  await page.locator(field).fill(short)
  await page.locator(field).press('Enter')
  await page.waitForURL(`${registry.url}/me`)
  const { json } = await registry.call('GET', '/api/v1/whoami', { token: short })
  const { id } = (json as { token: { id: string } }).token
  expect((await registry.call('DELETE', `/api/v1/tokens/${id}`, { token })).status).toBe(204)
  await page.goto(`${registry.url}/me`)
  expect(new URL(page.url()).pathname).toBe('/sign-in')
  expect(await context.cookies()).toEqual([])
})
