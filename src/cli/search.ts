import type { Facets, SearchRequest } from '../domain/search.ts'
import type { Context, Outcome } from './io.ts'
import { connect, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { counted, printable } from './terminal.ts'

/** Values of a facet that are shown. */
const FACET_VALUES = 6

/** Finds programs. Typing errors are forgiven. */
export async function search(
  {
    url,
    token,
    tokenFile,
    words,
    ...request
  }: RegistryFlags & Partial<SearchRequest> & { words: readonly string[] },
  { io }: Context,
): Promise<Outcome> {
  const client = await connect(io, { url, token, tokenFile })
  const page = await client.search({ ...request, q: words.join(' ') })
  const rows = page.programs.map(({ program, latest, hooks, license, downloads, summary, deprecated }) => [
    ...[program, latest, hooks.join(', '), license, String(downloads)],
    deprecated === undefined ? summary : `(deprecated) ${summary}`,
  ])
  if (rows.length === 0) return { json: page, text: 'nothing found' }
  const head = ['program', 'latest', 'hooks', 'license', 'downloads', 'summary']
  const more = page.next === undefined ? [] : [`next page: --cursor ${page.next}`]
  return {
    json: page,
    text: [
      ...(page.forgiven ? ['nothing is spelt like this; what looks like it:', ''] : []),
      renderTable(io, head, rows),
      '',
      `${rows.length} of ${counted(page.total, 'program')}`,
      ...facetLines(page.facets),
      ...more,
    ].join('\n'),
  }
}

/** How the programs found divide, a line for each filter that divides them. */
const facetLines = (facets: Facets): string[] =>
  Object.entries(facets)
    .filter(([, values]) => values.length > 1)
    .map(([name, values]) => {
      const shown = values.slice(0, FACET_VALUES).map(({ value, count }) => `${printable(value)} ${count}`)
      return `  --${name.padEnd(9)} ${shown.join(' · ')}${values.length > FACET_VALUES ? ' · …' : ''}`
    })
