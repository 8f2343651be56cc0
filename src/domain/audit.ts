import { z } from 'zod'
import { LIMITS } from './limits.ts'

const Filter = z
  .string()
  .regex(/^[ -~]+$/)
  .max(LIMITS.audit_filter_chars)
  .optional()

/** Which records: `action` may end in `*`. `cursor` is the number of the last record seen. */
export const AuditRequest = z.strictObject({
  actor: Filter,
  action: Filter,
  subject: Filter,
  cursor: z
    .string()
    .regex(/^[0-9]{1,18}$/)
    .optional(),
  limit: z.int().min(1).max(LIMITS.page_items).default(50),
})
export type AuditRequest = z.infer<typeof AuditRequest>

/** Who changed what: `person:ada`, `robot:acme.ci`, `node:edge-1`, `anonymous` for the registry itself and whoever joins. */
export const AuditRecord = z.strictObject({
  id: z.string(),
  at: z.iso.datetime(),
  actor: z.string(),
  address: z.string().optional(),
  action: z.string(),
  subject: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
})
export type AuditRecord = z.infer<typeof AuditRecord>

/** Records, the newest first; `next` is the cursor of the page behind. */
export const AuditPage = z.strictObject({ records: z.array(AuditRecord), next: z.string().optional() })
export type AuditPage = z.infer<typeof AuditPage>
