import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds on the page that is shown: a line for each rule with the first places that break it. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const found = await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary.slice(0, 240)) })))",
  )
  return (found as { id: string; impact: string; nodes: string[] }[]).map(
    ({ id, impact, nodes }) => `${id} (${impact}): ${nodes.join(' | ')}`,
  )
}

/** What is wider than the window, and does not scroll by itself; empty when the page does not scroll sideways. */
export const tooWide = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth <= clientWidth) return []
    const inScroller = (element: Element): boolean => {
      for (let at = element.parentElement; at !== null && at !== document.body; at = at.parentElement)
        if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(at).overflowX)) return true
      return false
    }
    const wide: Element[] = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      const range = document.createRange()
      range.selectNode(node)
      const element = node instanceof Element ? node : node.parentElement
      if (element === null || range.getBoundingClientRect().right <= clientWidth + 0.5) continue
      if (!inScroller(element) && wide.at(-1) !== element) wide.push(element)
    }
    return [
      `the page is ${scrollWidth} px wide in a window of ${clientWidth}`,
      ...wide.slice(-3).map((element) => element.outerHTML.slice(0, 160)),
    ]
  })

/** The levels of the headings that are there, in order. */
export const headings = (page: Page): Promise<number[]> =>
  page
    .locator('h1, h2, h3, h4, h5, h6')
    .evaluateAll((found) => found.map(({ tagName }) => Number(tagName.slice(1))))
