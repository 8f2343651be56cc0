import { LIMITS } from '../../domain/limits.ts'
import { Version } from '../../domain/names.ts'
import { Message, ReportReason } from '../../domain/release.ts'
import type { Services } from '../../http/services.ts'
import { readableBy } from '../../registry/access.ts'
import { attempt, formFields, type Refused } from '../form.ts'
import { html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { programUrl } from './program-list.ts'

const REASONS = [
  { value: 'malware', label: 'It does harm' },
  { value: 'vulnerability', label: 'It has a weakness that others can use' },
  { value: 'licence', label: 'Its licence is not what it says, or not respected' },
  { value: 'name', label: 'Its name passes for somebody else’s' },
  { value: 'other', label: 'Something else' },
] as const satisfies readonly { value: (typeof ReportReason.options)[number]; label: string }[]

/** Reporting a program, or one release, to the administrators. */
export function reportPage(
  site: Site,
  { catalog, lifecycle }: Pick<Services, 'catalog' | 'lifecycle'>,
): void {
  const show = async (visit: Visit, refused?: Refused): Promise<Page> => {
    const program = `${visit.params['ns']}/${visit.params['name']}`
    const { versions } = await catalog.program(program, readableBy(visit.actor))
    const fields = formFields('report', refused)
    const asked = visit.query.get('version') ?? ''
    return {
      title: `Report ${program}`,
      section: 'programs',
      canonical: `${programUrl(program)}/report`,
      main: html`<div class="wide narrow">
<p class="trail"><a href="${programUrl(program)}">${program}</a></p>
<h1>Report ${program}</h1>
<p class="lead">The administrators of this registry read it. They can quarantine a program, which takes it away from everybody at once.</p>
<form method="post" action="${programUrl(program)}/report" class="form">
${fields.problem()}
${fields.select({ name: 'version', label: 'Which release', value: asked }, [
  { value: '', label: 'All of it' },
  ...versions.map(({ version }) => ({ value: version, label: version })),
])}
${fields.select({ name: 'reason', label: 'What is wrong' }, REASONS)}
${fields.area({ name: 'text', label: 'What you saw', rows: 6, most: LIMITS.message_chars, hint: 'So that somebody else can find it again. Your account’s name goes with it.' })}
<div><button>Send the report</button></div></form>
</div>`,
    }
  }
  const path = '/programs/:ns/:name/report'
  site.get(path, 'account', (visit) => show(visit))
  site.post(path, 'account', (visit) =>
    attempt(
      { form: 'report', typed: visit.form },
      async () => {
        const holder = signedIn(visit)
        const { form } = visit
        const version = form.get('version') || undefined
        const request = {
          program: `${visit.params['ns']}/${visit.params['name']}`,
          ...(version === undefined ? {} : { version: field(form, 'version', Version) }),
          reason: field(form, 'reason', ReportReason),
          text: field(form, 'text', Message),
        }
        await lifecycle.report(request, holder.account.name, readableBy(holder), holder)
        return { location: '/me?done=reported' }
      },
      (refused) => show(visit, refused),
    ),
  )
}
