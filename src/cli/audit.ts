import type { AuditRequest } from '../domain/audit.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { timeText } from './terminal.ts'

/** Shows who changed what. */
export async function audit(
  {
    url,
    token,
    tokenFile,
    namespace,
    ...request
  }: RegistryFlags & AuditRequest & { namespace?: string | undefined },
  { io }: Context,
): Promise<Outcome> {
  const page = await (await connectWithToken(io, { url, token, tokenFile })).audit(request, namespace)
  const rows = page.records.map(({ at, actor, address, action, subject, before, after }) => [
    ...[timeText(at), actor, address ?? '', action, subject],
    [before, after].map((side) => (side === undefined ? '' : JSON.stringify(side))).join(' → '),
  ])
  const head = ['at', 'actor', 'from', 'action', 'subject', 'before → after']
  const more = page.next === undefined ? [] : [`next page: --cursor ${page.next}`]
  if (rows.length === 0) return { json: page, text: 'no records' }
  return { json: page, text: [renderTable(io, head, rows), ...more].join('\n') }
}
