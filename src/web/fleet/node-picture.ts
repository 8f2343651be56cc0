import { LIMITS } from '../../domain/limits.ts'
import type { ErrorView, NodeView, ObservedFunction } from '../../domain/node.ts'
import { nodeState, overviewOf } from '../../domain/node-summary.ts'
import { type Html, html } from '../html.ts'
import { ago, counted } from '../text.ts'
import { type Rates, usefulEnd } from './chain-layout.ts'
import { chainPicture, clip } from './chain-picture.ts'
import { functionTag, stateTag } from './fleet-words.ts'

/** What a node runs and what stands in its way, as of its newest report: the part of its page that follows it. */
export function nodePicture(view: NodeView, now: Date, rates?: Rates): Html {
  const { observed, lastSeenAt } = view
  const heard =
    lastSeenAt !== undefined &&
    html`<span class="quiet">heard of <time datetime="${lastSeenAt}" title="${lastSeenAt}">${ago(lastSeenAt, now)}</time></span>`
  return html`<p id="node-state" class="node-state">${stateTag(nodeState(overviewOf(view), now))} ${heard}</p>
${observed === undefined ? html`<p id="node-none">This node has joined and has not reported yet: its agent sends the first report when it knows what to run.</p>` : [failures(observed.functions, observed.errors), chains(view, now, rates), functionTable(observed.functions)]}`
}

function chains({ observed }: NodeView, now: Date, rates: Rates | undefined): Html {
  const running = observed?.chains ?? []
  return html`<section id="node-chains" aria-labelledby="chains"><h2 id="chains">Chains</h2>
${running.length === 0 ? html`<p class="quiet">No chain runs here.</p>` : chainPicture({ chains: running }, { now, rates })}
</section>`
}

function functionTable(functions: readonly ObservedFunction[]): Html {
  const shown = functions.slice(0, LIMITS.picture_entries)
  return html`<section id="node-functions" aria-labelledby="functions"><h2 id="functions">Functions</h2>
${
  functions.length === 0
    ? html`<p class="quiet">No function is for this node.</p>`
    : html`<div class="scroll" tabindex="0" role="region" aria-label="Functions of this node"><table><thead><tr><th scope="col">Function</th><th scope="col" class="number">Revision</th><th scope="col">State</th><th scope="col">Why</th></tr></thead>
<tbody>${shown.map(
        ({ name, revision, state, error }) =>
          html`<tr><td><a href="/functions/${name}">${name}</a></td><td class="number">${revision === 0 ? '–' : revision}</td><td>${functionTag(state)}</td><td>${whyOf(state, error)}</td></tr>`,
      )}</tbody></table></div>`
}
${shown.length < functions.length && html`<p class="quiet">${counted(functions.length - shown.length, 'function')} more.</p>`}
</section>`
}

const whyOf = (state: ObservedFunction['state'], error: ErrorView | undefined): Html | string => {
  if (error !== undefined) return html`<code>${error.code}</code>`
  return state === 'waiting' ? 'no interface of this node is one that it names' : ''
}

function failures(functions: readonly ObservedFunction[], errors: readonly ErrorView[]): Html | undefined {
  const all = [
    ...functions.flatMap(({ name, state, error }) =>
      error === undefined ? [] : [{ where: `Function ${name}: ${state}`, error }],
    ),
    ...errors.map((error) => ({ where: 'This node', error })),
  ]
  if (all.length === 0) return undefined
  const shown = all.slice(0, LIMITS.picture_errors)
  return html`<section id="node-errors" aria-labelledby="errors"><h2 id="errors">${counted(all.length, 'error')}</h2>
${shown.map(({ where, error }, at) => failure(where, error, at))}
${shown.length < all.length && html`<p class="quiet">${counted(all.length - shown.length, 'error')} more are not shown.</p>`}
</section>`
}

/** What happened, what to do, and the end of the kernel's log, all of which is there for who asks. */
function failure(where: string, { code, message, remedy, log }: ErrorView, at: number): Html {
  const lines = log?.trimEnd().split('\n') ?? []
  const end = log === undefined ? [] : usefulEnd(log.trimEnd())
  return html`<article class="failure"><h3>${where} <code>${code}</code></h3>
<p dir="auto">${message}</p>
<p class="quiet" dir="auto">What to do: ${remedy}</p>
${end.length > 0 && html`<pre class="log" tabindex="0" role="region" aria-label="End of the kernel’s log"><code>${end.join('\n')}</code></pre>`}
${lines.length > end.length && html`<details id="log-${at}"><summary>The whole log, ${counted(lines.length, 'line')}</summary><pre class="log whole" tabindex="0" role="region" aria-label="The whole log of the kernel" id="log-text-${at}"><code>${lines.join('\n')}</code></pre></details>`}
</article>`
}

/** The facts of a node that it does not change by itself. */
export function nodeFacts({ id, facts, key, enrolledAt }: NodeView, now: Date): Html {
  return html`<dl class="node-facts">
<div><dt>Kernel</dt><dd><bdi>${clip(facts.kernel)}</bdi></dd></div>
<div><dt>Processor</dt><dd><bdi>${facts.arch}</bdi></dd></div>
<div><dt>Agent</dt><dd><bdi>${facts.agent}</bdi></dd></div>
<div><dt>Joined</dt><dd><time datetime="${enrolledAt}" title="${enrolledAt}">${ago(enrolledAt, now)}</time></dd></div>
<div><dt>Id</dt><dd><code>${id}</code></dd></div>
<div><dt>Key</dt><dd><code class="digest">${key}</code></dd></div>
</dl>`
}
