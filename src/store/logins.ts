import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { type LoginAttempt, LoginRequest, PageLoginRequest } from '../domain/login.ts'
import type { Logins } from '../ports/logins.ts'
import { accountOf, addAccount } from './accounts.ts'
import { audit, type Database } from './database.ts'

const Attempt = z.object({
  request: z.union([LoginRequest, PageLoginRequest]),
  ...{ nonce: z.string(), verifier: z.string(), browser: z.string() },
})

/** Logins in the database: a login may begin at one registry and end at another. */
export function databaseLogins({ prisma, transact }: Database): Logins {
  const bytes = (buffer: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(buffer)
  return {
    begin: async (state, attempt, expiresAt) => {
      await prisma.loginAttempt.deleteMany({ where: { expiresAt: { lt: new Date() } } })
      const data = { state: bytes(state), attempt: JSON.parse(JSON.stringify(attempt)), expiresAt }
      await prisma.loginAttempt.create({ data })
    },
    take: async (state, now) => {
      const [row] = await prisma.$queryRaw<{ attempt: LoginAttempt; expires_at: Date }[]>`
        DELETE FROM "login_attempt" WHERE "state" = ${bytes(state)} RETURNING "attempt", "expires_at"`
      return row === undefined || row.expires_at <= now ? undefined : Attempt.parse(row.attempt)
    },
    accountOf: ({ issuer, subject }, name, by) =>
      transact(async (transaction) => {
        const known = await transaction.accountLogin.findUnique({
          where: { issuer_subject: { issuer, subject } },
          include: { account: true },
        })
        if (known !== null) {
          const { account } = known
          if (account.disabledAt !== null)
            throw new DomainError('account_disabled', `account "${account.name}" is disabled`)
          return { id: account.id, name: account.name }
        }
        if (name === undefined)
          throw new DomainError('login_unknown', `no account is linked to "${subject}" of ${issuer}`)
        await addAccount(transaction, { name, kind: 'person', admin: false, fleet: 'none' }, by)
        const { id } = await accountOf(transaction, name)
        await transaction.accountLogin.create({ data: { issuer, subject, accountId: id } })
        await audit(transaction, by, 'account.link', name, { after: { issuer, subject } })
        return { id, name }
      }),
    addCode: async (hash, { id }, challenge, expiresAt) => {
      await prisma.loginCode.deleteMany({ where: { expiresAt: { lt: new Date() } } })
      await prisma.loginCode.create({ data: { hash: bytes(hash), accountId: id, challenge, expiresAt } })
    },
    takeCode: async (hash, now) => {
      const [row] = await prisma.$queryRaw<
        { id: string; name: string; challenge: string; expires_at: Date }[]
      >`
        DELETE FROM "login_code" USING "account" WHERE "hash" = ${bytes(hash)} AND "account"."id" = "account_id"
        RETURNING "account"."id", "account"."name", "challenge", "login_code"."expires_at"`
      if (row === undefined || row.expires_at <= now) return undefined
      return { account: { id: row.id, name: row.name }, challenge: row.challenge }
    },
    link: (name, issuer, subject, by) =>
      transact(async (transaction) => {
        const { id, kind } = await accountOf(transaction, name)
        if (kind !== 'person') throw new DomainError('not_found', `"${name}" is no person's account`)
        const known = await transaction.accountLogin.findUnique({
          where: { issuer_subject: { issuer, subject } },
          include: { account: { select: { name: true } } },
        })
        if (known !== null && known.account.name !== name)
          throw new DomainError('account_exists', `"${subject}" logs in as "${known.account.name}" already`)
        if (known !== null) return
        await transaction.accountLogin.create({ data: { issuer, subject, accountId: id } })
        await audit(transaction, by, 'account.link', name, { after: { issuer, subject } })
      }),
  }
}
