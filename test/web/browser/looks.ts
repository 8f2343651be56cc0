import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const IN_PAGE = readFileSync(new URL('in-page.js', import.meta.url), 'utf8')

/** What a browser's own words are read as; in-page.js says what each gives. */
async function ask<T>(page: Page, call: string): Promise<T> {
  await page.evaluate(IN_PAGE)
  return page.evaluate<T>(`inPage.${call}()`)
}

/** What is wider than the window, and does not scroll by itself; empty when the page does not scroll sideways. */
export const tooWide = (page: Page): Promise<string[]> => ask(page, 'tooWide')

/** What in the page could do something that only a stranger would have it do. */
export const strange = (page: Page): Promise<string[]> => ask(page, 'strange')

/** Puts into the page what {@link strange} must find. */
export const plant = (page: Page): Promise<void> => ask(page, 'plant')

/** What has the focus, whether one sees that it has, and how far from the top of the window it is. */
export const focus = (page: Page): Promise<{ what: string; seen: boolean; top: number }> => ask(page, 'focus')

/** By how much the page has moved since it was first drawn. */
export const layoutShift = (page: Page): Promise<number> => ask(page, 'shift')

/** Milliseconds until the page could be used. */
export const readyAfter = (page: Page): Promise<number> => ask(page, 'ready')

/** Addresses of what the page fetched over the wire. */
export const fetchedBy = (page: Page): Promise<string[]> => ask(page, 'fetched')

/** Marks the page that is loaded, and whether that one is still there. */
export const mark = (page: Page): Promise<void> => page.evaluate('void (window.stayed = true)')
export const stayed = (page: Page): Promise<boolean> => page.evaluate("'stayed' in window")

/** Whether a script of a stranger ran. */
export const hacked = (page: Page): Promise<boolean> => page.evaluate("'hacked' in window")

/** The levels of the headings that are there, in order. */
export const headings = (page: Page): Promise<number[]> =>
  page.evaluate(
    "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((one) => Number(one.tagName[1]))",
  )

/** What axe-core finds on the page that is shown: a line for each rule with the first places that break it. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const found = await page.evaluate<
    { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[]
  >("axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)")
  return found.map(({ id, impact, nodes }) => {
    const places = nodes
      .slice(0, 3)
      .map((node) => `${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 240)}`)
    return `${id} (${impact}): ${places.join(' | ')}`
  })
}
