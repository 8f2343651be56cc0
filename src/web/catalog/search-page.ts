import { PERMISSIONS } from '../../domain/permission.ts'
import { type Facets, SearchRequest, SearchSort } from '../../domain/search.ts'
import type { Services } from '../../http/services.ts'
import { readableBy } from '../../registry/access.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { counted, grouped } from '../text.ts'
import { HOOK_WORDS } from './packet-path.ts'
import { programList } from './program-list.ts'

/** Facets in the order in which they are shown, each with its heading and what its values are called. */
const FACETS = [
  { name: 'hook', heading: 'Hook', call: (value: string) => wordOf(HOOK_NAMES, value) },
  {
    name: 'permission',
    heading: 'What it can do',
    call: (value: string) => wordOf(PERMISSION_WORDS, value),
  },
  { name: 'kernel', heading: 'Runs on Linux', call: (value: string) => value },
  {
    name: 'verified',
    heading: 'Namespace',
    call: (value: string) => (value === 'yes' ? 'verified' : 'not verified'),
  },
  {
    name: 'signed',
    heading: 'Signed by',
    call: (value: string) => (value === 'key' ? 'a key' : 'an identity'),
  },
  { name: 'license', heading: 'Licence', call: (value: string) => value },
  { name: 'namespace', heading: 'Publisher', call: (value: string) => value },
] as const satisfies readonly { name: keyof Facets; heading: string; call: (value: string) => string }[]

const HOOK_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(HOOK_WORDS).map(([hook, { name }]) => [hook, name]),
)
const PERMISSION_WORDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(PERMISSIONS).map(([name, { title }]) => [name, title])),
  none: 'only let packets pass',
}
const wordOf = (words: Readonly<Record<string, string>>, value: string): string => words[value] ?? value

/** Values of a facet that are shown before one asks for more. */
const SHOWN = 8
const SORTS: Readonly<Record<SearchSort, string>> = {
  relevance: 'Best match',
  downloads: 'Most downloads',
  recent: 'Newest release',
  name: 'Name',
}
/** Filters that hold one value. */
const SINGLE: readonly string[] = ['q', 'kernel', 'sort', 'cursor']

/** Searching: words, facets with their counts, pages. Every state is an address. */
export function searchPage(site: Site, { search }: Pick<Services, 'search'>): void {
  site.get('/search', 'anyone', async (visit): Promise<Page> => {
    const { actor, now } = visit
    const query = cleaned(visit)
    const request = requestOf(query)
    const found = await search.find(request, readableBy(actor))
    const words = request.q.trim()
    return {
      title: words === '' ? 'Programs' : `Search for ${words}`,
      description: `${counted(found.total, 'program')} found in the catalog.`,
      section: 'programs',
      scripts: ['search.js'],
      main: html`<div class="wide">
<form class="big-find" action="/search" role="search" id="search-form"><label class="unseen" for="q">Search programs</label>${icon('search')}<input id="q" name="q" type="search" value="${request.q}" placeholder="What should happen to your packets?" maxlength="200" autocomplete="off" spellcheck="false">${kept(query)}<button>Search</button></form>
<div id="results" class="results" aria-live="polite">
${facetsOf(found.facets, query)}
<section aria-label="Results">
<header class="found"><h1>${counted(found.total, 'program')}</h1>${sorts(query, request.sort)}</header>
${chosen(query)}
${found.forgiven && found.total > 0 && html`<p class="notice">Nothing has the words as you typed them. This looks like them.</p>`}
${found.programs.length === 0 ? nothing(query) : html`<h2 class="unseen">Found</h2>${programList(found.programs, now)}`}
${found.next !== undefined && html`<p class="more"><a rel="next" href="${addressOf(withValue(query, 'cursor', found.next))}">More programs</a></p>`}
</section>
</div>
</div>`,
    }
  })
}

/** The parameters that mean something, each value once; what is empty or unknown is left out. */
function cleaned({ query }: Visit): URLSearchParams {
  const kept = new URLSearchParams()
  for (const [name, value] of query) {
    if (value === '' || !(name in SearchRequest.shape) || name === 'limit') continue
    if (SINGLE.includes(name)) kept.set(name, value)
    else if (!kept.has(name, value)) kept.append(name, value)
  }
  return kept
}

/** The search that an address asks for; a value that does not fit counts as not there. */
function requestOf(query: URLSearchParams): SearchRequest {
  const asked: Record<string, unknown> = {}
  for (const name of new Set(query.keys())) {
    const value = SINGLE.includes(name) ? query.get(name) : query.getAll(name)
    const schema = SearchRequest.shape[name as keyof typeof SearchRequest.shape]
    if (schema.safeParse(value).success) asked[name] = value
  }
  return SearchRequest.parse(asked)
}

const addressOf = (query: URLSearchParams): string => {
  const text = query.toString()
  return text === '' ? '/search' : `/search?${text}`
}

function withValue(query: URLSearchParams, name: string, value: string): URLSearchParams {
  const changed = new URLSearchParams(query)
  if (SINGLE.includes(name)) changed.set(name, value)
  else changed.append(name, value)
  return changed
}

/** Another filter is another first page. */
function toggled(query: URLSearchParams, name: string, value: string): URLSearchParams {
  const changed = new URLSearchParams(query)
  changed.delete('cursor')
  if (changed.has(name, value)) changed.delete(name, value)
  else if (SINGLE.includes(name)) changed.set(name, value)
  else changed.append(name, value)
  return changed
}

/** What a new search by words keeps: the filters. */
const kept = (query: URLSearchParams): Html[] =>
  [...query]
    .filter(([name]) => name !== 'q' && name !== 'cursor')
    .map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)

const sorts = (query: URLSearchParams, sort: SearchSort): Html =>
  html`<nav class="sorts" aria-label="Sort">${SearchSort.options.map((name) => {
    const changed = new URLSearchParams(query)
    changed.delete('cursor')
    if (name === 'relevance') changed.delete('sort')
    else changed.set('sort', name)
    return html`<a href="${addressOf(changed)}"${name === sort && html` aria-current="true"`}>${SORTS[name]}</a>`
  })}</nav>`

/** The filters in force, each with a way out. */
function chosen(query: URLSearchParams): Html | false {
  const filters = [...query].filter(([name]) => FACETS.some((facet) => facet.name === name))
  if (filters.length === 0) return false
  const none = new URLSearchParams([...query].filter(([name]) => name === 'q' || name === 'sort'))
  return html`<ul class="chosen" aria-label="Filters">${filters.map(([name, value]) => {
    const facet = FACETS.find((one) => one.name === name)
    return html`<li><a href="${addressOf(toggled(query, name, value))}" title="remove this filter">${facet?.call(value)}<span aria-hidden="true">×</span></a></li>`
  })}<li><a class="quiet" href="${addressOf(none)}">clear all</a></li></ul>`
}

function facetsOf(facets: Facets, query: URLSearchParams): Html {
  const active = FACETS.filter(({ name }) => query.has(name)).length
  return html`<aside class="facets" aria-label="Filters"><details class="unfolds"><summary>Filters${active > 0 && html` <span class="count">${active}</span>`}</summary>
${FACETS.map(({ name, heading, call }) => {
  const values = facets[name]
  if (values.length === 0) return undefined
  const item = ({ value, count }: { value: string; count: number }): Html => {
    const on = query.has(name, value)
    return html`<li><a rel="nofollow" href="${addressOf(toggled(query, name, value))}"${on && html` aria-current="true"`}><span class="box" aria-hidden="true"></span><span class="value">${call(value)}</span><span class="count">${grouped(count)}</span></a></li>`
  }
  const [first, rest] = [values.slice(0, SHOWN), values.slice(SHOWN)]
  return html`<section class="facet"><h2>${heading}</h2><ul>${first.map(item)}</ul>${rest.length > 0 && html`<details><summary>${rest.length} more</summary><ul>${rest.map(item)}</ul></details>`}</section>`
})}
</details></aside>`
}

const nothing = (query: URLSearchParams): Html => html`<div class="empty">
<p><b>No program fits.</b></p>
<ul>
${[...query].some(([name]) => FACETS.some((facet) => facet.name === name)) && html`<li>Take a filter away: <a href="${addressOf(new URLSearchParams(query.has('q') ? { q: query.get('q') ?? '' } : {}))}">search without filters</a>.</li>`}
<li>Use fewer or other words: what it does (<a href="/search?q=rate+limit">rate limit</a>), or where (<a href="/search?hook=xdp">XDP</a>).</li>
<li>Write it yourself: <a href="/publish">how to publish</a>.</li>
</ul></div>`
