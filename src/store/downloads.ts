import { LIMITS } from '../domain/limits.ts'
import type { Downloads } from '../ports/search.ts'
import type { Database } from './database.ts'

/**
 * Counts downloads in memory and keeps them every few seconds: a download never waits for the database. What was counted
 * since is lost when the process dies. `report` is told of what could not be kept, which is tried again.
 */
export function databaseDownloads(
  { prisma, transact }: Database,
  report: (error: unknown) => void,
): Downloads {
  let counted = new Map<string, number>()
  let flushing: Promise<void> = Promise.resolve()
  const keep = async (): Promise<void> => {
    if (counted.size === 0) return
    const now = counted
    counted = new Map()
    try {
      const ids = [...now.keys()].sort() // one order for all registries: none waits for another in a circle
      const counts = ids.map((id) => BigInt(now.get(id) ?? 0))
      await transact(async (transaction) => {
        await transaction.$executeRaw`
          WITH "new" AS (SELECT * FROM unnest(${ids}::uuid[], ${counts}::bigint[]) AS "n"("id", "count")),
          "days" AS (
            INSERT INTO "release_download" ("release_id", "day", "count")
            SELECT "id", (now() AT TIME ZONE 'UTC')::date, "count" FROM "new"
            ON CONFLICT ("release_id", "day") DO UPDATE SET "count" = "release_download"."count" + excluded."count"
          ), "releases" AS (
            UPDATE "release" SET "downloads" = "release"."downloads" + "new"."count"
            FROM "new" WHERE "release"."id" = "new"."id" RETURNING "release"."program_id", "new"."count"
          )
          UPDATE "program" SET "downloads" = "program"."downloads" + "sums"."count"
          FROM (SELECT "program_id", sum("count")::bigint AS "count" FROM "releases" GROUP BY 1) AS "sums"
          WHERE "program"."id" = "sums"."program_id"`
      })
    } catch (error) {
      for (const [id, count] of now) counted.set(id, (counted.get(id) ?? 0) + count)
      report(error)
    }
  }
  const flush = (): Promise<void> => {
    flushing = flushing.then(keep)
    return flushing
  }
  const timer = setInterval(flush, LIMITS.downloads_flush_ms)
  timer.unref()
  return {
    count: (releaseId) => void counted.set(releaseId, (counted.get(releaseId) ?? 0) + 1),
    flush,
    history: async (program, days) => {
      const rows = await prisma.$queryRaw<{ day: string; count: bigint }[]>`
        SELECT "day"::text AS "day", sum("count")::bigint AS "count" FROM "release_download"
        JOIN "release" ON "release"."id" = "release_id" JOIN "program" ON "program"."id" = "release"."program_id"
        WHERE "ref" = ${program} AND "day" > (now() AT TIME ZONE 'UTC')::date - ${days}::int
        GROUP BY "day" ORDER BY "day" DESC`
      const total = await prisma.program.findUnique({ where: { ref: program }, select: { downloads: true } })
      return {
        total: Number(total?.downloads ?? 0n),
        days: rows.map(({ day, count }) => ({ day, count: Number(count) })),
      }
    },
    close: () => {
      clearInterval(timer)
      return flush()
    },
  }
}
