import { PrismaPg } from '@prisma/adapter-pg'
import type { Actor } from '../domain/account.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ChangeNotices } from '../ports/change-notices.ts'
import { databaseNotices } from './change-notices.ts'
import { Prisma, PrismaClient } from './generated/client.ts'

/** The client of one open transaction. */
export type Transaction = Prisma.TransactionClient

/** An open database: one pool of connections. */
export interface Database {
  readonly prisma: PrismaClient
  /** Runs `work` in one transaction; all of it happens or nothing. */
  transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  /** The same for a change of what nodes are to run: every registry on the database hears of it. */
  change<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  /** The changes that were made here and, while it listens, by other registries on the database. */
  readonly notices: ChangeNotices
  /** Listens for the changes of other registries from now on. */
  listen(): Promise<void>
  /** Runs several reads that see the database at one and the same moment. */
  readTogether<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  /** Resolves when the database answers. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Connections of the pool; the server allows 24. */
const CONNECTIONS = 12

/** Opens the database at a PostgreSQL connection string. Connects on first use. */
export function openDatabase(url: string): Database {
  const adapter = new PrismaPg({ connectionString: url, max: CONNECTIONS })
  const prisma = new PrismaClient({
    adapter,
    transactionOptions: { maxWait: LIMITS.transaction_ms, timeout: LIMITS.transaction_ms },
  })
  const notices = databaseNotices(url)
  return {
    prisma,
    notices,
    transact: (work) => prisma.$transaction(work),
    change: async (work) => {
      const done = await prisma.$transaction(async (transaction) => {
        const result = await work(transaction)
        await notices.tellOthers(transaction)
        return result
      })
      // at once, so that who made the change, and asks again, is answered by it
      notices.announce()
      return done
    },
    listen: () => notices.listen(),
    readTogether: (work) => prisma.$transaction(work, { isolationLevel: 'RepeatableRead' }),
    ping: async () => {
      await prisma.$queryRaw`SELECT 1`
    },
    close: async () => {
      await notices.close()
      await prisma.$disconnect()
    },
  }
}

/** The key of the lock that orders changes of what nodes are to run; any number, the same for all registries. */
const FLEET_LOCK = 72707370

/**
 * Makes publishes and orders happen one after the other until the transaction ends. Otherwise two of them, each blind
 * to the other's uncommitted half, would both record function steps that never were in force.
 */
export async function lockFleet(transaction: Transaction): Promise<void> {
  await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${FLEET_LOCK}::bigint)`
}

/** Who an audit record names. */
export const actorName = (actor: Actor): string => {
  if (actor.kind === 'token') return `${actor.account.kind}:${actor.account.name}`
  return actor.kind === 'node' ? `node:${actor.name}` : 'anonymous'
}

/** The namespace that a record is about: of the subject's name, by the kind of thing that the action is done to. */
function namespaceAbout(action: string, subject: string): string | undefined {
  const [kind = ''] = action.split('.')
  if (kind === 'namespace' || kind === 'member') return subject
  // a report is none of its namespace's: whoever makes one must not have to fear whom it is about
  if (['program', 'release', 'channel'].includes(kind)) return subject.split('/')[0]
  // a robot's account is namespace.name
  return kind === 'account' && subject.includes('.') ? subject.split('.')[0] : undefined
}

/** What a change changed: what was before, what is after; absent where there was, or is, nothing. */
interface Changed {
  readonly before?: Prisma.InputJsonObject
  readonly after?: Prisma.InputJsonObject
}

/**
 * Records who changed what from where, in the transaction that does it, and has webhooks told. `namespace` is what it is about,
 * where subject and action do not say.
 */
export async function audit(
  transaction: Transaction,
  by: Actor,
  action: string,
  subject: string,
  { before, after }: Changed = {},
  namespace = namespaceAbout(action, subject),
): Promise<void> {
  const [actor, changed] = [
    actorName(by),
    { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) },
  ]
  const { id, at } = await transaction.audit.create({
    data: {
      ...{ actor, address: by.address ?? null, action, subject, namespace: namespace ?? null },
      ...changed,
    },
  })
  const data = {
    record: String(id),
    actor,
    subject,
    ...(namespace === undefined ? {} : { namespace }),
    ...changed,
  }
  const body = JSON.stringify({ type: action, timestamp: at.toISOString(), data })
  await tellWebhooks(transaction, action, namespace, body)
}

/** Has the webhooks that want it told of a change: those of its namespace and those of the registry. */
async function tellWebhooks(
  transaction: Transaction,
  action: string,
  namespace: string | undefined,
  body: string,
): Promise<void> {
  await transaction.$executeRaw`
    INSERT INTO "webhook_delivery" ("id", "webhook_id", "event", "body", "next_at")
    SELECT gen_random_uuid(), "w"."id", ${action}, ${body}, now()
    FROM "webhook" "w" LEFT JOIN "namespace" "n" ON "n"."id" = "w"."namespace_id"
    WHERE "w"."disabled_at" IS NULL AND ("w"."namespace_id" IS NULL OR "n"."name" = ${namespace ?? null}::text)
      AND EXISTS (
        SELECT 1 FROM unnest("w"."events") AS "e"("pattern")
        WHERE "pattern" = ${action} OR ("pattern" LIKE '%*' AND starts_with(${action}, left("pattern", -1))))`
}

const ACCOUNTS_LOCK = 72707371

/** The same for who owns and administers what: of two changes at once none may make the last one go. */
export async function lockAccounts(transaction: Transaction): Promise<void> {
  await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${ACCOUNTS_LOCK}::bigint)`
}

/**
 * The same for what is counted of one account or namespace, by its id: of many changes at once none may pass the limit
 * unseen. After the other locks.
 */
export async function lockOne(transaction: Transaction, id: string): Promise<void> {
  await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 0))`
}

/** Whether an insert failed because a row with the same key is there (PostgreSQL 23505). */
export const isDuplicate = (thrown: unknown): boolean =>
  thrown instanceof Prisma.PrismaClientKnownRequestError && thrown.code === 'P2002'
