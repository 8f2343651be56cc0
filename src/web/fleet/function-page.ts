import { stringify } from 'yaml'
import { describeOrder } from '../../attest/order.ts'
import type { FunctionStep, FunctionView } from '../../domain/fleet-function.ts'
import { type FunctionSpec, instanceName, type Order } from '../../domain/function.ts'
import { LIMITS } from '../../domain/limits.ts'
import { releaseRef } from '../../domain/names.ts'
import { programOf } from '../../domain/resolution.ts'
import type { Services } from '../../http/services.ts'
import { remembering } from '../../registry/remember.ts'
import { type Html, html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import { type Site, signedIn } from '../site.ts'
import { ago, counted } from '../text.ts'
import { releaseLink } from './chain-picture.ts'
import { fleetTabs, functionTag, nodesWith, stateTag } from './fleet-words.ts'
import { type ReadStep, stepChanges, valueText } from './function-changes.ts'
import { countMet, type Met, metNodes } from './function-nodes.ts'
import { type Preview, previewOf, previewPicture } from './function-preview.ts'
import { fareList, selectorText } from './functions-page.ts'

/** Reads an envelope; one of a revision never changes. */
type ReadOrder = (
  name: string,
  revision: number,
  envelope: string,
) => Promise<{ order: Order; operator: string }>

function rememberOrders(): ReadOrder {
  const remember = remembering<{ order: Order; operator: string; bytes: number }>(
    { values: LIMITS.functions_remembered, weight: LIMITS.functions_remembered_bytes },
    ({ bytes }) => bytes,
  )
  return (name, revision, envelope) =>
    remember(`${name}@${revision}`, async () => ({ ...describeOrder(envelope), bytes: envelope.length }))
}

/** A function: what its order says, what of it runs where, and what it was before. Orders are given elsewhere. */
export function functionPage(
  site: Site,
  { fleet, nodeDesk, catalog }: Pick<Services, 'fleet' | 'nodeDesk' | 'catalog'>,
): void {
  const readOrder = rememberOrders()
  site.get('/functions/:name', 'fleet-read', async (visit: Visit): Promise<Page> => {
    const { params, now } = visit
    const view = await fleet.function(params['name'] ?? '')
    const [steps, nodes, keys] = await Promise.all([
      fleet.history(view.name, LIMITS.function_steps_shown + 1),
      nodeDesk.overview(),
      fleet.operatorKeys(),
    ])
    const { order, operator } = await readOrder(view.name, view.revision, view.envelope)
    const spec = order.kind === 'apply' ? order.function : undefined
    const met = metNodes(nodes, view.name, spec?.selector, now)
    const preview = spec && (await previewOf(catalog, spec, view.resolutions, signedIn(visit)))
    return {
      title: view.name,
      section: 'fleet',
      main: html`<div class="wide fleet">
${fleetTabs('functions')}
<h1>${view.name}</h1>
${standing(
  view,
  operator,
  keys.some(({ fingerprint }) => fingerprint === operator),
  now,
)}
${spec !== undefined && preview !== undefined && ordered(spec, view, preview)}
${nodesOf(met, view, spec)}
${history(view, await readSteps(readOrder, view.name, steps), now)}
${commands(view, spec)}
</div>`,
    }
  })
}

function standing(
  { state, revision, appliedAt }: FunctionView,
  operator: string,
  known: boolean,
  now: Date,
): Html {
  return html`<p>${state === 'applied' ? 'In force' : html`<b>Removed</b>`} by revision ${revision}, <time datetime="${appliedAt}" title="${appliedAt}">${ago(appliedAt, now)}</time>.</p>
<p class="quiet">Signed by the operator <code class="digest">${operator}</code>${!known && html`, whose key signs no further orders`}. Every node checks this itself against its own policy.</p>`
}

function ordered(spec: FunctionSpec, { resolutions }: FunctionView, preview: Preview): Html {
  const versions = new Map(resolutions.map(({ use, version }) => [use, version]))
  const { selector, interfaces, priority, onMissing, allowGeneric, instances } = spec
  return html`<dl class="node-facts">
<div><dt>Nodes</dt><dd>${selectorText(selector)}</dd></div>
<div><dt>Interfaces</dt><dd>${interfaces.map((one) => html`<code>${one}</code> `)}</dd></div>
<div><dt>Priority</dt><dd>${priority} <span class="quiet">the lowest comes first</span></dd></div>
<div><dt>When an entry is missing</dt><dd>${onMissing === 'pass' ? 'the packet passes' : 'the packet is dropped'}</dd></div>
<div><dt>Where a driver has no XDP</dt><dd>${allowGeneric ? 'it runs in the stack' : 'it does not run'}</dd></div>
</dl>
<section aria-labelledby="chain"><h2 id="chain">What a packet meets</h2>
${previewPicture(preview)}</section>
<section aria-labelledby="instances"><h2 id="instances">Instances</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Table of instances"><table class="instances"><thead><tr><th scope="col">Instance</th><th scope="col">Asks for</th><th scope="col">Which is now</th><th scope="col">Configuration</th></tr></thead><tbody>${instances.map(
    (instance) => {
      const version = versions.get(instance.use)
      const config = Object.entries(instance.config)
      return html`<tr><th scope="row">${instanceName(instance)}</th><td><code>${instance.use}</code></td><td>${version === undefined ? html`<span class="warn">no release fits</span>` : releaseLink(releaseRef(programOf(instance.use), version))}</td><td>${config.length === 0 ? html`<span class="quiet">as the manifest has it</span>` : html`<ul class="config">${config.map(([key, value]) => html`<li><code>${key}</code> <bdi>${valueText(value)}</bdi></li>`)}</ul>`}</td></tr>`
    },
  )}</tbody></table></div></section>`
}

function nodesOf(
  met: readonly Met[],
  { name, revision, state }: FunctionView,
  spec: FunctionSpec | undefined,
): Html {
  const shown = met.slice(0, LIMITS.function_nodes_shown)
  const reporting = `/nodes?function=${name}`
  if (met.length === 0)
    return html`<section aria-labelledby="nodes"><h2 id="nodes">On nodes</h2><p class="quiet">${state === 'removed' ? 'No node reports it any more.' : 'No node has the labels that it asks for.'}</p></section>`
  return html`<section aria-labelledby="nodes"><h2 id="nodes">On nodes</h2>${fareList(countMet(met, revision), spec === undefined ? reporting : nodesWith(spec.selector))}
<div class="scroll" tabindex="0" role="region" aria-label="Nodes of this function"><table class="nodes"><thead><tr><th scope="col">Node</th><th scope="col">This function there</th><th scope="col">The node</th></tr></thead><tbody>${shown.map(
    ({ node, state: how, reported, selected }) =>
      html`<tr><th scope="row"><a href="/nodes/${node.id}"><bdi>${node.facts.name}</bdi></a></th><td>${reported === undefined ? html`<span class="quiet">not heard of</span>` : html`${functionTag(reported.state)} <span class="quiet">revision ${reported.revision}</span>`}${!selected && state === 'applied' && html` <span class="warn">no longer for this node</span>`}</td><td>${stateTag(how)}</td></tr>`,
  )}</tbody></table></div>
${shown.length < met.length && html`<p class="more"><a href="${reporting}">All nodes that report it</a> <span class="quiet">${counted(met.length - shown.length, 'node')} more</span></p>`}</section>`
}

/** The steps that can be read, newest first. */
async function readSteps(
  readOrder: ReadOrder,
  name: string,
  steps: readonly FunctionStep[],
): Promise<(ReadStep & { readonly step: FunctionStep })[]> {
  const read = await Promise.all(
    steps.map(async (step) => ({ step, ...(await readOrder(name, step.revision, step.envelope)) })),
  )
  return read.flatMap(({ step, order, operator }) =>
    order.kind === 'apply' ? [{ step, operator, spec: order.function }] : [],
  )
}

function history(
  { state, revision, appliedAt }: FunctionView,
  steps: readonly (ReadStep & { readonly step: FunctionStep })[],
  now: Date,
): Html {
  const time = (at: string): Html => html`<time datetime="${at}" title="${at}">${ago(at, now)}</time>`
  const item = (one: (typeof steps)[number], at: number): Html => {
    const before = steps[at + 1]
    const changes = before === undefined ? undefined : stepChanges(before, one)
    const again = before?.step.revision === one.step.revision
    return html`<li><b>Revision ${one.step.revision}</b> <span class="quiet">${time(one.step.at)}</span>${again && html` <span class="quiet">its ranges stand for other releases since</span>`}
${changes === undefined ? html`<p class="quiet">${one.step.revision === 1 ? `the first, with ${counted(one.spec.instances.length, 'instance')}` : `with ${counted(one.spec.instances.length, 'instance')}`}</p>` : changes.length === 0 ? html`<p class="quiet">says the same</p>` : changeList(changes)}</li>`
  }
  return html`<section aria-labelledby="history"><h2 id="history">History</h2><ol class="history">
${state === 'removed' && html`<li><b>Revision ${revision}</b> <span class="quiet">${time(appliedAt)}</span><p>removed</p></li>`}
${steps.slice(0, LIMITS.function_steps_shown).map(item)}</ol>
${steps.length > LIMITS.function_steps_shown && html`<p class="quiet">There is more: <code>hookline function show</code> lists it.</p>`}</section>`
}

const changeList = (changes: readonly string[]): Html =>
  html`<ul>${changes.slice(0, LIMITS.function_changes_shown).map((change) => html`<li dir="auto">${change}</li>`)}${changes.length > LIMITS.function_changes_shown && html`<li class="quiet">${changes.length - LIMITS.function_changes_shown} more</li>`}</ul>`

function commands({ name, state, envelope }: FunctionView, spec: FunctionSpec | undefined): Html {
  const line = (text: string): Html =>
    html`<div class="snippet" data-copy><pre tabindex="0"><code>${text}</code></pre></div>`
  return html`<section aria-labelledby="change"><h2 id="change">Change it</h2>
<p>Orders are signed by operators on their own machines, so that nobody who gets hold of this registry can give one.</p>
<dl class="commands">
<div><dt>Put another order in force</dt><dd>${line(`hookline function apply ${name}.yaml --key operator.pem`)}</dd></div>
<div><dt>Go back to the versions that ran before</dt><dd>${line(`hookline function rollback ${name} --key operator.pem`)}</dd></div>
${state === 'applied' && html`<div><dt>End it</dt><dd>${line(`hookline function remove ${name} --key operator.pem`)}</dd></div>`}
<div><dt>See all of it</dt><dd>${line(`hookline function show ${name}`)}</dd></div>
</dl>
${spec !== undefined && envelope.length <= LIMITS.function_file_shown_bytes && html`<details class="file"><summary>The function file to begin with, as it stands</summary>${line(stringify(spec))}</details>`}</section>`
}
