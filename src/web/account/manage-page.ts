import type { Actor } from '../../domain/account.ts'
import { Version } from '../../domain/names.ts'
import { ChannelName, Message, Visibility } from '../../domain/release.ts'
import type { Services } from '../../http/services.ts'
import { hasRight, readableBy } from '../../registry/access.ts'
import { programUrl } from '../catalog/program-list.ts'
import { attempt, doneNotice, type Refused, refusalNotice } from '../form.ts'
import { html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { channels, deprecation, releases, visibilitySection } from './manage-sections.ts'

type Needed = Pick<Services, 'catalog' | 'lifecycle'>

/** Something that becomes of a program: the form where refusals are shown, and what is said afterwards. */
interface Action {
  readonly right?: 'program-manage'
  readonly form?: (form: URLSearchParams) => string
  readonly done: string
  readonly act: (services: Needed, program: string, form: URLSearchParams, by: Actor) => Promise<void>
}

/** Forms of the page that are about no field, such as those of a row. */
const ROW = 'row'
const versionOf = (form: URLSearchParams): string => field(form, 'version', Version)
const messageOf = (form: URLSearchParams): string => field(form, 'message', Message)
/** A program, or the release that a form names. */
const subjectOf = (program: string, form: URLSearchParams) => ({
  ...{ program, version: form.has('version') ? versionOf(form) : undefined },
})
/** Name of a form that is there for each release, and once for all of them. */
const ofRelease =
  (what: string) =>
  (form: URLSearchParams): string =>
    form.has('version') ? `${what}-${form.get('version')}` : what

/** What becomes of programs, by the last part of its address. */
const ACTIONS: Readonly<Record<string, Action>> = {
  yank: {
    form: ofRelease('yank'),
    done: 'Yanked. Ranges take another release wherever one fits.',
    act: ({ lifecycle }, program, form, by) => lifecycle.yank(program, versionOf(form), messageOf(form), by),
  },
  unyank: {
    done: 'Offered again.',
    act: ({ lifecycle }, program, form, by) => lifecycle.yank(program, versionOf(form), undefined, by),
  },
  deprecate: {
    form: ofRelease('deprecate'),
    done: 'Deprecated. Everybody who looks is told, and nothing else changes.',
    act: ({ lifecycle }, program, form, by) =>
      lifecycle.deprecate(subjectOf(program, form), messageOf(form), by),
  },
  undeprecate: {
    done: 'The deprecation is taken back.',
    act: ({ lifecycle }, program, form, by) => lifecycle.deprecate(subjectOf(program, form), undefined, by),
  },
  channel: {
    form: () => 'channel',
    done: 'The channel points there now.',
    act: ({ lifecycle }, program, form, by) =>
      lifecycle.setChannel(program, field(form, 'channel', ChannelName), versionOf(form), by),
  },
  unchannel: {
    done: 'The channel is gone.',
    act: ({ lifecycle }, program, form, by) =>
      lifecycle.removeChannel(program, field(form, 'channel', ChannelName), by),
  },
  visibility: {
    right: 'program-manage',
    done: 'Done. Who may read the program has changed.',
    act: ({ catalog }, program, form, by) =>
      catalog.setVisibility(program, field(form, 'visibility', Visibility), by),
  },
}
const DONE = Object.fromEntries(Object.entries(ACTIONS).map(([name, { done }]) => [name, done]))

/** What becomes of a program and its releases, by those who publish it; who may read it, by owners. */
export function managePage(site: Site, services: Needed): void {
  const { catalog } = services
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
${refusalNotice(ROW, refused)}
<section aria-labelledby="releases"><h2 id="releases">Releases</h2>
${releases(managed, refused)}</section>
<section aria-labelledby="channels"><h2 id="channels">Channels</h2>${channels(managed, refused)}</section>
<section aria-labelledby="deprecation"><h2 id="deprecation">Deprecation</h2>${deprecation(managed, refused)}</section>
${managed.visibility !== undefined && visibilitySection(managed, managed.visibility)}
</div>`,
    }
  }
  const path = '/programs/:ns/:name/manage'
  site.get(path, 'program-yank', (visit) => show(visit))
  for (const [name, { right = 'program-yank', form = () => ROW, act }] of Object.entries(ACTIONS))
    site.post(`${path}/${name}`, right, (visit) =>
      attempt(
        { form: form(visit.form), typed: visit.form },
        async () => {
          await act(services, programOf(visit), visit.form, visit.actor)
          return { location: `${urlOf(visit)}?done=${name}` }
        },
        (refused) => show(visit, refused),
      ),
    )
}
