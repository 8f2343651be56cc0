import { DomainError } from '../../domain/errors.ts'
import { releasePath } from '../../domain/names.ts'
import {
  type Change,
  type ComparedRelease,
  compareReleases,
  type MapChange,
  type ReleaseComparison,
} from '../../elf/compare-releases.ts'
import type { Services } from '../../http/services.ts'
import type { ReleaseDetails } from '../../ports/catalog.ts'
import { readableBy } from '../../registry/access.ts'
import type { Describe } from '../../registry/release-bytes.ts'
import { type Content, type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page } from '../page.ts'
import type { Site } from '../site.ts'
import { copied } from '../snippet.ts'
import { byteText, shortDigest } from '../text.ts'
import { programPage, type Shown, shownBy } from './program-frame.ts'

/** What changed between two releases of a program. */
export function comparePage(site: Site, { catalog }: Pick<Services, 'catalog'>, describe: Describe): void {
  site.get('/programs/:ns/:name/compare', 'anyone', async (visit): Promise<Page> => {
    const shown = await shownBy(visit, catalog)
    const { program, details } = shown
    const versions = details.view.versions.map(({ version }) => version)
    const to = visit.query.get('to') || versions[0] || ''
    const from = visit.query.get('from') || versions[versions.indexOf(to) + 1] || to
    for (const version of [from, to])
      if (!versions.includes(version))
        throw new DomainError('version_not_found', `there is no release ${program}@${version}`)
    const readable = readableBy(visit.actor)
    const [before, after] = await Promise.all(
      [from, to].map((version) => catalog.releaseDetails(program, version, readable)),
    )
    if (before === undefined || after === undefined) throw new DomainError('internal', 'two were asked for')
    const sides = await Promise.all([before, after].map((one) => compared(one, shown, describe)))
    const [old, now] = sides
    const main = html`${form(shown, versions, from, to)}
${old !== undefined && now !== undefined && from !== to ? comparison(compareReleases(old, now), before, after) : html`<p class="empty">${versions.length < 2 ? 'There is only one release: nothing to compare it with.' : 'Choose two different releases.'}</p>`}`
    const page = programPage(shown, 'versions', visit.now, main)
    return { ...page, title: `${program}: ${from} to ${to}` }
  })
}

async function compared(
  { release, manifest }: ReleaseDetails,
  { details }: Shown,
  describe: Describe,
): Promise<ComparedRelease> {
  const { signer, files, quarantined } = release
  const withheld = quarantined !== undefined || details.view.quarantined !== undefined
  const names = new Set(manifest.programs.map(({ object }) => object))
  const objects = withheld ? [] : files.filter(({ name }) => names.has(name))
  const found = await Promise.all(
    objects.map(async (file) => {
      const finding = await describe(file)
      return 'report' in finding ? [[file.name, finding.report] as const] : []
    }),
  )
  return { manifest, signer, files, objects: new Map(found.flat()) }
}

function form({ program }: Shown, versions: readonly string[], from: string, to: string): Html {
  const choice = (name: 'from' | 'to', label: string, chosen: string): Html =>
    html`<label>${label} <select name="${name}">${versions.map((version) => html`<option value="${version}"${version === chosen && html` selected`}>${version}</option>`)}</select></label>`
  return html`<form class="compare-form" action="/programs/${program}/compare">${choice('from', 'From', from)}${choice('to', 'to', to)}<button class="plain">Compare</button></form>`
}

function comparison(found: ReleaseComparison, before: ReleaseDetails, after: ReleaseDetails): Html {
  const { release } = after
  const readme = readmeChange(before, after)
  const parts: Content[] = [
    found.signer !== undefined &&
      html`<div class="notice warn"><p>${icon('warning')} <b>Another signer.</b> <bdi>${found.signer.before}</bdi> before, <bdi>${found.signer.after}</bdi> after. Nodes take it only when their policy accepts both.</p></div>`,
    part('maps', 'Maps', found.maps.length > 0 && mapTable(found.maps)),
    part('config', 'Configuration', changeTable('Configuration', found.config)),
    part('entries', 'Entries', changeTable('Entries', found.entries)),
    part('helpers', 'What it asks the kernel for', helperList(found.helpers)),
    part('metrics', 'Metrics', changeTable('Metrics', found.metrics)),
    part('manifest', 'The rest of the manifest', changeTable('Manifest', found.fields)),
    part('files', 'Files', changeTable('Files', found.files, true)),
  ]
  const nothing = parts.every((content) => content === false || content === undefined)
  return html`<h2 class="unseen">What changed</h2>
<ul class="facts"><li><a href="${releasePath(release.program, before.release.version)}">${before.release.version}</a> → <a href="${releasePath(release.program, release.version)}">${release.version}</a></li>
<li>${byteText(found.size.before)} → ${byteText(found.size.after)}</li><li>README ${readme}</li></ul>
${!found.whole && html`<p class="notice">Not all objects could be read here: maps, instructions and helpers may lack some.</p>`}
${parts}
${nothing && html`<p class="empty">Nothing changed but the version.</p>`}`
}

function readmeChange(before: ReleaseDetails, after: ReleaseDetails): string {
  const of = ({ release, manifest }: ReleaseDetails): string | undefined =>
    release.files.find(({ name }) => name === manifest.readme)?.digest
  const [was, is] = [of(before), of(after)]
  if (was === is) return 'unchanged'
  return was === undefined ? 'added' : is === undefined ? 'removed' : 'changed'
}

const part = (id: string, heading: string, content: Html | false): Html | false =>
  content !== false && html`<section><h3 id="${id}">${heading}</h3>${content}</section>`

const side = (text: string | undefined, digest: boolean): Html =>
  text === undefined
    ? html`<span class="quiet">not there</span>`
    : digest
      ? copied(text, shortDigest(text))
      : html`<bdi>${text}</bdi>`

const kindOf = ({ before, after }: Change): string =>
  before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'

const kindTag = (change: Change): Html => html`<span class="tag ${kindOf(change)}">${kindOf(change)}</span>`

function changeTable(label: string, changes: readonly Change[], digests = false): Html | false {
  if (changes.length === 0) return false
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table class="changes"><thead><tr><th scope="col">What</th><th scope="col">Before</th><th scope="col">After</th></tr></thead><tbody>${changes.map(
    (change) =>
      html`<tr><th scope="row"><code>${change.what}</code> ${kindTag(change)}</th><td>${side(change.before, digests)}</td><td>${side(change.after, digests)}</td></tr>`,
  )}</tbody></table></div>`
}

const CONTENT = {
  new: 'begins empty',
  kept: 'its content is carried over',
  lost: 'its content is not carried over: it begins anew',
  filled: 'filled anew by what the configuration says',
} as const

/** What becomes of the content of a map that is no longer there. */
const GONE = 'gone, and its content with it'

const mapTable = (changes: readonly MapChange[]): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Maps"><table class="changes"><thead><tr><th scope="col">Map</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">On a node that changes over</th></tr></thead><tbody>${changes.map(
    (change) =>
      html`<tr><th scope="row"><code>${change.what}</code> ${kindTag(change)}</th><td>${side(change.before, false)}</td><td>${side(change.after, false)}</td><td${change.content === 'lost' && html` class="warn"`}>${change.after === undefined ? GONE : CONTENT[change.content]}</td></tr>`,
  )}</tbody></table></div>`

function helperList(changes: readonly Change[]): Html | false {
  if (changes.length === 0) return false
  return html`<ul class="helper-changes">${changes.map((change) => html`<li>${kindTag(change)} <code>${change.what}</code></li>`)}</ul>`
}
