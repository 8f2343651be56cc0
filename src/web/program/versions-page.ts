import { programPath, releasePath } from '../../domain/names.ts'
import type { ProgramView } from '../../domain/release.ts'
import { signerText } from '../../domain/signer.ts'
import type { Services } from '../../http/services.ts'
import { signerLine } from '../catalog/signer-line.ts'
import { type Content, type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Site } from '../site.ts'
import { ago, dayOf, grouped } from '../text.ts'
import { feedPath, programPage, type Shown, shownBy } from './program-frame.ts'

/** Address of a comparison of two releases. */
const comparePath = (program: string, from: string, to: string): string =>
  `${programPath(program)}/compare?${new URLSearchParams({ from, to })}`

/** All versions of a program by precedence, with what was said about each. */
export function versionsPage(site: Site, { catalog }: Pick<Services, 'catalog'>): void {
  site.get('/programs/:ns/:name/versions', 'anyone', async (visit) => {
    const shown = await shownBy(visit, catalog)
    const { versions } = shown.details.view
    const rows = versions.map((version, at) => versionRow(shown, version, versions[at + 1], visit.now))
    const main = html`<p class="above"><a href="${feedPath(shown.program)}">${icon('feed')} Feed of new releases</a></p>
<div class="scroll" tabindex="0" role="region" aria-label="Versions"><table class="versions"><thead><tr><th scope="col">Version</th><th scope="col">Published</th><th scope="col">Signed by</th><th scope="col" class="number">Downloads</th><th scope="col"><span class="unseen">Compare</span></th></tr></thead><tbody>${rows}</tbody></table></div>`
    return programPage(shown, 'versions', visit.now, main)
  })
}

type VersionView = ProgramView['versions'][number]

function versionRow(
  { program, details }: Shown,
  version: VersionView,
  before: VersionView | undefined,
  now: Date,
): Html {
  const channels = Object.entries(details.view.channels).filter(([, of]) => of === version.version)
  const other = before !== undefined && signerText(before.signer) !== signerText(version.signer)
  return html`<tr${version.yanked !== undefined && html` class="yanked"`}><th scope="row"><a href="${releasePath(program, version.version)}">${version.version}</a>${channels.map(([name]) => html` <span class="tag">${name}</span>`)}${standings(details, version)}</th>
<td><time datetime="${version.publishedAt}" title="${version.publishedAt}">${ago(version.publishedAt, now)}</time></td>
<td>${signerLine(version.signer)}${other && html`<p class="warn">${icon('warning')} another signer than ${before.version}</p>`}</td>
<td class="number">${grouped(details.downloadsOf.get(version.version) ?? 0)}</td>
<td>${before !== undefined && html`<a href="${comparePath(program, before.version, version.version)}">Compare with ${before.version}</a>`}</td></tr>`
}

const standings = ({ markedAt }: Shown['details'], version: VersionView): Content =>
  (['revoked', 'quarantined', 'yanked', 'deprecated'] as const).map((mark) => {
    const why = version[mark]
    if (why === undefined) return undefined
    const at = markedAt(mark, version.version)
    return html`<p class="${mark === 'deprecated' ? 'warn' : 'bad'}">${mark}${at !== undefined && html` <time datetime="${at}">${dayOf(at)}</time>`}: <bdi>${why}</bdi></p>`
  })
