import { LIMITS } from '../domain/limits.ts'
import { Version } from '../domain/names.ts'
import { ChannelName, Message, type ProgramView, Visibility } from '../domain/release.ts'
import type { Services } from '../http/services.ts'
import { hasRight, readableBy } from '../registry/access.ts'
import { attempt, confirmForm, doneNotice, formFields, type Refused } from './form.ts'
import { type Html, html } from './html.ts'
import type { Page, Visit } from './page.ts'
import { programUrl, releaseUrl } from './program-list.ts'
import { field, type Site, signedIn } from './site.ts'
import { counted, dayOf } from './text.ts'

const DONE = {
  yanked: 'Yanked. Ranges take another release wherever one fits.',
  unyanked: 'Offered again.',
  deprecated: 'Deprecated. Everybody who looks is told, and nothing else changes.',
  undeprecated: 'The deprecation is taken back.',
  channel: 'The channel points there now.',
  unchannel: 'The channel is gone.',
  visibility: 'Done. Who may read the program has changed.',
}
/** Releases that are shown at first. */
const SHOWN = 20

/** What a page of this kind is about. */
interface Managed {
  readonly view: ProgramView
  readonly url: string
  readonly visibility: Visibility | undefined
}

/** What becomes of a program and its releases, by those who publish it; who may read it, by owners. */
export function managePage(
  site: Site,
  { catalog, lifecycle }: Pick<Services, 'catalog' | 'lifecycle'>,
): void {
  const programOf = ({ params }: Visit): string => `${params['ns']}/${params['name']}`
  const urlOf = (visit: Visit): string => `${programUrl(programOf(visit))}/manage`
  const show = async (visit: Visit, refused?: Refused): Promise<Page> => {
    const actor = signedIn(visit)
    const { ns, name } = visit.params
    const program = programOf(visit)
    // the right to manage it is that of a member, whatever else the token may read
    const view = await catalog.program(program, [...readableBy(actor), program])
    const owner = hasRight(actor, 'program-manage', { ns, name })
    const [standing] = owner ? await catalog.standings([program], 1) : []
    const managed = { view, url: urlOf(visit), visibility: standing?.visibility }
    return {
      title: `Manage ${program}`,
      section: 'programs',
      canonical: urlOf(visit),
      main: html`<div class="wide">
<p class="trail"><a href="${programUrl(program)}">${program}</a></p>
<h1>Manage ${program}</h1>
${doneNotice(visit.query, DONE)}
${view.quarantined !== undefined && html`<p class="notice bad" dir="auto"><b>Quarantined by the administrators:</b> ${view.quarantined}</p>`}
${formFields('row', refused).problem()}
<section aria-labelledby="releases"><h2 id="releases">Releases</h2>
${releases(managed, refused)}</section>
<section aria-labelledby="channels"><h2 id="channels">Channels</h2>${channels(managed, refused)}</section>
<section aria-labelledby="deprecation"><h2 id="deprecation">Deprecation</h2>${deprecation(managed, refused)}</section>
${managed.visibility !== undefined && visibilitySection(managed, managed.visibility)}
</div>`,
    }
  }
  const act =
    (done: string, form: (visit: Visit) => string, doIt: (visit: Visit, program: string) => Promise<void>) =>
    (visit: Visit) =>
      attempt(
        { form: form(visit), typed: visit.form },
        async () => {
          await doIt(visit, programOf(visit))
          return { location: `${urlOf(visit)}?done=${done}` }
        },
        (refused) => show(visit, refused),
      )
  const path = '/programs/:ns/:name/manage'
  const versionOf = ({ form }: Visit): string => field(form, 'version', Version)
  const messageOf = ({ form }: Visit): string => field(form, 'message', Message)
  const optionalVersion = ({ form }: Visit): string | undefined =>
    form.has('version') ? field(form, 'version', Version) : undefined
  const ofRelease =
    (what: string) =>
    ({ form }: Visit): string =>
      form.has('version') ? `${what}-${form.get('version')}` : what
  const row = (): string => 'row'
  site.get(path, 'program-yank', (visit) => show(visit))
  site.post(
    `${path}/yank`,
    'program-yank',
    act('yanked', ofRelease('yank'), (visit, program) =>
      lifecycle.yank(program, versionOf(visit), messageOf(visit), visit.actor),
    ),
  )
  site.post(
    `${path}/unyank`,
    'program-yank',
    act('unyanked', row, (visit, program) =>
      lifecycle.yank(program, versionOf(visit), undefined, visit.actor),
    ),
  )
  site.post(
    `${path}/deprecate`,
    'program-yank',
    act('deprecated', ofRelease('deprecate'), (visit, program) =>
      lifecycle.deprecate({ program, version: optionalVersion(visit) }, messageOf(visit), visit.actor),
    ),
  )
  site.post(
    `${path}/undeprecate`,
    'program-yank',
    act('undeprecated', row, (visit, program) =>
      lifecycle.deprecate({ program, version: optionalVersion(visit) }, undefined, visit.actor),
    ),
  )
  site.post(
    `${path}/channel`,
    'program-yank',
    act(
      'channel',
      () => 'channel',
      (visit, program) => {
        const channel = field(visit.form, 'channel', ChannelName)
        return lifecycle.setChannel(program, channel, versionOf(visit), visit.actor)
      },
    ),
  )
  site.post(
    `${path}/unchannel`,
    'program-yank',
    act('unchannel', row, (visit, program) =>
      lifecycle.removeChannel(program, field(visit.form, 'channel', ChannelName), visit.actor),
    ),
  )
  site.post(
    `${path}/visibility`,
    'program-manage',
    act('visibility', row, (visit, program) =>
      catalog.setVisibility(program, field(visit.form, 'visibility', Visibility), visit.actor),
    ),
  )
}

type Release = ProgramView['versions'][number]

function releases(managed: Managed, refused: Refused | undefined): Html {
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

function channels(
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

const deprecation = ({ view: { deprecated }, url }: Managed, refused: Refused | undefined): Html =>
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

const visibilitySection = ({ url }: Managed, visibility: Visibility): Html =>
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
