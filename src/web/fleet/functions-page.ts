import { instanceName } from '../../domain/function.ts'
import { releaseRef } from '../../domain/names.ts'
import { programOf } from '../../domain/resolution.ts'
import type { Services } from '../../http/services.ts'
import type { FunctionOutline } from '../../ports/fleet.ts'
import { type Html, html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { ago, grouped } from '../text.ts'
import { releaseLink } from './chain-picture.ts'
import { fleetTabs, labelList, nodesWith } from './fleet-words.ts'
import { countMet, type MetCounts, metNodes } from './function-nodes.ts'

/** All functions: what they are for, what their ranges stand for, how they fare. */
export function functionsPage(site: Site, { fleet, nodeDesk }: Pick<Services, 'fleet' | 'nodeDesk'>): void {
  site.get('/functions', 'fleet-read', async ({ now }: Visit): Promise<Page> => {
    const [outlines, nodes] = await Promise.all([fleet.outlines(), nodeDesk.overview()])
    const applied = outlines.filter(({ order }) => order.kind === 'apply')
    const removed = outlines.filter(({ order }) => order.kind === 'remove')
    const counts = (outline: FunctionOutline): MetCounts => {
      const selector = outline.order.kind === 'apply' ? outline.order.function.selector : undefined
      return countMet(metNodes(nodes, outline.name, selector, now), outline.order.revision)
    }
    return {
      title: 'Functions',
      section: 'fleet',
      main: html`<div class="wide fleet">
${fleetTabs('functions')}
<h1>Functions</h1>
<p class="lead">Signed orders of what runs on which nodes. This page shows them; they are given on an operator’s own machine.</p>
${
  outlines.length === 0
    ? html`<div class="empty"><p><b>Nothing has been ordered yet.</b></p><p>An operator signs a function file and hands it in:</p><div class="snippet" data-copy><pre tabindex="0"><code>hookline function apply edge.yaml --key operator.pem</code></pre></div><p><a href="/docs/function">What a function file says</a></p></div>`
    : html`<div class="scroll" tabindex="0" role="region" aria-label="Functions"><table class="functions"><caption class="unseen">Functions in force</caption><thead><tr><th scope="col">Function</th><th scope="col">For</th><th scope="col">Instances</th><th scope="col">On nodes</th></tr></thead><tbody>${applied.map((outline) => row(outline, counts(outline), now))}</tbody></table></div>
${removed.length > 0 && removedList(removed, counts, now)}`
}
</div>`,
    }
  })
}

function row(
  { name, order, appliedAt, resolutions }: FunctionOutline,
  counts: MetCounts,
  now: Date,
): Html | undefined {
  if (order.kind !== 'apply') return undefined
  const { selector, interfaces, instances, priority } = order.function
  const versions = new Map(resolutions.map(({ use, version }) => [use, version]))
  const since = appliedAt.toISOString()
  return html`<tr><th scope="row"><a href="/functions/${name}">${name}</a><p class="quiet">revision ${order.revision}, <time datetime="${since}" title="${since}">${ago(since, now)}</time></p></th>
<td>${selectorText(selector)}<p class="quiet">${interfaces.map((one) => html`<code>${one}</code> `)}priority ${priority}</p></td>
<td><ol class="plain">${instances.map((instance) => {
    const version = versions.get(instance.use)
    return html`<li><b>${instanceName(instance)}</b> ${version === undefined ? html`<span class="warn">${instance.use}: no release fits</span>` : releaseLink(releaseRef(programOf(instance.use), version))}</li>`
  })}</ol></td>
<td>${fareList(counts, nodesWith(selector))}</td></tr>`
}

/** Which nodes a function is for. */
export const selectorText = (selector: Readonly<Record<string, string>>): Html =>
  Object.keys(selector).length === 0 ? html`<a href="/nodes">every node</a>` : labelList(selector)

/** How a function fares, in counts; `nodes` is where the nodes that it is for are listed. */
export function fareList(
  { selected, current, older, refused, waiting, unheard }: MetCounts,
  nodes: string,
): Html {
  const part = (count: number, kind: string, what: string): Html | false =>
    count > 0 &&
    html`<li><span class="state ${kind}"><span class="mark" aria-hidden="true"></span>${grouped(count)} ${what}</span></li>`
  return html`<ul class="fare"><li><a href="${nodes}">meets ${grouped(selected)}</a></li>${part(refused, 'trouble', 'refuse')}${part(older, 'silent', 'run an older revision')}${part(waiting, 'waiting', 'wait')}${part(unheard, 'never', 'have not said')}${part(current, 'running', 'run it')}</ul>`
}

const removedList = (
  removed: readonly FunctionOutline[],
  counts: (outline: FunctionOutline) => MetCounts,
  now: Date,
): Html =>
  html`<section aria-labelledby="removed"><h2 id="removed">Removed</h2><ul class="removed">${removed.map(
    (outline) => {
      const at = outline.appliedAt.toISOString()
      const { current, older, waiting } = counts(outline)
      const left = current + older + waiting
      return html`<li><a href="/functions/${outline.name}">${outline.name}</a> <span class="quiet">by revision ${outline.order.revision}, <time datetime="${at}" title="${at}">${ago(at, now)}</time></span>${left > 0 && html` <span class="warn">${grouped(left)} still report it</span>`}</li>`
    },
  )}</ul></section>`
