import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Digest } from '../domain/names.ts'
import type { BlobClaims } from '../ports/blob-claims.ts'
import type { Database, Transaction } from './database.ts'
import { Prisma } from './generated/client.ts'

/**
 * Claims of blobs in the database. All times are the database's own: registries need not agree about the time. Whoever locks
 * several rows does so in the order of their digests, or skips what is locked.
 */
export function databaseBlobClaims({ prisma }: Database): BlobClaims {
  return {
    claim: async (blobs) => {
      if (blobs.length === 0) return []
      const distinct = new Map(blobs.map((blob) => [blob.digest, blob]))
      const sorted = [...distinct.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1))
      const rows = sorted.map(({ digest, size }) => Prisma.sql`(${digest}, ${size}::integer)`)
      const claimed = await prisma.$queryRaw<{ digest: string }[]>`
        INSERT INTO "blob" AS "b" ("digest", "size") VALUES ${Prisma.join(rows)}
        ON CONFLICT ("digest") DO UPDATE SET "touched_at" = now(), "condemned_at" = NULL
        WHERE "b"."condemned_at" IS NULL OR "b"."condemned_at" < now() - ${seconds(LIMITS.blob_settle_s)}
        RETURNING "digest"`
      const done = new Set(claimed.map(({ digest }) => digest))
      return sorted.filter(({ digest }) => !done.has(digest))
    },
    condemn: async (most) => {
      // a row that was touched since this statement began is looked at again when it is locked, and left alone
      const rows = await prisma.$queryRaw<{ digest: string; lease: string }[]>`
        WITH "unnamed" AS (
          SELECT "b"."digest" FROM "blob" "b"
          WHERE "b"."condemned_at" IS NULL AND "b"."touched_at" < now() - ${seconds(LIMITS.blob_grace_s)}
            AND NOT EXISTS (SELECT FROM "release_file" "f" WHERE "f"."digest" = "b"."digest")
            AND NOT EXISTS (
              SELECT FROM "staged_file" "s" WHERE "s"."digest" = "b"."digest" AND "s"."expires_at" > now())
          LIMIT ${most} FOR UPDATE OF "b" SKIP LOCKED
        ), "unfinished" AS (
          SELECT "digest" FROM "blob" WHERE "condemned_at" < now() - ${seconds(LIMITS.blob_retry_s)}
          LIMIT ${most} FOR UPDATE SKIP LOCKED
        ), "due" AS (
          SELECT "digest" FROM "unnamed" UNION ALL SELECT "digest" FROM "unfinished" LIMIT ${most}
        )
        UPDATE "blob" "b" SET "condemned_at" = now() FROM "due" WHERE "b"."digest" = "due"."digest"
        RETURNING "b"."digest", "b"."condemned_at"::text AS "lease"`
      return { digests: rows.map(({ digest }) => Digest.parse(digest)), lease: rows[0]?.lease ?? '' }
    },
    forget: async (digest, lease) => {
      await prisma.$executeRaw`
        DELETE FROM "blob" WHERE "digest" = ${digest} AND "condemned_at" = ${lease}::timestamptz`
    },
  }
}

const seconds = (count: number) => Prisma.sql`make_interval(secs => ${count}::integer)`

/**
 * Marks blobs as named by a release, in the transaction that begins to name them. Their rows are written, not only locked: a
 * collector that looked before sees by it, when it comes to lock them, that they changed. Throws `blob_being_removed` when one
 * is not there or condemned.
 */
export async function nameBlobs(transaction: Transaction, digests: readonly Digest[]): Promise<void> {
  const distinct = [...new Set(digests)]
  await lockBlobs(transaction, distinct)
  const count = await transaction.$executeRaw`
    UPDATE "blob" SET "touched_at" = NULL WHERE "digest" = ANY(${distinct}) AND "condemned_at" IS NULL`
  if (count !== distinct.length)
    throw new DomainError(
      'blob_being_removed',
      'bytes of this release were put so long ago that they are being removed',
    )
}

/** Has blobs that a release ceases to name looked at by the collector, after LIMITS.blob_grace_s. */
export async function leaveBlobs(transaction: Transaction, digests: readonly string[]): Promise<void> {
  await lockBlobs(transaction, digests)
  await transaction.$executeRaw`UPDATE "blob" SET "touched_at" = now() WHERE "digest" = ANY(${digests})`
}

const lockBlobs = (transaction: Transaction, digests: readonly string[]): Promise<unknown> =>
  transaction.$queryRaw`
    SELECT "digest" FROM "blob" WHERE "digest" = ANY(${digests}) ORDER BY "digest" COLLATE "C" FOR NO KEY UPDATE`
