import { DomainError } from '../../domain/errors.ts'
import { kernelSeries, oldestKernel } from '../../domain/kernel-series.ts'
import { namespacePath, ProgramId, programPath, releasePath, Version } from '../../domain/names.ts'
import type { ReleaseView } from '../../domain/release.ts'
import type { Catalog, Mark, ProgramDetails, ReleaseDetails } from '../../ports/catalog.ts'
import { readableBy } from '../../registry/access.ts'
import { hookTag } from '../catalog/packet-path.ts'
import { signerLine } from '../catalog/signer-line.ts'
import { type Content, type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import { ago, dayOf, short } from '../text.ts'

/** A program and the release of it that is looked at. */
export interface Shown {
  readonly program: ProgramId
  readonly details: ProgramDetails
  readonly release: ReleaseView
  readonly manifest: ReleaseDetails['manifest']
  readonly findings: ReleaseDetails['findings']
  /** Whether nobody gets its bytes, so that pages do not show what is in them. */
  readonly withheld: boolean
}

/** The tabs of a program in their order; each is an address. */
const TABS = [
  { name: 'overview', label: 'Overview', at: releasePath },
  { name: 'contents', label: 'Contents', at: (...of) => `${releasePath(...of)}/contents` },
  { name: 'permissions', label: 'Permissions', at: (...of) => `${releasePath(...of)}/permissions` },
  { name: 'configuration', label: 'Configuration', at: (...of) => `${releasePath(...of)}/configuration` },
  { name: 'versions', label: 'Versions', at: (program) => `${programPath(program)}/versions` },
  { name: 'verify', label: 'Verify', at: (...of) => `${releasePath(...of)}/verify` },
] as const satisfies readonly {
  name: string
  label: string
  at: (program: ProgramId, version: string) => string
}[]
export type Tab = (typeof TABS)[number]['name']

/** The program that an address names. Throws `not_found`. */
function programOfPath({ params }: Visit): ProgramId {
  const program = ProgramId.safeParse(`${params['ns']}/${params['name']}`)
  if (program.success) return program.data
  throw new DomainError('not_found', `there is no program ${params['ns']}/${params['name']}`)
}

/** What is looked at: the release of the address, else the one that the program is shown by. Throws `not_found`, `version_not_found`. */
export async function shownBy(visit: Visit, catalog: Catalog): Promise<Shown> {
  const newestOf = ({ latest, view }: ProgramDetails): Promise<ReleaseDetails> => {
    if (latest === undefined)
      throw new DomainError('version_not_found', `${view.program} has no release any more: all were deleted`)
    return catalog.releaseDetails(view.program, latest, readable)
  }
  const program = programOfPath(visit)
  const readable = readableBy(visit.actor)
  const asked = visit.params['version']
  if (asked !== undefined && !Version.safeParse(asked).success)
    throw new DomainError('version_not_found', `there is no release ${program}@${asked}`)
  const [details, known] = await Promise.all([
    catalog.programDetails(program, readable),
    asked === undefined ? undefined : catalog.releaseDetails(program, asked, readable),
  ])
  const { release, manifest, findings } = known ?? (await newestOf(details))
  const withheld = release.quarantined !== undefined || details.view.quarantined !== undefined
  return { program, details, release, manifest, findings, withheld }
}

/** A page of a program: its header, its tabs, and what the tab shows. */
export function programPage(
  shown: Shown,
  tab: Tab,
  now: Date,
  main: Html,
  more: Partial<Pick<Page, 'canonical' | 'scripts'>> = {},
): Page {
  const { program, release } = shown
  const label = TABS.find(({ name }) => name === tab)?.label ?? ''
  const about = tab === 'overview' ? '' : `${label} of `
  return {
    title: `${about}${program} ${tab === 'versions' ? '' : release.version}`.trim(),
    description: release.summary,
    section: 'programs',
    feed: feedPath(program),
    ...more,
    main: html`<div class="wide of-program">
${header(shown, now)}
${tabs(shown, tab)}
${main}
</div>`,
  }
}

/** Address of the feed of a program's releases. */
export const feedPath = (program: ProgramId): string => `/feeds/${program}/releases.atom`

function header({ program, details, release, manifest }: Shown, now: Date): Html {
  const [namespace = '', name = ''] = program.split('/')
  const kernel = kernelSeries(oldestKernel(manifest.requires?.kernel))
  return html`<header class="about">
<h1><a class="of" href="${namespacePath(namespace)}">${namespace}/</a><wbr>${name} <span class="version">${release.version}</span>${details.visibility === 'private' && html` ${icon('lock', 'private: for members only')}`}</h1>
<p class="lead" dir="auto">${release.summary}</p>
<ul class="facts">
${release.hooks.map((hook) => html`<li>${hookTag(hook)}</li>`)}
${details.verified && html`<li title="its namespace proved whose it is"><a href="${namespacePath(namespace)}">${icon('verified')}verified</a></li>`}
<li>${manifest.license}</li>
<li>${kernel === undefined ? 'any kernel' : `Linux ${kernel}+`}</li>
<li>${icon('download')}${short(details.downloads)}<span class="unseen"> ${details.downloads === 1 ? 'download' : 'downloads'}</span></li>
<li>${icon('clock')}<time datetime="${release.publishedAt}">${ago(release.publishedAt, now)}</time></li>
<li>${signerLine(release.signer)}</li>
</ul>
${standing(details, release)}
</header>`
}

const STANDINGS: Readonly<Record<Mark, { look: string; means: string }>> = {
  revoked: { look: 'bad', means: 'Nodes stop running it, whatever asks for it.' },
  quarantined: { look: 'bad', means: 'Its namespace’s members see it, and nobody gets its bytes.' },
  yanked: { look: 'bad', means: 'Ranges take another release wherever one fits.' },
  deprecated: { look: 'warn', means: 'It works as before.' },
}

/** What was said about the program and the release, in words of who said it. */
function standing({ view, markedAt, latest }: ProgramDetails, release: ReleaseView): Content {
  const notice = (what: string, mark: Mark, why: string | undefined, at: string | undefined): Content => {
    if (why === undefined) return undefined
    const when = at !== undefined && html` on <time datetime="${at}">${dayOf(at)}</time>`
    return html`<div class="notice ${STANDINGS[mark].look}"><p><b>${what} was ${mark}${when}.</b> <bdi>${why}</bdi></p><p class="quiet">${STANDINGS[mark].means}</p></div>`
  }
  const newer = latest !== undefined && latest !== release.version && latest
  return [
    ...(['quarantined', 'deprecated'] as const).map((mark) =>
      notice('This program', mark, view[mark], markedAt(mark)),
    ),
    ...(['revoked', 'quarantined', 'yanked', 'deprecated'] as const).map((mark) =>
      notice(`Release ${release.version}`, mark, release[mark], markedAt(mark, release.version)),
    ),
    newer !== false &&
      html`<p class="elsewhere">You look at ${release.version}. This program is shown by <a href="${programPath(view.program)}">${newer}</a>.</p>`,
  ]
}

function tabs({ program, details, release }: Shown, current: Tab): Html {
  return html`<nav class="tabs" aria-label="About this program">${TABS.map(({ name, label, at }) => {
    // the newest has an address of its own, which always shows what is newest then
    const address =
      name === 'overview' && release.version === details.latest
        ? programPath(program)
        : at(program, release.version)
    return html`<a href="${address}"${name === current && html` aria-current="page"`}>${label}${name === 'versions' && html` <span class="count" aria-hidden="true">${details.view.versions.length}</span>`}</a>`
  })}</nav>`
}
