import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const PARTS = ['program.css', 'fleet.css', 'account.css', 'docs.css']

/** The classes that selectors of a part begin with: what it takes for its own. */
function ownClasses(part: string): Set<string> {
  const style = readFileSync(new URL(`../../src/web/assets/${part}`, import.meta.url), 'utf8')
  const selectors = style.replace(/\/\*[\s\S]*?\*\//g, '').match(/[^{}]+(?=\{)/g) ?? []
  const first = selectors
    .flatMap((selector) => selector.split(','))
    .map((selector) => /^\s*\.([\w-]+)/.exec(selector)?.[1])
  return new Set(first.filter((name) => name !== undefined))
}

// all parts are one style: what two of them call alike, each would style for the other, too
test.each(PARTS)('no class of %s is another part’s, unless it is in base.css for all', (part) => {
  const shared = ownClasses('base.css')
  const mine = ownClasses(part)
  for (const other of PARTS.filter((name) => name !== part)) {
    const both = [...ownClasses(other)].filter((name) => mine.has(name) && !shared.has(name))
    expect(both, `${part} and ${other}`).toEqual([])
  }
})
