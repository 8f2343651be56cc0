import type { CounterName, Hook } from '../../domain/hook.ts'
import { LIMITS } from '../../domain/limits.ts'
import { ProgramId, Version } from '../../domain/names.ts'
import type { Observed, ObservedChain } from '../../domain/node.ts'
import { HOOK_WORDS } from '../catalog/packet-path.ts'
import { releaseUrl } from '../catalog/program-list.ts'
import { type Content, type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { ago, counted, grouped, short } from '../text.ts'
import {
  type DrawnInterface,
  drawingOf,
  entryPlace,
  flowOf,
  type Leaving,
  leavingBy,
  type ObservedEntry,
  occurred,
  type Rates,
} from './chain-layout.ts'

/** A text of a node, cut where it has no other bound. */
export const clip = (text: string): string =>
  text.length <= LIMITS.picture_chars ? text : `${text.slice(0, LIMITS.picture_chars)}…`

const FORMS: Readonly<Record<ObservedEntry['form'], string>> = {
  fused: 'inlined into the one program of the chain: the fastest form',
  group: 'inlined into one of several programs that tail-call each other',
  called: 'a subprogram of the chain, with a frame of its own',
  'exit-rewrite': 'the only body of its program, inlined: the kernel refused larger ones',
  wrap: 'the only body of its program, called: the kernel refused the faster forms',
}

const MODES: Readonly<Record<ObservedChain['mode'], string>> = {
  native: 'in the driver',
  generic: 'in the stack, where the driver has no XDP of its own: slower',
  tcx: 'attached by a TCX link',
  clsact: 'a filter of the clsact qdisc: this kernel has no TCX',
}

/** What is beside a picture: the time, and the rates where two reports are known. */
export interface Beside {
  readonly now: Date
  readonly rates?: Rates | undefined
}

/** The chains of a report as packets meet them, interface by interface. */
export function chainPicture({ chains }: Pick<Observed, 'chains'>, beside: Beside): Html {
  const { interfaces, leftOut } = drawingOf(chains)
  return html`${interfaces.map((at) => interfacePicture(at, beside))}
${leftOut > 0 && html`<p class="notice">${counted(leftOut, 'entry', 'entries')} more, too many to draw: <code>hookline status --node</code> lists them all.</p>`}`
}

function interfacePicture({ name, ifindex, netns, chains }: DrawnInterface, beside: Beside): Html {
  const stop = (hook: Hook): Html => hookStop(hook, chains.get(hook), beside)
  return html`<section class="interface">
<h3><bdi>${clip(name)}</bdi> <small>interface ${ifindex}${netns !== '' && html` in network namespace <bdi>${clip(netns)}</bdi>`}</small></h3>
<div class="ways">
<ol class="way" aria-label="In, from the wire to the stack">
${place('Wire', 'packets arrive')}
${stop('xdp')}
${stop('tc-ingress')}
${place('Stack', 'sockets and routes')}
</ol>
<ol class="way" aria-label="Out, from the stack to the wire">
${place('Stack', 'sockets and routes')}
${stop('tc-egress')}
${place('Wire', 'packets leave')}
</ol>
</div>
</section>`
}

/** An end of a way. */
export const place = (name: string, what: string): Html =>
  html`<li class="end"><b>${name}</b> <small>${what}</small></li>`

function hookStop(hook: Hook, chain: ObservedChain | undefined, beside: Beside): Html {
  const { name } = HOOK_WORDS[hook]
  if (chain === undefined)
    return html`<li class="bare"><b>${icon(hook)}${name}</b> <small>nothing here</small></li>`
  const { mode, generation, since, programTag, programId, entries } = chain
  const most = Math.max(1, ...entries.map((entry) => flowOf(entry).reached))
  return html`<li class="stop"><div class="stop-head"><b>${icon(hook)}${name}</b>
<ul class="facts"><li title="${MODES[mode]}">${mode}</li><li title="every change builds the next generation">generation ${generation}</li><li>since <time datetime="${since}" title="${since}">${ago(since, beside.now)}</time></li><li title="program ${programId} of this kernel">tag <code>${clip(programTag)}</code></li></ul></div>
<ol class="chain-entries">${entries.map((entry) => entryItem(entry, most, beside.rates?.get(entryPlace(chain, entry)), revisionOf(chain, entry)))}</ol></li>`
}

const revisionOf = ({ functions }: ObservedChain, { function: of }: ObservedEntry): number | undefined =>
  functions.find(({ name }) => name === of)?.revision

function entryItem(
  entry: ObservedEntry,
  most: number,
  rates: ReturnType<Rates['get']>,
  revision: number | undefined,
): Html {
  const { position, instance, release, entry: part, form, proceed } = entry
  const after = proceed.length === 0 ? 'never goes on' : `goes on after ${proceed.map(clip).join(', ')}`
  return html`<li class="entry">${rail(entry, most)}<span class="at">${position}</span>
<div class="entry-text">
<p class="what"><b>${instance}</b> ${releaseLink(release)} <code>${clip(part)}</code></p>
<ul class="facts"><li><a href="/functions/${entry.function}">${entry.function}</a>${revision !== undefined && html` revision ${revision}`}</li><li title="${FORMS[form]}">${form}</li><li>${after}</li></ul>
${verdictList(entry, rates)}
</div></li>`
}

/** A release by its name, linked where it is one: nodes may say anything. */
export function releaseLink(release: string): Html {
  const at = release.indexOf('@')
  const [program, version] = [release.slice(0, at), release.slice(at + 1)]
  return at > 0 && ProgramId.safeParse(program).success && Version.safeParse(version).success
    ? html`<a href="${releaseUrl(program, version)}">${program}<wbr>@${version}</a>`
    : html`<bdi>${clip(release)}</bdi>`
}

function verdictList({ packets, total, proceed }: ObservedEntry, rates: ReturnType<Rates['get']>): Html {
  const reached = flowOf({ packets, proceed }).reached
  const before = flowOf({ packets: total, proceed }).reached - reached
  const kindOf = (verdict: CounterName) => (proceed.includes(verdict) ? 'onward' : leavingBy(verdict))
  const counts = occurred(packets).sort(([a], [b]) => KINDS.indexOf(kindOf(a)) - KINDS.indexOf(kindOf(b)))
  if (counts.length === 0)
    return html`<p class="quiet none">no packets yet${before > 0 && `, ${grouped(before)} in earlier generations`}</p>`
  const row = ([verdict, count]: [CounterName, number]): Content => {
    const kind = kindOf(verdict)
    const share = reached === 0 ? 0 : Math.min(1, count / reached)
    const rate = rates?.[verdict]
    return html`<li class="${kind}"><span class="verdict"${ODD[verdict] !== undefined && html` title="${ODD[verdict]}"`}>${ODD[verdict] !== undefined && icon('warning')}${verdict}</span><svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="6" class="ground"/><rect width="${round(Math.max(1.5, share * 100))}" height="6"/></svg><span class="number" title="${grouped(count)} packets">${count < 1e7 ? grouped(count) : short(count)}</span><span class="share">${percent(share)}</span><span class="rate">${rate !== undefined && `${short(rate)}/s`}</span></li>`
  }
  return html`<ul class="verdicts" aria-label="Packets by verdict">${counts.map(row)}</ul>${before > 0 && html`<p class="quiet none">${grouped(before)} more in earlier generations</p>`}`
}

/** What becomes of packets, in the order in which it is shown. */
const KINDS: readonly (Leaving | 'onward')[] = ['onward', 'dropped', 'away', 'odd']

/** Counters that are no verdicts of the hook, and what they count. */
const ODD: Partial<Record<CounterName, string>> = {
  missing: 'packets whose next entry was unexpectedly absent',
  other: 'packets with a number that is no verdict of this hook',
}

/** A share in whole per cent; what is not nothing and not all is not shown as if it were. */
function percent(share: number): string {
  if (share > 0 && share < 0.01) return '<1%'
  return share > 0.99 && share < 1 ? '>99%' : `${Math.round(share * 100)}%`
}

const round = (value: number): number => Math.round(value * 10) / 10

/** Width of the rail's drawing, of its band at its widest, and the height at which the first of those that leave is out. */
const [RAIL, BAND, OUT] = [72, 40, 34]

/**
 * A piece of the line that packets go along: as wide as many reach the entry; what leaves the chain peels off to the left, what goes
 * on is the next piece.
 */
function rail(entry: ObservedEntry, most: number): Html {
  const { reached, onward, leaving } = flowOf(entry)
  const wide = (packets: number): number => (packets === 0 ? 0 : Math.max(1.5, (packets / most) * BAND))
  const edge = RAIL - 2
  const parts: Html[] = []
  let left = edge - wide(reached)
  let height = OUT
  for (const kind of ['dropped', 'away', 'odd'] satisfies Leaving[]) {
    const width = wide(leaving[kind])
    if (width === 0) continue
    const [a, b, down] = [round(left), round(left + width), round(height)]
    parts.push(
      html`<path class="${kind}" d="M${a} 0C${a} ${down} ${round(a / 2)} ${down} 0 ${down}V${round(down + width)}C${round(b / 2)} ${round(down + width)} ${b} ${round(down + width)} ${b} 0z"/>`,
    )
    left += width
    height += width + 2
  }
  const through = wide(onward)
  return html`<svg class="rail" viewBox="0 0 ${RAIL} 100" preserveAspectRatio="none" aria-hidden="true">${through > 0 && html`<rect class="onward" x="${round(edge - through)}" width="${round(through)}" height="101"/>`}${parts}<path class="line" d="M${edge} 0V100"/></svg>`
}
