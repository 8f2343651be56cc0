import { kernelSeries } from '../domain/kernel-series.ts'
import { Manifest } from '../domain/manifest.ts'
import { compareVersions, type ProgramId, releaseRef } from '../domain/names.ts'
import { FoundProgram } from '../domain/search.ts'
import type { ListedPrograms, Mark, ProgramDetails, Readable, ReleaseDetails } from '../ports/catalog.ts'
import type { Transaction } from './database.ts'
import { absentProgram, absentRelease, readableOnly, readableReleases } from './readable.ts'
import { BUNDLES, findingsOf, privacyOf, readFiles, releaseView, signerOf, standingOf } from './releases.ts'

type Client = Pick<Transaction, 'release' | 'program' | 'releaseFile' | 'channel' | 'audit'>

const STANDING = { yanked: true, deprecated: true, quarantined: true, revoked: true } as const
const SIGNER = { signer: true, signerIdentity: true, signerIssuer: true } as const

/** A program that may be read, with its releases. Throws `not_found`. */
export async function readProgram(
  client: Client,
  ref: ProgramId,
  readable: Readable,
): Promise<ProgramDetails> {
  const [row, channels] = await Promise.all([
    client.program.findFirst({
      where: { ref, ...readableOnly(readable) },
      select: {
        ...{ summary: true, deprecated: true, quarantined: true },
        ...{ latest: true, visibility: true, verified: true, downloads: true },
        releases: {
          where: readableReleases(readable),
          // neither manifests nor bundles: there may be thousands of releases
          select: { version: true, publishedAt: true, downloads: true, ...SIGNER, ...STANDING },
        },
      },
    }),
    client.channel.findMany({ where: { release: { program: { ref } } }, orderBy: { name: 'asc' } }),
  ])
  if (row === null) throw absentProgram(ref)
  const releases = row.releases.sort((a, b) => compareVersions(b.version, a.version))
  const versions = releases.map((release) => ({
    version: release.version,
    publishedAt: release.publishedAt.toISOString(),
    signer: signerOf(release),
    ...standingOf(release),
  }))
  const { deprecated, quarantined } = standingOf({ ...row, yanked: null, revoked: null })
  return {
    view: {
      ...{ program: ref, summary: row.summary, versions },
      channels: Object.fromEntries(channels.map(({ name, version }) => [name, version])),
      ...privacyOf(row),
      ...(deprecated === undefined ? {} : { deprecated }),
      ...(quarantined === undefined ? {} : { quarantined }),
    },
    latest: row.latest === '' ? versions[0]?.version : row.latest,
    visibility: row.visibility,
    verified: row.verified,
    downloads: Number(row.downloads),
    downloadsOf: new Map(releases.map(({ version, downloads }) => [version, Number(downloads)])),
    markedAt: await marksOf(client, ref, [row, ...releases]),
  }
}

/** What the audit calls the marks, by the column that holds each. */
const VERBS = {
  yanked: 'yank',
  deprecated: 'deprecate',
  quarantined: 'quarantine',
  revoked: 'revoke',
} as const

/** When the marks were set that are there now, as the audit has it; asks nothing when there are none. */
async function marksOf(
  client: Pick<Transaction, 'audit'>,
  ref: ProgramId,
  rows: readonly {
    version?: string
    yanked?: string | null
    deprecated: string | null
    quarantined: string | null
    revoked?: string | null
  }[],
): Promise<ProgramDetails['markedAt']> {
  const wanted = rows.flatMap(({ version, ...row }) =>
    (Object.keys(VERBS) as Mark[]).flatMap((mark) =>
      typeof row[mark] !== 'string'
        ? []
        : [
            version === undefined
              ? { key: mark, subject: ref, action: `program.${VERBS[mark]}` }
              : {
                  key: `${mark} ${version}`,
                  subject: releaseRef(ref, version),
                  action: `release.${VERBS[mark]}`,
                },
          ],
    ),
  )
  if (wanted.length === 0) return () => undefined
  const found = await client.audit.findMany({
    where: {
      subject: { in: wanted.map(({ subject }) => subject) },
      action: { in: [...new Set(wanted.map(({ action }) => action))] },
    },
    orderBy: { id: 'asc' },
    select: { subject: true, action: true, at: true },
  })
  // the latest of each is the one in force
  const at = new Map(found.map((record) => [`${record.action} ${record.subject}`, record.at.toISOString()]))
  const times = new Map(wanted.map(({ key, subject, action }) => [key, at.get(`${action} ${subject}`)]))
  return (mark, version) => times.get(version === undefined ? mark : `${mark} ${version}`)
}

/** A release that may be read, with its manifest. Throws `not_found`, `version_not_found`. */
export async function readRelease(
  client: Client,
  ref: ProgramId,
  version: string,
  readable: Readable,
): Promise<ReleaseDetails> {
  const program = { ref, ...readableOnly(readable) }
  const row = await client.release.findFirst({
    where: { version, program, ...readableReleases(readable) },
    omit: { readme: true },
    include: { bundles: BUNDLES, program: { select: { visibility: true } } },
  })
  if (row !== null) {
    const files = (await readFiles(client, [row.id])).get(row.id) ?? []
    const manifest = Manifest.parse(row.manifest)
    return {
      release: releaseView({ ...row, ref, files }, manifest),
      ...{ manifest, findings: findingsOf(row) },
    }
  }
  if ((await client.program.findFirst({ where: program, select: { id: true } })) === null)
    throw absentProgram(ref)
  throw absentRelease(ref, version)
}

/** A row has more than is listed. Made once: a schema is compiled when it is first used. */
const ListedProgram = FoundProgram.strip()

/** Up to `limit` programs of a namespace by name, those behind `after`, as lists show them. */
export async function readProgramsOf(
  client: Client,
  namespace: string,
  { after, limit }: { after: ProgramId | undefined; limit: number },
  readable: Readable,
): Promise<ListedPrograms> {
  const where = { namespace: { name: namespace }, latest: { not: '' }, ...readableOnly(readable) }
  const [rows, total] = await Promise.all([
    client.program.findMany({
      where: { ...where, ...(after === undefined ? {} : { ref: { gt: after } }) },
      orderBy: { ref: 'asc' },
      take: limit + 1, // one more tells whether there is a next page
      omit: { readme: true, words: true },
    }),
    client.program.count({ where }),
  ])
  const shown = rows.slice(0, limit)
  const programs = shown.map(({ ref, minKernel, signedBy, downloads, updatedAt, deprecated, ...row }) =>
    ListedProgram.parse({
      ...row,
      ...{ program: ref, signed: signedBy, downloads: Number(downloads), updatedAt: updatedAt.toISOString() },
      ...{ kernel: kernelSeries(minKernel), deprecated: deprecated ?? undefined },
    }),
  )
  const locked = new Set(shown.filter(({ visibility }) => visibility === 'private').map(({ ref }) => ref))
  const last = shown.at(-1)
  return { programs, total, locked, next: rows.length > limit ? last?.ref : undefined }
}
