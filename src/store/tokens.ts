import { Grant } from '../domain/access.ts'
import type { Tokens } from '../ports/tokens.ts'
import { audit, type Database } from './database.ts'

/** Tokens in the database. */
export function databaseTokens({ prisma, transact }: Database): Tokens {
  return {
    any: async () => (await prisma.token.findFirst({ select: { id: true } })) !== null,
    add: (token, by) =>
      transact(async (transaction) => {
        const { id } = await transaction.token.create({
          data: {
            hash: new Uint8Array(token.hash),
            grant: token.grant,
            note: token.note,
            expiresAt: token.expiresAt ?? null,
          },
        })
        await audit(transaction, by, 'token.create', id, { grant: token.grant })
        return id
      }),
    find: async (hash) => {
      const row = await prisma.token.findUnique({ where: { hash: new Uint8Array(hash) } })
      if (row === null) return undefined
      return {
        id: row.id,
        hash: Buffer.from(row.hash),
        grant: Grant.parse(row.grant),
        expiresAt: row.expiresAt ?? undefined,
      }
    },
    addJoinToken: (token, by) =>
      transact(async (transaction) => {
        const { id } = await transaction.joinToken.create({
          data: { hash: new Uint8Array(token.hash), maxUses: token.maxUses, expiresAt: token.expiresAt },
        })
        await audit(transaction, by, 'join-token.create', id, { maxUses: token.maxUses })
      }),
  }
}
