import { DomainError } from '../domain/errors.ts'
import { JoinLabels, type JoinTokenView } from '../domain/token.ts'
import type { Nodes } from '../ports/nodes.ts'
import { actorName, audit, type Database } from './database.ts'
import type { JoinToken } from './generated/client.ts'

/** Keeps a join token; see {@link Nodes.addJoinToken}. */
export const addJoinToken = (
  { transact }: Database,
  ...[token, by]: Parameters<Nodes['addJoinToken']>
): Promise<string> =>
  transact(async (transaction) => {
    const { id } = await transaction.joinToken.create({
      data: { ...token, hash: new Uint8Array(token.hash), createdBy: actorName(by) },
    })
    const { hash: _, expiresAt, ...allowed } = token
    await audit(transaction, by, 'join-token.create', id, {
      after: { ...allowed, expiresAt: expiresAt.toISOString() },
    })
    return id
  })

/** The join tokens that still are good; see {@link Nodes.joinTokens}. */
export async function joinTokens(
  { prisma }: Database,
  ...[now, limit]: Parameters<Nodes['joinTokens']>
): Promise<JoinTokenView[]> {
  const rows = await prisma.joinToken.findMany({
    where: { expiresAt: { gt: now }, uses: { lt: prisma.joinToken.fields.maxUses } },
    ...{ orderBy: [{ createdAt: 'desc' }, { id: 'desc' }], take: limit },
  })
  return rows.map(viewOf)
}

/** Ends a join token; see {@link Nodes.revokeJoinToken}. */
export const revokeJoinToken = (
  { transact }: Database,
  ...[id, by]: Parameters<Nodes['revokeJoinToken']>
): Promise<void> =>
  transact(async (transaction) => {
    const { count } = await transaction.joinToken.deleteMany({ where: { id } })
    if (count === 0) throw new DomainError('not_found', `there is no join token ${id}`)
    await audit(transaction, by, 'join-token.revoke', id)
  })

const viewOf = ({ labels, freeLabels, ...row }: JoinToken): JoinTokenView => ({
  ...{ id: row.id, maxUses: row.maxUses, uses: row.uses },
  ...JoinLabels.parse({ labels, freeLabels }),
  ...(row.createdBy === null ? {} : { createdBy: row.createdBy }),
  ...{ createdAt: row.createdAt.toISOString(), expiresAt: row.expiresAt.toISOString() },
})
