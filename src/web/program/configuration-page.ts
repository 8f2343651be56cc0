import { type FieldType, fieldText } from '../../domain/field.ts'
import { functionFile } from '../../domain/function-file.ts'
import type { ListConfig } from '../../domain/list-config.ts'
import { listConfig, type Manifest, type ScalarConfig, scalarConfig } from '../../domain/manifest.ts'
import { scalarRange } from '../../domain/scalar.ts'
import type { Services } from '../../http/services.ts'
import { type Content, type Html, html } from '../html.ts'
import type { Site } from '../site.ts'
import { snippet } from '../snippet.ts'
import { counted, grouped } from '../text.ts'
import { programPage, shownBy } from './program-frame.ts'

/** What may be configured, what its maps are for, and what it counts. */
export function configurationPage(site: Site, { catalog }: Pick<Services, 'catalog'>): void {
  site.get('/programs/:ns/:name/v/:version/configuration', 'anyone', async (visit) => {
    const shown = await shownBy(visit, catalog)
    const { manifest } = shown
    const [scalars, lists] = [scalarConfig(manifest), listConfig(manifest)]
    const main = html`${manifest.config.length === 0 && nothing(manifest)}
${scalars.length > 0 && html`<section><h2 id="values">Values</h2>${valueTable(scalars)}</section>`}
${lists.length > 0 && html`<section><h2 id="lists">Lists</h2>${lists.map(listPart)}</section>`}
${
  manifest.config.length > 0 &&
  html`<section><h2 id="file">In a function</h2>
<p>Every value as its default is: keep what you change, leave out the rest.</p>${snippet(functionFile(manifest, true))}</section>`
}
${maps(manifest)}
${metrics(manifest)}`
    return programPage(shown, 'configuration', visit.now, main)
  })
}

const nothing = (manifest: Manifest): Html => html`<div class="empty">
<p><b>There is nothing to configure.</b></p>
<p class="quiet">It runs as it is:</p>
${snippet(functionFile(manifest, false))}
</div>`

const table = (label: string, heads: readonly Html[], rows: readonly Html[]): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table></div>`

const head = (text: string, look = ''): Html => html`<th scope="col" class="${look}">${text}</th>`

/** A value as people read it: thousands of numbers apart. */
const valueText = (value: string | number | boolean): string =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? grouped(value) : String(value)

function valueTable(scalars: readonly ScalarConfig[]): Html {
  const rows = scalars.map((item) => {
    const { low, high } = scalarRange(item.type)
    const range =
      item.type === 'bool'
        ? 'true or false'
        : html`${valueText(item.min ?? String(low))} to ${valueText(item.max ?? String(high))}`
    return html`<tr><th scope="row"><code>${item.name}</code></th><td class="help" dir="auto">${item.help}</td><td class="number">${valueText(item.default)}</td><td>${item.unit !== undefined && html`<bdi>${item.unit}</bdi>`}</td><td class="range">${range}</td><td class="quiet">${item.type}</td></tr>`
  })
  const heads = [
    head('Name'),
    head('What it does'),
    head('Default', 'number'),
    head('Unit'),
    head('May be'),
    head('Type'),
  ]
  return table('Values', heads, rows)
}

/** How fields are written. */
const FIELDS: Readonly<Record<string, string>> = {
  cidr: 'address prefix, 10.0.0.0/8',
  ipv4: 'IPv4 address',
  ipv6: 'IPv6 address',
  ip: 'address',
  mac: 'MAC address',
  port: 'port',
  string: 'text',
  bool: 'true or false',
}
const fieldWords = (type: FieldType): string =>
  typeof type === 'string' ? (FIELDS[type] ?? `number (${type})`) : fieldText(type)

function listPart(list: ListConfig): Html {
  const fields = [
    ...Object.entries(list.key).map((field) => [...field, 'key'] as const),
    ...Object.entries(list.value ?? {}).map((field) => [...field, 'value'] as const),
  ]
  const rows = fields.map(
    ([name, type, part]) =>
      html`<tr><th scope="row"><code>${name}</code></th><td>${fieldWords(type)}</td><td class="quiet">${part}</td></tr>`,
  )
  return html`<h3><code>${list.name}</code></h3>
${list.help !== undefined && html`<p dir="auto">${list.help}</p>`}
<p class="quiet">At most ${counted(list.maxItems, 'item')}, by default ${list.default === undefined || list.default.length === 0 ? 'none' : counted(list.default.length, 'item')}. It fills the map <code>${list.map}</code>.</p>
${table(`Members of ${list.name}`, [head('Member'), head('Is'), head('Part')], rows)}`
}

const ROLES = {
  state: 'Kept across changes, as long as its layout stays the same',
  config: 'Filled by configuration',
  metric: 'Counts something; kept across changes likewise',
} as const

function maps({ maps: named }: Manifest): Content {
  if (named.length === 0) return undefined
  const rows = named.map(
    ({ name, role }) => html`<tr><th scope="row"><code>${name}</code></th><td>${ROLES[role]}</td></tr>`,
  )
  return html`<section><h2 id="maps">What its maps are for</h2>${table('Maps', [head('Map'), head('Role')], rows)}</section>`
}

function metrics({ metrics: named }: Manifest): Content {
  if (named.length === 0) return undefined
  const rows = named.map(
    ({ name, type, map, help }) =>
      html`<tr><th scope="row"><code>${name}</code></th><td dir="auto">${help}</td><td>${type}</td><td><code>${map}</code></td></tr>`,
  )
  return html`<section><h2 id="metrics">What it counts</h2>${table('Metrics', [head('Metric'), head('What'), head('Kind'), head('Map')], rows)}</section>`
}
