import { z } from 'zod'
import { AuditPage, AuditRequest } from '../domain/audit.ts'
import { LIMITS } from '../domain/limits.ts'
import { Name } from '../domain/names.ts'
import { type App, described } from './route.ts'
import type { Services } from './services.ts'

const Query = z.strictObject({
  ...AuditRequest.shape,
  limit: z.coerce.number().int().min(1).max(LIMITS.page_items).default(50),
})
const tags = ['audit']

/** Who changed what. */
export function auditRoutes(app: App, { auditLog, namespaces }: Services): void {
  app.get(
    '/api/v1/audit',
    described(
      'admin',
      { operationId: 'readAudit', tags, summary: 'Every change: who, from where, what was before and after' },
      { querystring: Query, response: { 200: AuditPage } },
    ),
    ({ query }) => auditLog.page(query, undefined),
  )
  app.get(
    '/api/v1/namespaces/:ns/audit',
    described(
      'namespace-manage',
      {
        operationId: 'readNamespaceAudit',
        tags,
        summary: 'Every change of a namespace, its programs and members',
      },
      { params: z.strictObject({ ns: Name }), querystring: Query, response: { 200: AuditPage } },
    ),
    async ({ params: { ns }, query }) => {
      await namespaces.view(ns)
      return auditLog.page(query, ns)
    },
  )
}
