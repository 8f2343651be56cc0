import { HOOKS } from '../../domain/hook.ts'
import type { Manifest } from '../../domain/manifest.ts'
import { mapRole } from '../../domain/manifest.ts'
import { type Digest, MANIFEST_FILE } from '../../domain/names.ts'
import type { ReleaseFile } from '../../domain/release.ts'
import type { ObjectReport } from '../../elf/describe.ts'
import { groupHelpers } from '../../elf/helper-words.ts'
import type { Services } from '../../http/services.ts'
import type { Describe, ObjectFinding } from '../../registry/release-bytes.ts'
import { HOOK_WORDS } from '../catalog/packet-path.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Site } from '../site.ts'
import { copied } from '../snippet.ts'
import { byteText, counted, grouped, shortDigest } from '../text.ts'
import { mapMemory, mapSizes, mapWords } from './map-words.ts'
import { type DrawnEntry, objectPicture } from './object-picture.ts'
import { programPage, type Shown, shownBy } from './program-frame.ts'

/** Address of a file's bytes. */
export const blobPath = (digest: Digest): string => `/api/v1/blobs/${digest}`

/** What a release holds: its files, and what each of its objects is made of. */
export function contentsPage(site: Site, { catalog }: Pick<Services, 'catalog'>, describe: Describe): void {
  site.get('/programs/:ns/:name/v/:version/contents', 'anyone', async (visit) => {
    const shown = await shownBy(visit, catalog)
    const { release, manifest, withheld } = shown
    const names = [...new Set(manifest.programs.map(({ object }) => object))]
    const objects = release.files.filter(({ name }) => names.includes(name))
    const found = withheld ? [] : await Promise.all(objects.map(describe))
    const main = html`<section><h2 id="files">Files</h2>${fileTable(shown)}</section>
${objects.map((file, at) => {
  const finding = found[at]
  return finding !== undefined && objectSection(file, finding, manifest, `object-${at}`)
})}`
    return programPage(shown, 'contents', visit.now, main)
  })
}

function fileTable({ release, manifest, withheld }: Shown): Html {
  const kinds = new Map([
    [MANIFEST_FILE, 'what the release is and how it may be configured'],
    ...manifest.programs.map(({ object }): [string, string] => [object, 'programs']),
    ...(manifest.readme === undefined ? [] : [[manifest.readme, 'README'] as const]),
    ...(manifest.changelog === undefined ? [] : [[manifest.changelog, 'changes'] as const]),
    ...(manifest.source === undefined ? [] : [[manifest.source, 'source'] as const]),
  ])
  const rows = release.files.map(
    ({
      name,
      digest,
      size,
    }) => html`<tr><th scope="row">${icon('file')} ${withheld ? name : html`<a href="${blobPath(digest)}" download="${name}">${name}</a>`}</th>
<td class="quiet">${kinds.get(name)}</td><td class="number">${byteText(size)}</td><td>${copied(digest, shortDigest(digest))}</td></tr>`,
  )
  return html`${withheld && html`<p class="notice bad">What is quarantined is given to nobody: its files are named here, and cannot be fetched.</p>`}
<div class="scroll" tabindex="0" role="region" aria-label="Files"><table class="files"><thead><tr><th scope="col">File</th><th scope="col">What it is</th><th scope="col" class="number">Size</th><th scope="col">Digest</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

function objectSection({ name }: ReleaseFile, finding: ObjectFinding, manifest: Manifest, id: string): Html {
  const around = (content: Html): Html =>
    html`<section class="of-object"><h2 id="${id}"><code>${name}</code></h2>${content}</section>`
  if ('missing' in finding)
    return around(
      html`<p class="empty">The bytes of this object are not in the registry’s store, so that nothing can be told of it.</p>`,
    )
  if ('unreadable' in finding)
    return around(
      html`<p class="empty">This object cannot be read here: <bdi>${finding.unreadable}</bdi></p>`,
    )
  const { report } = finding
  const entries = entriesOf(report, manifest, name)
  return around(html`<ul class="facts">
<li>${byteText(report.bytes)}</li>
<li>${report.license === null ? 'no licence in it' : html`licence <bdi>${report.license}</bdi>`}</li>
<li>${report.btf === null ? 'no type information' : `${grouped(report.btf.types)} types described (BTF)`}</li>
${report.coreRelocations > 0 && html`<li>${counted(report.coreRelocations, 'place')} fitted to the kernel (CO-RE)</li>`}
</ul>
${objectPicture(name, entries, report, id)}
${helpers(entries)}
<details><summary>All entries and maps as lists</summary>
${entryTable(entries)}
${mapTable(report, entries, manifest)}
</details>`)
}

/** The entries that the manifest names, by hook in the order of a packet's way. */
function entriesOf(report: ObjectReport, manifest: Manifest, object: string): DrawnEntry[] {
  return manifest.programs
    .filter((one) => one.object === object)
    .flatMap(({ entry, hook }) => {
      const program = report.programs.find(({ name }) => name === entry)
      return program === undefined ? [] : [{ hook, program }]
    })
    .sort((a, b) => HOOKS.indexOf(a.hook) - HOOKS.indexOf(b.hook))
}

/** What its programs ask the kernel to do. */
function helpers(entries: readonly DrawnEntry[]): Html {
  const groups = groupHelpers(entries.flatMap(({ program }) => program.helpers))
  const functions = [...new Set(entries.flatMap(({ program }) => program.kfuncs))]
  const all =
    functions.length === 0
      ? groups
      : [...groups, { does: 'Calls functions of the kernel', helpers: functions }]
  return html`<h3>What it asks the kernel for</h3>
${
  all.length === 0
    ? html`<p class="quiet">Nothing: it calls no helper, and only looks at the packet itself.</p>`
    : html`<dl class="helpers">${all.map(({ does, helpers: names }) => html`<div><dt>${does}</dt><dd>${names.map((name) => html`<code>${name}</code> `)}</dd></div>`)}</dl>`
}`
}

const codes = (names: readonly string[]): Html =>
  names.length === 0
    ? html`<span class="quiet">none</span>`
    : html`${names.map((name) => html`<code>${name}</code> `)}`

const entryTable = (entries: readonly DrawnEntry[]): Html => html`<h3>Entries</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Entries"><table><thead><tr><th scope="col">Entry</th><th scope="col">Hook</th><th scope="col" class="number">Instructions</th><th scope="col">Maps</th><th scope="col">Functions below it</th></tr></thead><tbody>${entries.map(
  ({ hook, program }) =>
    html`<tr><th scope="row"><code>${program.name}</code></th><td>${HOOK_WORDS[hook].name}</td><td class="number">${grouped(program.instructions)}</td><td>${codes(program.maps)}</td><td>${codes(program.subprograms)}${program.obstacles.map(({ message }) => html`<p class="warn">${icon('warning')} <bdi>${message}</bdi></p>`)}</td></tr>`,
)}</tbody></table></div>`

const ROLES = {
  state: 'state, kept across changes',
  config: 'configuration',
  metric: 'counts something',
} as const

function mapTable({ maps }: ObjectReport, entries: readonly DrawnEntry[], manifest: Manifest): Html {
  if (maps.length === 0)
    return html`<h3>Maps</h3><p class="quiet">None: it keeps nothing between packets.</p>`
  return html`<h3>Maps</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Maps"><table><thead><tr><th scope="col">Map</th><th scope="col">What it is</th><th scope="col">Room for</th><th scope="col" class="number">Memory when full</th><th scope="col">Role</th><th scope="col">Used by</th></tr></thead><tbody>${maps.map(
    (map) =>
      html`<tr><th scope="row"><code>${map.name}</code></th><td>${mapWords(map)}${map.kind === 'map' && html` <small class="quiet">${map.typeName}</small>`}</td><td>${mapSizes(map)}</td><td class="number">${mapMemory(map)}</td><td>${map.kind === 'rodata' ? 'read only' : ROLES[map.kind === 'map' ? mapRole(manifest, map.name) : 'state']}</td><td>${codes(entries.filter(({ program }) => program.maps.includes(map.name)).map(({ program }) => program.name))}</td></tr>`,
  )}</tbody></table></div>`
}
