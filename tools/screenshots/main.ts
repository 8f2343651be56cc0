import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openBrowser, signIn, type TestBrowser } from '../../test/support/browser.ts'
import { type Address, PUBLIC, signedInPages } from '../../test/web/browser/addresses.ts'
import { type ShownRegistry, startShowcase } from '../showcase/showcase.ts'
import { smallPng } from './small-png.ts'

const OUT = fileURLToPath(new URL('../../docs/images/catalog', import.meta.url))
const WIDTHS = [1280, 390] as const
/** More of a page than this says nothing new. */
const MOST_HEIGHT = 2000
/** Pages that are shown in the dark as well: those with pictures. */
const DARK = [
  'home',
  'search',
  'program',
  'contents',
  'compare',
  'versions',
  'permissions',
  'log',
  'node',
  'functions',
  'docs',
]
/** Pages that are tested and look like another one. */
const LEFT_OUT = [
  ...['search-facets', 'program-real', 'release', 'program-private', 'namespace-own', 'publish-own'],
  ...['me-invited', 'node-silent', 'function-removed', 'release-yanked', 'docs-page', 'program-deprecated'],
]

const HELP = `npm run screenshots -- [page ...]: writes pictures of all pages, or of those that are named, to docs/images/catalog, of a
registry with a made-up catalog: <page>-<width>-<light|dark>.png`

const { values, positionals } = parseArgs({
  options: { help: { type: 'boolean' } },
  allowPositionals: true,
})
if (values.help === true) {
  console.log(HELP)
  process.exit()
}

/** Takes the pictures of one page, and gives their bytes by name. */
async function picturesOf(
  { browser }: TestBrowser,
  showcase: ShownRegistry,
  { name, path, as }: Address,
): Promise<Map<string, Buffer>> {
  const pictures = new Map<string, Buffer>()
  for (const colorScheme of DARK.includes(name) ? (['light', 'dark'] as const) : (['light'] as const))
    for (const width of WIDTHS) {
      const context = await browser.newContext({
        ...{ viewport: { width, height: 900 }, deviceScaleFactor: 1, colorScheme },
        ...{ reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC' },
      })
      if (as !== undefined) await signIn(context, showcase.url, showcase.people.get(as) ?? '')
      const page = await context.newPage()
      await page.goto(showcase.url + path, { waitUntil: 'load' })
      await page.evaluate('document.fonts.ready.then(() => undefined)')
      const height = await page.evaluate<number>('document.documentElement.scrollHeight')
      const clip = { x: 0, y: 0, width, height: Math.min(height, MOST_HEIGHT) }
      const picture = await page.screenshot({ fullPage: true, clip, animations: 'disabled', caret: 'hide' })
      pictures.set(`${name}-${width}-${colorScheme}.png`, smallPng(picture))
      await context.close()
    }
  return pictures
}

const [showcase, browser] = await Promise.all([startShowcase(), openBrowser()])
try {
  const all = [...PUBLIC, ...signedInPages(showcase)].filter(({ name }) => !LEFT_OUT.includes(name))
  const unknown = positionals.find((name) => !all.some((page) => page.name === name))
  if (unknown !== undefined)
    throw new Error(`no page "${unknown}"; there are: ${all.map(({ name }) => name).join(', ')}`)
  mkdirSync(OUT, { recursive: true })
  if (positionals.length === 0) for (const old of readdirSync(OUT)) rmSync(join(OUT, old))
  let [count, bytes] = [0, 0]
  for (const address of all.filter(({ name }) => positionals.length === 0 || positionals.includes(name)))
    for (const [file, picture] of await picturesOf(browser, showcase, address)) {
      writeFileSync(join(OUT, file), picture)
      count++
      bytes += picture.length
    }
  console.log(`${count} pictures, ${(bytes / (1 << 20)).toFixed(1)} MiB, in ${OUT}`)
} finally {
  await browser.close()
  await showcase.close()
}
