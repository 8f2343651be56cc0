import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { Manifest } from '../domain/manifest.ts'
import { lookOf } from '../domain/name-rules.ts'
import { compareVersions, Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import type { ProgramView, ReleaseView, Visibility } from '../domain/release.ts'
import { latestVersion } from '../domain/resolution.ts'
import type { Catalog, NewRelease, Readable } from '../ports/catalog.ts'
import { audit, type Database, lockFleet, type Transaction } from './database.ts'
import { recordSteps } from './function-steps.ts'
import type { Prisma } from './generated/client.ts'
import { namespaceOf } from './namespaces.ts'
import { readFiles, releaseView } from './releases.ts'

/** The catalog in the database. */
export function databaseCatalog(database: Database): Catalog {
  const { prisma } = database
  return {
    versions: async (ref) =>
      (
        await prisma.program.findUnique({
          where: { ref },
          select: { releases: { select: { version: true } } },
        })
      )?.releases.map(({ version }) => version),
    addRelease: (release, by) => addRelease(database, release, by),
    programs: async (after, limit, readable) => {
      // one more than asked for tells whether there is a next page
      const rows = await prisma.program.findMany({
        where: { ...readableOnly(readable), ...(after === undefined ? {} : { ref: { gt: after } }) },
        orderBy: { ref: 'asc' },
        take: limit + 1,
      })
      const programs = rows
        .slice(0, limit)
        .map(({ ref, latest, summary }) => ({ program: ref, latest, summary }))
      const last = programs.at(-1)
      return rows.length > limit && last !== undefined ? { programs, next: last.program } : { programs }
    },
    program: (program, readable) => readProgram(database, program, readable),
    release: (program, version, readable) => readRelease(prisma, program, version, readable),
    readableBlob: async (digest, readable) => {
      const files = { some: { release: { program: readableOnly(readable) } } }
      return (await prisma.blob.findFirst({ where: { digest, files }, select: { size: true } }))?.size
    },
    setVisibility: (program, visibility, by) => setVisibility(database, program, visibility, by),
  }
}

/** Programs that are public, or that `readable` names. */
const readableOnly = (readable: Readable): Prisma.ProgramWhereInput => ({
  OR: [
    { visibility: 'public' },
    ...readable.map((pattern) =>
      pattern.endsWith('*') ? { ref: { startsWith: pattern.slice(0, -1) } } : { ref: pattern },
    ),
  ],
})

const absent = (ref: ProgramId): DomainError => new DomainError('not_found', `there is no program ${ref}`)

async function setVisibility(
  { transact }: Database,
  ref: ProgramId,
  visibility: Visibility,
  by: Actor,
): Promise<void> {
  await transact(async (transaction) => {
    const before = await transaction.program.findUnique({ where: { ref }, select: { visibility: true } })
    if (before === null) throw absent(ref)
    if (before.visibility === visibility) return
    await transaction.program.update({ where: { ref }, data: { visibility } })
    await audit(transaction, by, 'program.visibility', ref, { before, after: { visibility } })
  })
}

async function addRelease({ change }: Database, release: NewRelease, by: Actor): Promise<ReleaseView> {
  const { manifest, files, bundle, signer } = release
  const [namespace = ''] = manifest.name.split('/')
  return change(async (transaction) => {
    await lockFleet(transaction)
    const { id: namespaceId } = await namespaceOf(transaction, namespace)
    const programId = await programForRelease(transaction, namespaceId, release)
    await transaction.blob.createMany({
      data: files.map(({ digest, size }) => ({ digest, size })),
      skipDuplicates: true,
    })
    const row = await transaction.release.create({
      data: {
        programId,
        version: manifest.version,
        manifest: JSON.parse(JSON.stringify(manifest)),
        bundle,
        namespaceId,
        signer,
        files: { createMany: { data: files.map(({ name, digest }) => ({ name, digest })) } },
      },
      select: { publishedAt: true },
    })
    await recordSteps(transaction, manifest.name)
    const ref = releaseRef(manifest.name, manifest.version)
    await audit(transaction, by, 'release.publish', ref, { after: { signer } })
    const { name, version } = manifest
    return releaseView({ ref: name, version, bundle, files, signer, publishedAt: row.publishedAt }, manifest)
  })
}

/** The program's row with its `latest` counting this release in. The fleet lock is held: nobody adds one meanwhile. */
async function programForRelease(
  transaction: Transaction,
  namespaceId: string,
  { manifest, visibility }: NewRelease,
): Promise<string> {
  const { name: ref, version, summary } = manifest
  const known = await transaction.program.findUnique({
    where: { ref },
    select: { id: true, releases: { select: { version: true } } },
  })
  if (known === null) {
    const look = lookOf(ref.slice(ref.indexOf('/') + 1))
    const other = await transaction.program.findFirst({ where: { namespaceId, look }, select: { ref: true } })
    if (other !== null) throw new DomainError('name_look_alike', `${ref} looks like ${other.ref}`)
    const data = { namespaceId, ref, look, visibility, latest: version, summary }
    return (await transaction.program.create({ data })).id
  }
  const versions = known.releases.map((release) => release.version)
  if (versions.includes(version))
    throw new DomainError('release_exists', `${releaseRef(ref, version)} is published already`)
  if (latestVersion([...versions, version]) === version)
    await transaction.program.update({ where: { id: known.id }, data: { latest: version, summary } })
  return known.id
}

async function readProgram({ prisma }: Database, ref: ProgramId, readable: Readable): Promise<ProgramView> {
  const row = await prisma.program.findFirst({
    where: { ref, ...readableOnly(readable) },
    select: { summary: true, releases: { select: { version: true, publishedAt: true, signer: true } } },
  })
  if (row === null) throw absent(ref)
  const versions = row.releases
    .sort((a, b) => compareVersions(b.version, a.version))
    .map(({ version, publishedAt, signer }) => ({
      version,
      publishedAt: publishedAt.toISOString(),
      signer: Digest.parse(signer),
    }))
  return { program: ref, summary: row.summary, versions }
}

async function readRelease(
  client: Pick<Transaction, 'release' | 'program' | 'releaseFile'>,
  ref: ProgramId,
  version: string,
  readable: Readable,
): Promise<ReleaseView> {
  const program = { ref, ...readableOnly(readable) }
  const row = await client.release.findFirst({ where: { version, program } })
  if (row !== null) {
    const files = (await readFiles(client, [row.id])).get(row.id) ?? []
    return releaseView({ ...row, ref, files }, Manifest.parse(row.manifest))
  }
  if ((await client.program.findFirst({ where: program, select: { id: true } })) === null) throw absent(ref)
  throw new DomainError('version_not_found', `there is no release ${releaseRef(ref, version)}`)
}
