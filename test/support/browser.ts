import { existsSync } from 'node:fs'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core'

/** Debian's Chromium, which tools/setup.mjs installs. */
const CHROMIUM = '/usr/bin/chromium'

/** Nothing but the pages that are asked for: no sandbox for root, who may have none; no updates, no background traffic. */
const FLAGS = [
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Whoever looks at a page. */
export interface Visitor {
  readonly context: BrowserContext
  readonly page: Page
  /** What the page complained of so far: exceptions, errors on the console, refusals of its security policy. */
  readonly complaints: string[]
}

/** A browser for one test file. */
export interface TestBrowser {
  readonly browser: Browser
  /** Somebody who has never been here. */
  visitor(options?: BrowserContextOptions): Promise<Visitor>
  /** Ends all visits; after each test, so that one that failed leaves none behind. */
  leave(): Promise<void>
  close(): Promise<void>
}

/** Starts a browser. Throws when there is none: what needs one is never skipped. */
export async function openBrowser(): Promise<TestBrowser> {
  if (!existsSync(CHROMIUM))
    throw new Error(`${CHROMIUM} is missing: run \`npm run setup -- --tests\`, or install Debian's chromium`)
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  return {
    browser,
    visitor: async (options = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
      const page = await context.newPage()
      return { context, page, complaints: complaintsOf(page) }
    },
    leave: async () => {
      await Promise.all(browser.contexts().map((context) => context.close()))
    },
    close: () => browser.close(),
  }
}

/** Collects what a page complains of. That an address answers with a refusal is no complaint: the page shows it. */
function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return
    if (/status of 4\d\d/.test(message.text())) return
    complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return complaints
}

/** Signs a visitor in with a token, as a browser does that was given it. */
export const signIn = (context: BrowserContext, url: string, token: string): Promise<void> =>
  context.addCookies([{ name: 'hookline', value: `given.${token}`, url }])
