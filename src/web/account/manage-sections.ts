import { LIMITS } from '../../domain/limits.ts'
import type { ProgramView, Visibility } from '../../domain/release.ts'
import { releaseUrl } from '../catalog/program-list.ts'
import { confirmForm, formFields, type Refused } from '../form.ts'
import { type Html, html } from '../html.ts'
import { counted, dayOf } from '../text.ts'

/** Releases that are shown at first. */
const SHOWN = 20

/** The program that is managed: `url` is that of the page; `visibility` is for those who may change it. */
export interface Managed {
  readonly view: ProgramView
  readonly url: string
  readonly visibility: Visibility | undefined
}

type Release = ProgramView['versions'][number]

/** The releases of a program, each with what can become of it. */
export function releases(managed: Managed, refused: Refused | undefined): Html {
  const { versions } = managed.view
  if (versions.length === 0) return html`<p>All releases were deleted.</p>`
  const table = (some: readonly Release[]): Html =>
    html`<div class="scroll" tabindex="0" role="region" aria-label="Releases, table"><table class="rows"><thead><tr><th scope="col">Release</th><th scope="col">Published</th><th scope="col">Standing</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead><tbody>${some.map((release) => releaseRow(managed, release, refused))}</tbody></table></div>`
  const rest = versions.slice(SHOWN)
  return html`${table(versions.slice(0, SHOWN))}${rest.length > 0 && html`<details><summary>${counted(rest.length, 'older release')}</summary>${table(rest)}</details>`}`
}

function releaseRow(
  { view: { program }, url }: Managed,
  { version, publishedAt, yanked, deprecated, quarantined }: Release,
  refused: Refused | undefined,
): Html {
  return html`<tr><th scope="row"><a href="${releaseUrl(program, version)}">${version}</a></th>
<td><time datetime="${publishedAt}">${dayOf(publishedAt)}</time></td>
<td class="words">${quarantined !== undefined && html`<span class="tag bad">quarantined</span> <span dir="auto">${quarantined}</span> `}${yanked !== undefined && html`<span class="tag warn">yanked</span> <span dir="auto">${yanked}</span> `}${deprecated !== undefined && html`<span class="tag warn">deprecated</span> <span dir="auto">${deprecated}</span>`}${quarantined === undefined && yanked === undefined && deprecated === undefined && 'good'}</td>
<td><div class="acts">${
    yanked === undefined
      ? messageForm({
          ...{
            form: `yank-${version}`,
            open: 'Yank',
            action: `${url}/yank`,
            button: `Yank ${version}`,
            version,
          },
          ...{ refused, hint: 'Why, for everybody who looks.' },
          words:
            'Ranges take another release wherever one fits; who names this version exactly still gets it. Its bytes stay.',
        })
      : confirmForm({
          ...{
            open: 'Unyank',
            action: `${url}/unyank`,
            button: `Offer ${version} again`,
            hidden: { version },
          },
          words: 'Ranges take it again where it is the newest that fits.',
        })
  }${
    deprecated === undefined
      ? messageForm({
          ...{ form: `deprecate-${version}`, open: 'Deprecate', action: `${url}/deprecate` },
          ...{ button: `Deprecate ${version}`, version, refused, hint: 'Why, and what to use instead.' },
          words: 'It works as before; everybody who looks is told.',
        })
      : confirmForm({
          ...{
            open: 'Undeprecate',
            action: `${url}/undeprecate`,
            button: 'Take it back',
            hidden: { version },
          },
          words: 'The warning goes away.',
        })
  }</div></td></tr>`
}

/** A form that asks for words to everybody, and says what it does. */
function messageForm({
  form,
  open,
  words,
  action,
  button,
  version,
  hint,
  refused,
}: {
  form: string
  open: string
  words: string
  action: string
  button: string
  version?: string
  hint: string
  refused: Refused | undefined
}): Html {
  const fields = formFields(form, refused)
  return html`<details class="confirm"${refused?.form === form && html` open`}><summary>${open}</summary><form method="post" action="${action}" class="form"><p>${words}</p>
${fields.problem()}${version !== undefined && html`<input type="hidden" name="version" value="${version}">`}
${fields.area({ name: 'message', label: 'Message', rows: 2, most: LIMITS.message_chars, hint })}
<div><button class="danger">${button}</button></div></form></details>`
}

/** Its channels, and a form that points one. */
export function channels(
  { view: { program, channels: points, versions }, url }: Managed,
  refused: Refused | undefined,
): Html {
  const fields = formFields('channel', refused)
  const named = Object.entries(points)
  return html`<p class="quiet">Movable names for people and their commands, such as <code>${program}@stable</code>. Orders to nodes cannot name one.</p>
${named.length > 0 && html`<ul class="plain-list">${named.map(([channel, version]) => html`<li><span><b>${channel}</b> is ${version}</span> ${confirmForm({ open: 'Remove', action: `${url}/unchannel`, hidden: { channel }, words: 'The name means nothing from then on. Releases stay.', button: 'Remove the channel' })}</li>`)}</ul>`}
${
  versions.length > 0 &&
  html`<details class="confirm"${refused?.form === 'channel' && html` open`}><summary>Point a channel</summary><form method="post" action="${url}/channel" class="form">
${fields.problem()}
${fields.text({ name: 'channel', label: 'Channel', required: true, most: 39, hint: 'One that is there moves; another is made.' })}
${fields.select(
  { name: 'version', label: 'To' },
  versions.map(({ version }) => ({ value: version, label: version })),
)}
<div><button>Point it there</button></div></form></details>`
}`
}

/** Whether all of it is deprecated, and the form for that. */
export const deprecation = ({ view: { deprecated }, url }: Managed, refused: Refused | undefined): Html =>
  deprecated === undefined
    ? messageForm({
        ...{ form: 'deprecate', open: 'Deprecate the whole program', action: `${url}/deprecate` },
        ...{ button: 'Deprecate the program', refused, hint: 'Why, and what to use instead.' },
        words: 'All of it works as before; everybody who looks, searches or resolves it is told.',
      })
    : html`<p class="notice warn" dir="auto">${deprecated}</p>${confirmForm({
        ...{ open: 'Take it back', action: `${url}/undeprecate`, button: 'Take it back' },
        words: 'The warning goes away.',
      })}`

/** Who may read it, and a form that changes that. */
export const visibilitySection = ({ url }: Managed, visibility: Visibility): Html =>
  html`<section aria-labelledby="visibility"><h2 id="visibility">Who may read it</h2><p>${
    visibility === 'public'
      ? 'Everybody may read it.'
      : 'Members of the namespace may read it, and the nodes that run it.'
  }</p>${
    visibility === 'public'
      ? confirmForm({
          ...{ open: 'Make it private', action: `${url}/visibility`, button: 'Make it private' },
          hidden: { visibility: 'private' },
          words: 'Only members and the nodes that run it get it from then on. Who has it already keeps it.',
        })
      : confirmForm({
          ...{ open: 'Make it public', action: `${url}/visibility`, button: 'Make it public' },
          hidden: { visibility: 'public' },
          words: 'Everybody may read it and all its releases from then on, and may keep them.',
        })
  }</section>`
