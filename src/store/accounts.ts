import {
  type AccountRequest,
  type AccountRights,
  type AccountView,
  type Actor,
  Scope,
} from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { lookOf } from '../domain/name-rules.ts'
import { workloadRights } from '../domain/trusted-publisher.ts'
import type { Accounts, NewStoredToken } from '../ports/accounts.ts'
import { audit, type Database, lockAccounts, lockOne, type Transaction } from './database.ts'
import type { Account, Prisma } from './generated/client.ts'

/** Accounts and their tokens in the database. */
export function databaseAccounts(database: Database): Accounts {
  const { prisma, transact } = database
  return {
    add: (request, by) => transact((transaction) => addAccount(transaction, request, by)),
    addFirst: (request, token) =>
      transact(async (transaction) => {
        await lockAccounts(transaction)
        if ((await transaction.account.findFirst({ select: { id: true } })) !== null) return false
        const by = { kind: 'anonymous' } as const
        const { name } = await addAccount(transaction, request, by)
        await addToken(transaction, { ...token, account: name }, by)
        return true
      }),
    page: async (after, limit) => {
      // one more than asked for tells whether there is a next page
      const rows = await prisma.account.findMany({
        where: after === undefined ? {} : { name: { gt: after } },
        orderBy: { name: 'asc' },
        take: limit + 1,
      })
      const accounts = rows.slice(0, limit).map(viewOf)
      const last = accounts.at(-1)
      return rows.length > limit && last !== undefined ? { accounts, next: last.name } : { accounts }
    },
    account: async (name) => viewOf(await accountOf(prisma, name)),
    change: (name, change, by) =>
      transact(async (transaction) => {
        await lockAccounts(transaction)
        const before = viewOf(await accountOf(transaction, name))
        const { admin = before.admin, fleet = before.fleet, disabled = before.disabled } = change
        const disabledAt = disabled ? new Date() : null
        const data = disabled === before.disabled ? { admin, fleet } : { admin, fleet, disabledAt }
        const after = viewOf(await transaction.account.update({ where: { name }, data }))
        if ((await transaction.account.count({ where: { admin: true, disabledAt: null } })) === 0)
          throw new DomainError('last_admin', `"${name}" is the last administrator`)
        await audit(transaction, by, 'account.change', name, { before, after })
        return after
      }),
    findToken: async (hash) => {
      const row = await prisma.token.findUnique({
        where: { hash: new Uint8Array(hash) },
        include: {
          account: { include: { memberships: { include: { namespace: true } } } },
          publisher: { include: { namespace: true } },
        },
      })
      if (row === null) return undefined
      const holder = holderOf(row)
      return {
        id: row.id,
        hash: Buffer.from(row.hash),
        account: holder,
        disabled: row.account !== null && row.account.disabledAt !== null,
        scopes: Scope.array().parse(row.scopes),
        programs: row.programs,
        expiresAt: row.expiresAt,
        revoked: row.revokedAt !== null,
        lastUsedAt: row.lastUsedAt ?? undefined,
      }
    },
    touchToken: async (id, now) => {
      await prisma.token.updateMany({ where: { id }, data: { lastUsedAt: now } })
    },
    addToken: (token, by) => transact((transaction) => addToken(transaction, token, by)),
    tokens: async (account, now) => {
      const rows = await prisma.token.findMany({
        where: { account: { name: account }, revokedAt: null, expiresAt: { gt: now } },
        orderBy: { id: 'desc' },
      })
      return rows.map(({ id, scopes, programs, note, createdAt, expiresAt, lastUsedAt }) => ({
        ...{ id, scopes: Scope.array().parse(scopes), programs, note },
        createdAt: createdAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
        ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
      }))
    },
    revokeToken: (account, id, by) =>
      transact(async (transaction) => {
        const { count } = await transaction.token.updateMany({
          where: { id, account: { name: account }, revokedAt: null },
          data: { revokedAt: new Date() },
        })
        if (count === 0) throw new DomainError('not_found', `account "${account}" has no token ${id}`)
        await audit(transaction, by, 'token.revoke', id, { before: { account } })
      }),
  }
}

/** A token's row with whose it is. */
type OwnedToken = Prisma.TokenGetPayload<{
  include: {
    account: { include: { memberships: { include: { namespace: true } } } }
    publisher: { include: { namespace: true } }
  }
}>

/** What the holder of a token may do: an account, or a pipeline, which publishes in its namespace and nothing else. */
function holderOf({ account, publisher }: OwnedToken): AccountRights {
  if (publisher !== null) return workloadRights(publisher, publisher.namespace.name)
  if (account === null) throw new DomainError('internal', 'a token is nobody’s')
  const { id, name, kind, admin, fleet } = account
  const memberships = account.memberships.map(({ namespace, role }) => ({ namespace: namespace.name, role }))
  return { ...{ id, name, kind, admin, fleet }, memberships }
}

const viewOf = ({ name, kind, admin, fleet, disabledAt, createdAt }: Account): AccountView => ({
  ...{ name, kind, admin, fleet, disabled: disabledAt !== null },
  createdAt: createdAt.toISOString(),
})

/** The row of an account. Throws `not_found`. */
export async function accountOf(client: Pick<Transaction, 'account'>, name: string): Promise<Account> {
  const found = await client.account.findUnique({ where: { name } })
  if (found === null) throw new DomainError('not_found', `there is no account "${name}"`)
  return found
}

/** Adds an account. Throws `account_exists`, `name_look_alike`. */
export async function addAccount(
  transaction: Transaction,
  { name, kind, admin, fleet }: AccountRequest,
  by: Actor,
): Promise<AccountView> {
  await lockAccounts(transaction)
  const look = lookOf(name)
  const other = await transaction.account.findUnique({ where: { look }, select: { name: true } })
  if (other?.name === name) throw new DomainError('account_exists', `account "${name}" exists already`)
  // a robot's name has that of its namespace, which may be private: whoever may see accounts finds it
  if (other !== null) throw new DomainError('name_look_alike', `"${name}" looks like another account`)
  const row = await transaction.account.create({ data: { name, look, kind, admin, fleet } })
  await audit(transaction, by, 'account.create', name, { after: { kind, admin, fleet } })
  return viewOf(row)
}

async function addToken(transaction: Transaction, token: NewStoredToken, by: Actor): Promise<string> {
  const { id: accountId } = await accountOf(transaction, token.account)
  await lockOne(transaction, accountId)
  const good = await transaction.token.count({
    where: { accountId, revokedAt: null, expiresAt: { gt: new Date() } },
  })
  if (good >= LIMITS.account_tokens)
    throw new DomainError(
      'too_many',
      `account "${token.account}" has ${good} tokens, at most ${LIMITS.account_tokens}`,
    )
  const { account, note, expiresAt } = token
  const [scopes, programs] = [[...token.scopes], [...token.programs]]
  const { id } = await transaction.token.create({
    data: { hash: new Uint8Array(token.hash), accountId, scopes, programs, note, expiresAt },
  })
  await audit(transaction, by, 'token.create', id, {
    after: { account, scopes, programs, expiresAt: expiresAt.toISOString() },
  })
  return id
}
