import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { kernelNumber, kernelSeries } from '../domain/kernel-series.ts'
import { LIMITS } from '../domain/limits.ts'
import {
  Facets,
  FoundProgram,
  type SearchPage,
  type SearchRequest,
  type SearchSort,
} from '../domain/search.ts'
import type { Readable } from '../ports/catalog.ts'
import type { Search } from '../ports/search.ts'
import type { Database } from './database.ts'
import { Prisma } from './generated/client.ts'
import { rememberPages } from './remembered-pages.ts'

/** Search by PostgreSQL: words by a text index, and what looks like them by trigrams (pg_trgm). */
export function databaseSearch({ prisma, notices }: Database): Search {
  const remembered = rememberPages<SearchPage>(notices)
  return {
    find: (request, readable) =>
      remembered(JSON.stringify([request, readable]), async () => {
        const cursor = request.cursor === undefined ? undefined : readCursor(request.cursor, request.sort)
        const read = async (match: Match): Promise<SearchPage> => {
          const query = pageQuery(request, readable, match, cursor)
          const [row] = match.indexed
            ? await prisma.$transaction(async (transaction) => {
                // the planner does not count what it costs to read the text of every row
                await transaction.$executeRaw`SET LOCAL enable_seqscan = off`
                if (match.likeness !== undefined)
                  await transaction.$executeRaw`SELECT set_config('pg_trgm.word_similarity_threshold', ${match.likeness}, true)`
                return transaction.$queryRaw<unknown[]>(query)
              })
            : await prisma.$queryRaw<unknown[]>(query)
          return pageOf(request, Row.parse(row), match.forgiving)
        }
        const words = wordsOf(request.q)
        if (cursor?.forgiving !== true) {
          const exact = await read(wordMatch(request.q, words))
          if (exact.total > 0 || words.length === 0 || cursor !== undefined) return exact
        }
        // few words look much like others: only where none does, those that look less like them are asked for
        for (const likeness of LIKENESSES) {
          const found = await read(likeMatch(words, likeness))
          if (found.total > 0 || likeness === LIKENESSES.at(-1)) return found
        }
        throw new DomainError('internal', 'a search has no last resort')
      }),
  }
}

/** How rows are chosen, and how well each fits. */
interface Match {
  readonly where: Prisma.Sql
  readonly rank: Prisma.Sql
  readonly forgiving: boolean
  /** Whether an index finds them. */
  readonly indexed: boolean
  /** Share of trigrams in common from which on texts are alike, as PostgreSQL writes it. */
  readonly likeness?: string
}

const LIKENESSES = ['0.6', '0.35'] as const

/** Letters and digits are words, everything else parts them. */
const wordsOf = (q: string): string[] =>
  (
    q
      .toLowerCase()
      .normalize('NFKC')
      .match(/[\p{L}\p{N}]+/gu) ?? []
  ).slice(0, LIMITS.search_words)

/** Rows that have all words, as they are, as their stems, or as beginnings; quotes, - and "or" work as on the web. */
function wordMatch(q: string, words: readonly string[]): Match {
  const popular = Prisma.sql`ln(1 + "downloads") * 0.02`
  if (words.length === 0) {
    const where = q.trim() === '' ? Prisma.sql`true` : Prisma.sql`false`
    return { where, rank: popular, forgiving: false, indexed: false }
  }
  const begins = words.map((word) => `${word}:*`).join(' & ')
  const query = Prisma.sql`(websearch_to_tsquery('english', ${q.replaceAll('\0', ' ')}) || to_tsquery('simple', ${begins}))`
  const name = words.join('-')
  const rank = Prisma.sql`ts_rank('{0.05, 0.2, 0.5, 1}', "heading", ${query}) + ${popular} +
    ("ref" LIKE ${`%/${name}%`})::int + ("ref" LIKE ${`%/${name}`} OR "ref" = ${words.join('/')})::int`
  return { where: Prisma.sql`"search" @@ ${query}`, rank, forgiving: false, indexed: true }
}

/** Rows with a run of text that shares most of its trigrams with the words. */
function likeMatch(words: readonly string[], likeness: string): Match {
  const text = words.join(' ')
  return {
    where: Prisma.sql`${text} <% "phrase"`,
    rank: Prisma.sql`word_similarity(${text}, "phrase") + ln(1 + "downloads") * 0.005`,
    ...{ forgiving: true, indexed: true, likeness },
  }
}

/** The sort's value as an expression, and whether the largest comes first; equal values go by name. */
const ORDER: Record<SearchSort, { value: Prisma.Sql; type: Prisma.Sql; descending: boolean }> = {
  relevance: { value: Prisma.sql`"rank"`, type: Prisma.sql`float8`, descending: true },
  downloads: { value: Prisma.sql`"downloads"`, type: Prisma.sql`bigint`, descending: true },
  recent: { value: Prisma.sql`"updated_at"`, type: Prisma.sql`timestamptz`, descending: true },
  name: { value: Prisma.sql`''::text`, type: Prisma.sql`text`, descending: false },
}

/**
 * One row: the page, and what facets are counted from, of one moment. Programs that are alike in all that filters ask for
 * are one group: of tens of thousands some hundred are left, which are counted here for each filter in turn.
 */
function pageQuery(
  request: SearchRequest,
  readable: Readable,
  { where, rank }: Match,
  cursor: Cursor | undefined,
): Prisma.Sql {
  const filters = filtersOf(request)
  const but = (name: keyof typeof filters | undefined): Prisma.Sql => {
    const rest = Object.entries(filters).filter(([other]) => other !== name)
    return Prisma.join([Prisma.sql`true`, ...rest.map(([, sql]) => sql)], ' AND ')
  }
  const { value, type, descending } = ORDER[request.sort]
  // of thousands of rows, and nobody looks at it in another order
  const fit = request.sort === 'relevance' ? rank : Prisma.sql`0`
  const behind =
    cursor === undefined
      ? Prisma.sql`true`
      : descending
        ? Prisma.sql`(${value} < ${cursor.value}::text::${type} OR (${value} = ${cursor.value}::text::${type} AND "ref" > ${cursor.ref}))`
        : Prisma.sql`"ref" > ${cursor.ref}`
  const direction = descending ? Prisma.sql`DESC` : Prisma.sql`ASC`
  const inNamespace = filters.namespace ?? Prisma.sql`true`
  return Prisma.sql`
    WITH "hit" AS MATERIALIZED (
      SELECT "ref", "hooks", "permissions", "license", split_part("ref", '/', 1) AS "namespace", "min_kernel", "signed_by", "verified", "downloads",
        "updated_at", (${fit})::float8 AS "rank"
      FROM "program"
      WHERE "latest" <> '' AND ${visible(readable)} AND ${where}
    ), "first" AS (
      SELECT *, ${value} AS "value" FROM "hit" WHERE ${but(undefined)} AND ${behind}
      ORDER BY ${value} ${direction}, "ref" LIMIT ${request.limit + 1}
    ), "page" AS (
      SELECT *, "value"::text AS "sorted", row_number() OVER (ORDER BY "value" ${direction}, "ref") AS "place" FROM "first"
    ), "shown" AS (
      SELECT "page".*, "latest", "summary", "deprecated" FROM "page" JOIN "program" USING ("ref")
    ), "group" AS (
      SELECT "hooks", "permissions", "license", "min_kernel", "signed_by", "verified", ${inNamespace} AS "inside", count(*)::int AS "count"
      FROM "hit" GROUP BY 1, 2, 3, 4, 5, 6, 7
    ), "owner" AS (
      SELECT "namespace" AS "value", count(*)::int AS "count" FROM "hit" WHERE ${but('namespace')}
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${LIMITS.search_facet_values}
    )
    SELECT (SELECT coalesce(json_agg("shown" ORDER BY "place"), '[]') FROM "shown") AS "page",
      (SELECT coalesce(json_agg("group"), '[]') FROM "group") AS "groups",
      (SELECT coalesce(json_agg("owner" ORDER BY "count" DESC, "value"), '[]') FROM "owner") AS "namespace"`
}

/** Public programs that are not quarantined, and those that `readable` names. */
function visible(readable: Readable): Prisma.Sql {
  const open = Prisma.sql`("visibility" = 'public' AND "quarantined" IS NULL)`
  if (readable.length === 0) return open
  const patterns = readable.map((pattern) => pattern.replace('*', '%'))
  return Prisma.sql`(${open} OR "ref" LIKE ANY(${patterns}))`
}

/** The conditions of the filters that the request has, by name. */
function filtersOf({ hook, permission, license, namespace, signed, verified, kernel }: SearchRequest) {
  return {
    ...(hook.length === 0 ? {} : { hook: Prisma.sql`"hooks" && ${hook}` }),
    ...(permission.length === 0
      ? {}
      : {
          permission: Prisma.sql`("permissions" && ${permission}::text[] OR ("permissions" = '{}' AND ${permission.includes('none')}))`,
        }),
    ...(license.length === 0 ? {} : { license: Prisma.sql`"license" = ANY(${license})` }),
    ...(namespace.length === 0 ? {} : { namespace: Prisma.sql`"namespace" = ANY(${namespace})` }),
    ...(signed.length === 0 ? {} : { signed: Prisma.sql`"signed_by" = ANY(${signed})` }),
    ...(verified.length === 0
      ? {}
      : { verified: Prisma.sql`"verified" = ANY(${verified.map((word) => word === 'yes')})` }),
    ...(kernel === undefined ? {} : { kernel: Prisma.sql`"min_kernel" <= ${kernelNumber(kernel)}` }),
  }
}

const Found = z.object({
  ...{ ref: z.string(), latest: z.string(), summary: z.string(), hooks: z.array(z.string()) },
  permissions: z.array(z.string()),
  ...{ license: z.string(), min_kernel: z.int(), signed_by: z.string(), downloads: z.int() },
  verified: z.boolean(),
  ...{ updated_at: z.string(), deprecated: z.string().nullable(), sorted: z.string() },
})
const Group = z.object({
  permissions: z.array(z.string()),
  ...{ hooks: z.array(z.string()), license: z.string(), min_kernel: z.int(), signed_by: z.string() },
  verified: z.boolean(),
  ...{ inside: z.boolean(), count: z.int() },
})
type Group = z.infer<typeof Group>
const Row = z.object({ page: z.array(Found), groups: z.array(Group), namespace: Facets.shape.namespace })

/** What programs of a group can do, by which they are filtered. */
const namesOf = ({ permissions }: Group): readonly string[] =>
  permissions.length === 0 ? ['none'] : permissions

/** Whether a group passes each filter that is counted here. */
const passes = {
  hook: ({ hook }: SearchRequest, { hooks }: Group) =>
    hook.length === 0 || hook.some((wanted) => hooks.includes(wanted)),
  permission: ({ permission }: SearchRequest, group: Group) =>
    permission.length === 0 || namesOf(group).some((name) => permission.some((wanted) => wanted === name)),
  license: (request: SearchRequest, { license }: Group) =>
    request.license.length === 0 || request.license.includes(license),
  signed: ({ signed }: SearchRequest, { signed_by }: Group) =>
    signed.length === 0 || signed.some((wanted) => wanted === signed_by),
  verified: (request: SearchRequest, { verified }: Group) =>
    request.verified.length === 0 || request.verified.includes(verified ? 'yes' : 'no'),
  kernel: ({ kernel }: SearchRequest, { min_kernel }: Group) =>
    kernel === undefined || min_kernel <= kernelNumber(kernel),
  namespace: (_: SearchRequest, { inside }: Group) => inside,
}

/** Groups that pass all filters but one. */
const passingBut = (request: SearchRequest, groups: readonly Group[], but?: keyof typeof passes): Group[] =>
  groups.filter((group) =>
    Object.entries(passes).every(([name, holds]) => name === but || holds(request, group)),
  )

/** How many programs have each value, the most frequent first. */
function counted(groups: readonly Group[], valuesOf: (group: Group) => readonly string[]): Facets['hook'] {
  const counts = new Map<string, number>()
  for (const group of groups)
    for (const value of valuesOf(group)) counts.set(value, (counts.get(value) ?? 0) + group.count)
  return [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
    .slice(0, LIMITS.search_facet_values)
}

/** How many programs run on each kernel that is the oldest of one, the newest kernel first: whoever has it can run older ones' too. */
function kernelFacet(groups: readonly Group[]): Facets['kernel'] {
  const numbers = [...new Set(groups.map(({ min_kernel }) => min_kernel))].sort((a, b) => b - a)
  return numbers
    .flatMap((number) => {
      const series = kernelSeries(number)
      const runs = groups.filter(({ min_kernel }) => min_kernel <= number)
      return series === undefined
        ? []
        : [{ value: series, count: runs.reduce((sum, { count }) => sum + count, 0) }]
    })
    .slice(0, LIMITS.search_facet_values)
}

function pageOf(request: SearchRequest, row: z.infer<typeof Row>, forgiving: boolean): SearchPage {
  const { page, groups, namespace } = row
  const shown = page.slice(0, request.limit)
  const last = shown.at(-1)
  const total = passingBut(request, groups).reduce((sum, { count }) => sum + count, 0)
  const facet = (name: keyof typeof passes, valuesOf: (group: Group) => readonly string[]) =>
    counted(passingBut(request, groups, name), valuesOf)
  const hook = facet('hook', ({ hooks }) => hooks)
  const permission = facet('permission', namesOf)
  const license = facet('license', (group) => [group.license])
  const signed = facet('signed', ({ signed_by }) => [signed_by])
  const verified = facet('verified', (group) => [group.verified ? 'yes' : 'no'])
  const kernel = kernelFacet(passingBut(request, groups, 'kernel'))
  return {
    programs: shown.map((found) => {
      const series = kernelSeries(found.min_kernel)
      return FoundProgram.parse({
        ...{ program: found.ref, latest: found.latest, summary: found.summary, hooks: found.hooks },
        permissions: found.permissions,
        ...{ license: found.license, signed: found.signed_by, downloads: found.downloads },
        verified: found.verified,
        updatedAt: new Date(found.updated_at).toISOString(),
        ...(series === undefined ? {} : { kernel: series }),
        ...(found.deprecated === null ? {} : { deprecated: found.deprecated }),
      })
    }),
    ...{
      total,
      facets: { hook, permission, license, namespace, signed, verified, kernel },
      forgiven: forgiving && total > 0,
    },
    ...(page.length > request.limit && last !== undefined
      ? { next: writeCursor({ sort: request.sort, value: last.sorted, ref: last.ref, forgiving }) }
      : {}),
  }
}

/** Behind which row the next page begins: its value of the sort as PostgreSQL writes it, and its name. */
interface Cursor {
  readonly sort: SearchSort
  readonly value: string
  readonly ref: string
  readonly forgiving: boolean
}

const writeCursor = ({ sort, value, ref, forgiving }: Cursor): string =>
  Buffer.from(JSON.stringify([sort, value, ref, forgiving])).toString('base64url')

/** What PostgreSQL takes for a value of each sort: a cursor may be anybody's text. */
const VALUES: Record<SearchSort, RegExp> = {
  relevance: /^-?[0-9]{1,6}(\.[0-9]{1,20})?(e-?[0-9]{1,2})?$/,
  downloads: /^[0-9]{1,18}$/,
  recent:
    /^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,6})?[+-](0[0-9]|1[0-4])(:[0-5][0-9]){0,2}$/,
  name: /^$/,
}

/** Whether the calendar has a day, as in 2026-11-29. */
function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}

function readCursor(text: string, sort: SearchSort): Cursor {
  const refuse = (cause?: unknown): never => {
    throw new DomainError('invalid_request', 'the cursor is of another search', { cause })
  }
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch (cause) {
    return refuse(cause)
  }
  const parsed = z
    .tuple([z.literal(sort), z.string().regex(VALUES[sort]), z.string().max(80), z.boolean()])
    .safeParse(parts)
  if (!parsed.success) return refuse()
  const [, value, ref, forgiving] = parsed.data
  if (sort === 'recent' && !isDay(value.slice(0, 10))) return refuse()
  return { sort, value, ref: ref.replaceAll('\0', ''), forgiving }
}
