import type { PrismaClient } from '../../src/store/generated/client.ts'
import { pick, seededRandom } from '../fuzz/random.ts'
import type { ShowcaseNamespace, ShowcaseProgram } from './catalog.ts'

const DAY_MS = 86_400_000
/** Days of downloads. */
const DAYS = 90
/** What Monday to Sunday are of an average day, in percent: pipelines rest on weekends. */
const WEEK = [118, 124, 121, 119, 108, 58, 52]

/**
 * Dates everything back as if it had happened over months, and counts downloads: the registry has no way to do either. The
 * audit log takes no changes, so that its rule is put aside for this one transaction.
 */
export async function giveDates(
  prisma: PrismaClient,
  namespaces: readonly ShowcaseNamespace[],
  now: Date,
): Promise<void> {
  await prisma.$transaction(async (tx) => {
    await tx.$executeRaw`SET LOCAL session_replication_role = replica`
    for (const { namespace, programs, proof } of namespaces) {
      const verified = proof !== undefined
      if (verified)
        await tx.$executeRaw`
          INSERT INTO "namespace_proof" ("namespace_id", "kind", "of", "at")
          SELECT "id", ${proof.kind}, ${proof.of}, ${daysBefore(now, 1)} FROM "namespace" WHERE "name" = ${namespace}`
      for (const program of programs)
        await dateProgram(tx, `${namespace}/${program.name}`, program, now, verified)
    }
    await tx.$executeRaw`
      UPDATE "namespace" SET "created_at" = (SELECT min("created_at") - interval '1 day' FROM "program"
        WHERE "namespace_id" = "namespace"."id")`
    const year = daysBefore(now, 365)
    await tx.$executeRaw`UPDATE "account" SET "created_at" = ${year}`
    await tx.$executeRaw`UPDATE "token" SET "created_at" = ${daysBefore(now, 20)}, "expires_at" = ${daysBefore(now, -70)},
      "last_used_at" = ${daysBefore(now, 0.1)}`
    await tx.$executeRaw`UPDATE "member" SET "since" = ${daysBefore(now, 200)}`
    await tx.$executeRaw`UPDATE "invitation" SET "created_at" = ${daysBefore(now, 1)}, "expires_at" = ${daysBefore(now, -6)}`
    await tx.$executeRaw`UPDATE "signing_key" SET "added_at" = ${year}`
    await tx.$executeRaw`UPDATE "operator_key" SET "added_at" = ${year}`
    await tx.$executeRaw`
      UPDATE "audit" SET "at" = ${now}::timestamptz - ((SELECT max("id") FROM "audit") - "id") * interval '47 minutes'`
  })
}

const daysBefore = (now: Date, days: number): Date => new Date(now.getTime() - days * DAY_MS)

type Transaction = Parameters<Parameters<PrismaClient['$transaction']>[0]>[0]

async function dateProgram(
  tx: Transaction,
  ref: string,
  { versions, downloads }: ShowcaseProgram,
  now: Date,
  verified: boolean,
): Promise<void> {
  const rows = versions.map(({ version, daysAgo }) => ({
    ...{ version, published: daysBefore(now, daysAgo + 0.07).toISOString() },
  }))
  await tx.$executeRaw`
    UPDATE "release" SET "published_at" = "row"."published"::timestamptz
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS "row"("version" text, "published" text), "program"
    WHERE "program"."id" = "release"."program_id" AND "program"."ref" = ${ref} AND "release"."version" = "row"."version"`
  const counts = JSON.stringify(downloadsOf(ref, versions, downloads, now))
  await tx.$executeRaw`
    INSERT INTO "release_download" ("release_id", "day", "count")
    SELECT "release"."id", "row"."day"::date, "row"."count"
    FROM json_to_recordset(${counts}::json) AS "row"("version" text, "day" text, "count" bigint)
    JOIN "program" ON "program"."ref" = ${ref}
    JOIN "release" ON "release"."program_id" = "program"."id" AND "release"."version" = "row"."version"`
  await tx.$executeRaw`
    UPDATE "release" SET "downloads" = (SELECT coalesce(sum("count"), 0) FROM "release_download" WHERE "release_id" = "id")
    WHERE "program_id" = (SELECT "id" FROM "program" WHERE "ref" = ${ref})`
  await tx.$executeRaw`
    UPDATE "program" SET "verified" = ${verified},
      "created_at" = (SELECT min("published_at") FROM "release" WHERE "program_id" = "program"."id"),
      "updated_at" = (SELECT max("published_at") FROM "release" WHERE "program_id" = "program"."id"),
      "downloads" = (SELECT sum("downloads") FROM "release" WHERE "program_id" = "program"."id")
    WHERE "ref" = ${ref}`
  await tx.$executeRaw`
    UPDATE "channel" SET "moved_at" = "release"."published_at" + interval '2 hours' FROM "release", "program"
    WHERE "channel"."program_id" = "release"."program_id" AND "channel"."version" = "release"."version"
      AND "program"."id" = "channel"."program_id" AND "program"."ref" = ${ref}`
}

/** Downloads of releases by day: most go to what was newest then, weekends are quiet, and there are more each month. */
function downloadsOf(
  ref: string,
  versions: ShowcaseProgram['versions'],
  total: number,
  now: Date,
): { version: string; day: string; count: number }[] {
  const random = seededRandom(
    7,
    [...ref].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 2 ** 31,
  )
  const rows: { version: string; day: string; count: number }[] = []
  for (let ago = DAYS - 1; ago >= 0; ago--) {
    const there = versions.filter(({ daysAgo }) => daysAgo >= ago)
    const newest = there.at(-1)
    if (newest === undefined) continue
    const day = daysBefore(now, ago)
    const weekday = (WEEK[(day.getUTCDay() + 6) % 7] ?? 100) / 100
    const growth = 0.7 + (0.6 * (DAYS - ago)) / DAYS
    const count = Math.round((total / DAYS) * weekday * growth * (0.85 + random(30) / 100))
    const older = there.length === 1 ? 0 : Math.round(count * 0.28)
    const text = day.toISOString().slice(0, 10)
    rows.push({ version: newest.version, day: text, count: count - older })
    if (older > 0) rows.push({ version: pick(random, there.slice(0, -1)).version, day: text, count: older })
  }
  return rows
}
