import type { AuditPage, AuditRequest } from '../domain/audit.ts'

/** Who changed what. It is written by the transactions that make the changes, and read here. */
export interface AuditLog {
  /** Records, the newest first; of one namespace where one is named. */
  page(request: AuditRequest, namespace: string | undefined): Promise<AuditPage>
}
