import { type AuditRecord, AuditRequest } from '../../domain/audit.ts'
import type { Services } from '../../http/services.ts'
import { type Html, html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { namespaceHead, namespaceUrl } from './namespace-tabs.ts'

/** Every change of a namespace, its programs and members, for its owners; the newest first. */
export function auditPage(
  site: Site,
  { auditLog, namespaces }: Pick<Services, 'auditLog' | 'namespaces'>,
): void {
  site.get('/namespaces/:ns/audit', 'namespace-manage', async (visit: Visit): Promise<Page> => {
    const namespace = visit.params['ns'] ?? ''
    await namespaces.view(namespace)
    const cursor = AuditRequest.shape.cursor.safeParse(visit.query.get('cursor') ?? undefined).data
    const asked = AuditRequest.parse(cursor === undefined ? {} : { cursor })
    const { records, next } = await auditLog.page(asked, namespace)
    return {
      title: `Audit of ${namespace}`,
      section: 'programs',
      canonical: namespaceUrl(namespace, '/audit'),
      main: html`<div class="wide">
${namespaceHead(namespace, '/audit', visit.actor)}
<p class="quiet">Every change, who made it and from where. Nothing here can be changed or deleted.</p>
${records.length === 0 ? html`<p class="empty">No more.</p>` : recordTable(records)}
<p class="more">${cursor !== undefined && html`<a href="${namespaceUrl(namespace, '/audit')}">Newest</a> `}${next !== undefined && html`<a rel="next" href="${namespaceUrl(namespace, '/audit')}?cursor=${next}">Older</a>`}</p>
</div>`,
    }
  })
}

const recordTable = (records: readonly AuditRecord[]): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Changes"><table class="rows audited">
<thead><tr><th scope="col">When (UTC)</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Of</th><th scope="col">Before and after</th></tr></thead>
<tbody>${records.map(
    ({ at, actor, address, action, subject, before, after }) => html`<tr>
<td class="when"><time datetime="${at}">${at.slice(0, 19).replace('T', ' ')}</time></td>
<td><bdi>${actor}</bdi>${address !== undefined && html`<br><small class="quiet">${address}</small>`}</td>
<td>${action}</td><td class="words"><bdi>${subject}</bdi></td>
<td>${
      (before !== undefined || after !== undefined) &&
      html`<details><summary>Show</summary>${changeText('before', before)}${changeText('after', after)}</details>`
    }</td></tr>`,
  )}</tbody></table></div>`

const changeText = (name: string, value: unknown): Html | false =>
  value !== undefined && html`<p class="value"><b>${name}</b> <code>${JSON.stringify(value)}</code></p>`
