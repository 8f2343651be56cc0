import { LIMITS } from '../../domain/limits.ts'
import { NODE_STATES } from '../../domain/node-summary.ts'
import type { Services } from '../../http/services.ts'
import { HOOK_WORDS } from '../catalog/packet-path.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { counted, grouped, short } from '../text.ts'
import { fleetTabs, labelList, STATE_WORDS, stateTag } from './fleet-words.ts'
import {
  type Asked,
  addressOf,
  askedOf,
  countStates,
  type Listed,
  selectNodes,
  withFilter,
} from './node-list.ts'

/** Interfaces of a node that a list shows. */
const CHAINS_SHOWN = 4

/** All nodes, those to look after first; every filter is an address. */
export function nodesPage(site: Site, { nodeDesk }: Pick<Services, 'nodeDesk'>): void {
  site.get('/nodes', 'fleet-read', async ({ query, now }: Visit): Promise<Page> => {
    const asked = askedOf(query)
    const all = await nodeDesk.overview()
    const fitting = selectNodes(all, asked, now)
    const found = fitting.filter(
      ({ state }) => asked.states.length === 0 || asked.states.includes(state.kind),
    )
    const pages = Math.max(1, Math.ceil(found.length / LIMITS.page_items))
    const page = Math.min(asked.page, pages)
    const shown = found.slice((page - 1) * LIMITS.page_items, page * LIMITS.page_items)
    return {
      title: 'Nodes',
      section: 'fleet',
      main: html`<div class="wide fleet">
${fleetTabs('nodes')}
<h1>Nodes</h1>
${all.length === 0 ? noNodes() : html`${states(fitting, asked)}${filterForm(asked)}${chosen(asked)}${found.length === 0 ? html`<p class="empty"><b>No node fits.</b> <a href="/nodes">Show all ${grouped(all.length)}</a>.</p>` : table(shown, found.length)}${pager(asked, page, pages, found.length)}`}
</div>`,
    }
  })
}

const noNodes = (): Html => html`<div class="empty"><p><b>No node has joined yet.</b></p>
<p>An operator makes a join token, and the agent on the node uses it once:</p>
<div class="snippet" data-copy><pre tabindex="0"><code>hookline node token --label role=edge</code></pre></div>
<p><a href="/docs/running">How to run an agent</a></p></div>`

/** How many nodes are how; each count is a filter. */
function states(fitting: readonly Listed[], asked: Asked): Html {
  const counts = countStates(fitting)
  return html`<ul class="states" aria-label="Nodes by state"><li><a href="${addressOf({ ...asked, states: [], page: 1 })}"${asked.states.length === 0 && html` aria-current="true"`}><b>${grouped(fitting.length)}</b> ${fitting.length === 1 ? 'node' : 'nodes'}</a></li>${NODE_STATES.filter(
    (kind) => (counts.get(kind) ?? 0) > 0 || asked.states.includes(kind),
  ).map((kind) => {
    const on = asked.states.includes(kind)
    return html`<li><a href="${addressOf(withFilter(asked, 'states', kind))}"${on && html` aria-current="true"`}><span class="state ${kind}"><span class="mark" aria-hidden="true"></span></span><b>${grouped(counts.get(kind) ?? 0)}</b> ${STATE_WORDS[kind]}</a></li>`
  })}</ul>`
}

const filterForm = (asked: Asked): Html =>
  html`<form class="filter" action="/nodes"><label class="unseen" for="node-q">Filter nodes</label><input id="node-q" name="q" type="search" value="${asked.q}" maxlength="${LIMITS.search_chars}" placeholder="Name, kernel, interface or label" autocomplete="off" spellcheck="false">${asked.labels.map((label) => html`<input type="hidden" name="label" value="${label}">`)}${asked.states.map((state) => html`<input type="hidden" name="state" value="${state}">`)}${asked.fn !== undefined && html`<input type="hidden" name="function" value="${asked.fn}">`}<button class="plain">Filter</button></form>`

function chosen(asked: Asked): Html | undefined {
  const filters = [
    ...asked.labels.map((label) => ({ text: label, to: withFilter(asked, 'labels', label) })),
    ...(asked.fn === undefined
      ? []
      : [{ text: `function ${asked.fn}`, to: { ...asked, fn: undefined, page: 1 } }]),
  ]
  if (filters.length === 0) return undefined
  return html`<ul class="chosen" aria-label="Filters">${filters.map(({ text, to }) => html`<li><a href="${addressOf(to)}" title="remove this filter"><bdi>${text}</bdi><span aria-hidden="true">×</span></a></li>`)}</ul>`
}

const table = (shown: readonly Listed[], total: number): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Nodes"><table class="nodes"><caption class="unseen">${counted(total, 'node')}, those to look after first</caption>
<thead><tr><th scope="col">Node</th><th scope="col">State</th><th scope="col">Interfaces</th><th scope="col" class="number">Packets</th><th scope="col">System</th></tr></thead>
<tbody>${shown.map(row)}</tbody></table></div>`

function row({ node, state }: Listed): Html {
  const { id, facts, summary } = node
  const packets = (summary?.chains ?? []).reduce((sum, chain) => sum + chain.packets, 0)
  return html`<tr><th scope="row"><a href="/nodes/${id}"><bdi>${facts.name}</bdi></a>${labelList(facts.labels)}</th>
<td>${stateTag(state)}${summary?.error !== undefined && html`<p class="why" dir="auto" title="${summary.error.message}">${summary.error.message}</p>`}</td>
<td>${interfaces(node)}</td>
<td class="number" title="${grouped(packets)}">${summary === undefined ? '–' : short(packets)}</td>
<td class="system"><bdi>${facts.kernel}</bdi> <bdi>${facts.arch}</bdi><br><span class="quiet">agent <bdi>${summary?.agent ?? facts.agent}</bdi></span></td></tr>`
}

/** Interfaces with their chains. */
function interfaces({ summary }: Listed['node']): Html | string {
  if (summary === undefined || summary.chainCount === 0) return '–'
  const names = [...new Set(summary.chains.map((chain) => chain.interface))].sort()
  const item = (name: string): Html =>
    html`<li><bdi>${name}</bdi> ${summary.chains
      .filter((chain) => chain.interface === name)
      .map(
        ({ hook, entries }) =>
          html`<span class="on" title="${HOOK_WORDS[hook].name}: ${counted(entries, 'entry', 'entries')}">${icon(hook, HOOK_WORDS[hook].name)}${entries}</span> `,
      )}</li>`
  const more = names.length - CHAINS_SHOWN
  return html`<ul class="plain">${names.slice(0, CHAINS_SHOWN).map(item)}${more > 0 && html`<li class="quiet">${counted(more, 'interface')} more</li>`}</ul>`
}

function pager(asked: Asked, page: number, pages: number, total: number): Html | undefined {
  if (pages === 1) return undefined
  const from = (page - 1) * LIMITS.page_items + 1
  return html`<nav class="pager" aria-label="Pages">${page > 1 && html`<a rel="prev" href="${addressOf({ ...asked, page: page - 1 })}">Before</a>`}<span>${grouped(from)}–${grouped(Math.min(total, page * LIMITS.page_items))} of ${grouped(total)}</span>${page < pages && html`<a rel="next" href="${addressOf({ ...asked, page: page + 1 })}">Next ${icon('tc-egress')}</a>`}</nav>`
}
