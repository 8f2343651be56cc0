import { type ProgramId, programPath, releasePath } from '../../domain/names.ts'
import type { FoundProgram } from '../../domain/search.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { ago, counted, short } from '../text.ts'
import { hookTag } from './packet-path.ts'

/** Address of a program's page. */
export const programUrl = programPath

/** Address of a release's page. */
export const releaseUrl = releasePath

/** Programs one below the other, each with what one chooses by; those of `locked` are not for everybody. */
export const programList = (
  programs: readonly FoundProgram[],
  now: Date,
  locked: ReadonlySet<ProgramId> = new Set(),
): Html =>
  html`<ul class="programs">${programs.map((program) => programItem(program, now, locked.has(program.program)))}</ul>`

function programItem(
  {
    program,
    latest,
    summary,
    hooks,
    license,
    kernel,
    signed,
    verified,
    downloads,
    updatedAt,
    deprecated,
  }: FoundProgram,
  now: Date,
  locked: boolean,
): Html {
  const [namespace, name] = program.split('/')
  return html`<li class="program">
<h3><a href="${programUrl(program)}"><span class="of">${namespace}/</span><wbr>${name}</a> <span class="version">${latest}</span>${locked && html` ${icon('lock', 'private: for members only')}`}</h3>
<p dir="auto">${summary}</p>
<ul class="facts">
${deprecated !== undefined && html`<li class="warn">${icon('warning')}deprecated</li>`}
${hooks.map((hook) => html`<li>${hookTag(hook)}</li>`)}
${verified && html`<li title="its namespace proved whose it is">${icon('verified')}verified</li>`}
${signed === 'identity' && html`<li title="signed by a pipeline’s identity">${icon('key')}identity</li>`}
<li>${license}</li>
${kernel !== undefined && html`<li>Linux ${kernel}+</li>`}
<li title="${counted(downloads, 'download')}">${icon('download')}${short(downloads)}</li>
<li>${icon('clock')}<time datetime="${updatedAt}">${ago(updatedAt, now)}</time></li>
</ul>
</li>`
}
