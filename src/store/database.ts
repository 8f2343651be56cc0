import { PrismaPg } from '@prisma/adapter-pg'
import type { Actor } from '../domain/access.ts'
import { LIMITS } from '../domain/limits.ts'
import { Prisma, PrismaClient } from './generated/client.ts'

/** The client of one open transaction. */
export type Transaction = Prisma.TransactionClient

/** An open database: one pool of connections. */
export interface Database {
  readonly prisma: PrismaClient
  /** Runs `work` in one transaction; all of it happens or nothing. */
  transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
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
  return {
    prisma,
    transact: (work) => prisma.$transaction(work),
    readTogether: (work) => prisma.$transaction(work, { isolationLevel: 'RepeatableRead' }),
    ping: async () => {
      await prisma.$queryRaw`SELECT 1`
    },
    close: () => prisma.$disconnect(),
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
const actorName = (actor: Actor): string =>
  actor.kind === 'anonymous' ? 'anonymous' : `${actor.kind}:${actor.id}`

/** Records who did what, in the transaction that does it. */
export async function audit(
  transaction: Transaction,
  by: Actor,
  action: string,
  subject: string,
  detail: Prisma.InputJsonObject = {},
): Promise<void> {
  await transaction.audit.create({ data: { actor: actorName(by), action, subject, detail } })
}

/** Whether an insert failed because a row with the same key is there (PostgreSQL 23505). */
export const isDuplicate = (thrown: unknown): boolean =>
  thrown instanceof Prisma.PrismaClientKnownRequestError && thrown.code === 'P2002'
