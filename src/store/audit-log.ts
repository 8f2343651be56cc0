import type { AuditRecord } from '../domain/audit.ts'
import type { AuditLog } from '../ports/audit-log.ts'
import type { Database } from './database.ts'
import type { Audit } from './generated/client.ts'

/** The audit in the database, whose rows nothing can change or delete. */
export function databaseAuditLog({ prisma }: Database): AuditLog {
  return {
    page: async ({ actor, action, subject, cursor, limit }, namespace) => {
      const rows = await prisma.audit.findMany({
        where: {
          ...(namespace === undefined ? {} : { namespace }),
          ...(actor === undefined ? {} : { actor }),
          ...(action === undefined
            ? {}
            : { action: action.endsWith('*') ? { startsWith: action.slice(0, -1) } : action }),
          ...(subject === undefined ? {} : { subject }),
          ...(cursor === undefined ? {} : { id: { lt: BigInt(cursor) } }),
        },
        orderBy: { id: 'desc' },
        take: limit + 1,
      })
      const records = rows.slice(0, limit).map(recordOf)
      const last = records.at(-1)
      return rows.length > limit && last !== undefined ? { records, next: last.id } : { records }
    },
  }
}

const recordOf = ({ id, at, actor, address, action, subject, before, after }: Audit): AuditRecord => ({
  ...{ id: String(id), at: at.toISOString(), actor, action, subject },
  ...(address === null ? {} : { address }),
  ...(before === null ? {} : { before }),
  ...(after === null ? {} : { after }),
})
