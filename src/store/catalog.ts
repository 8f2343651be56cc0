import type { Actor } from '../domain/access.ts'
import { DomainError } from '../domain/errors.ts'
import { Manifest } from '../domain/manifest.ts'
import { compareVersions, Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import type { ProgramView, ReleaseView } from '../domain/release.ts'
import { latestVersion } from '../domain/resolution.ts'
import type { Catalog, NewRelease, StoredKey } from '../ports/catalog.ts'
import { audit, type Database, isDuplicate, lockFleet, type Transaction } from './database.ts'
import { recordSteps } from './function-steps.ts'
import { storedKey } from './keys.ts'
import { readFiles, releaseView } from './releases.ts'

/** The catalog in the database. */
export function databaseCatalog(database: Database): Catalog {
  const { prisma } = database
  return {
    addNamespace: (name, by) => addNamespace(database, name, by),
    namespaceKeys: async (name) => {
      const { id } = await namespaceOf(prisma, name)
      const rows = await prisma.signingKey.findMany({
        where: { namespaceId: id },
        orderBy: { fingerprint: 'asc' },
      })
      return rows.map(storedKey)
    },
    addNamespaceKey: (namespace, key, by) => addNamespaceKey(database, namespace, key, by),
    releaseExists: async (ref, version) =>
      (await prisma.release.findFirst({ where: { version, program: { ref } }, select: { id: true } })) !==
      null,
    addRelease: (release, by) => addRelease(database, release, by),
    programs: async (after, limit) => {
      // one more than asked for tells whether there is a next page
      const rows = await prisma.program.findMany({
        where: after === undefined ? {} : { ref: { gt: after } },
        orderBy: { ref: 'asc' },
        take: limit + 1,
      })
      const programs = rows
        .slice(0, limit)
        .map(({ ref, latest, summary }) => ({ program: ref, latest, summary }))
      const last = programs.at(-1)
      return rows.length > limit && last !== undefined ? { programs, next: last.program } : { programs }
    },
    program: (program) => readProgram(database, program),
    release: (program, version) => readRelease(prisma, program, version),
    visibleBlob: async (digest) =>
      (await prisma.blob.findFirst({ where: { digest, files: { some: {} } }, select: { size: true } }))?.size,
  }
}

async function namespaceOf(client: Pick<Transaction, 'namespace'>, name: string): Promise<{ id: string }> {
  const found = await client.namespace.findUnique({ where: { name }, select: { id: true } })
  if (found === null) throw new DomainError('not_found', `there is no namespace "${name}"`)
  return found
}

async function addNamespace({ transact }: Database, name: string, by: Actor): Promise<void> {
  try {
    await transact(async (transaction) => {
      await transaction.namespace.create({ data: { name } })
      await audit(transaction, by, 'namespace.create', name)
    })
  } catch (cause) {
    if (isDuplicate(cause))
      throw new DomainError('namespace_exists', `namespace "${name}" exists already`, { cause })
    throw cause
  }
}

async function addNamespaceKey(
  { transact }: Database,
  namespace: string,
  key: { fingerprint: Digest; spki: Buffer },
  by: Actor,
): Promise<StoredKey> {
  return transact(async (transaction) => {
    const { id: namespaceId } = await namespaceOf(transaction, namespace)
    const added = await transaction.signingKey.createMany({
      data: [{ namespaceId, fingerprint: key.fingerprint, spki: new Uint8Array(key.spki) }],
      skipDuplicates: true,
    })
    if (added.count > 0)
      await audit(transaction, by, 'namespace.key.add', namespace, { fingerprint: key.fingerprint })
    const row = await transaction.signingKey.findUniqueOrThrow({
      where: { namespaceId_fingerprint: { namespaceId, fingerprint: key.fingerprint } },
    })
    return storedKey(row)
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
    await audit(transaction, by, 'release.publish', ref, { signer })
    const { name, version } = manifest
    return releaseView({ ref: name, version, bundle, files, signer, publishedAt: row.publishedAt }, manifest)
  })
}

/** The program's row with its `latest` counting this release in. The fleet lock is held: nobody adds one meanwhile. */
async function programForRelease(
  transaction: Transaction,
  namespaceId: string,
  { manifest }: NewRelease,
): Promise<string> {
  const { name: ref, version, summary } = manifest
  const known = await transaction.program.findUnique({
    where: { ref },
    select: { id: true, releases: { select: { version: true } } },
  })
  if (known === null)
    return (await transaction.program.create({ data: { namespaceId, ref, latest: version, summary } })).id
  const versions = known.releases.map((release) => release.version)
  if (versions.includes(version))
    throw new DomainError('release_exists', `${releaseRef(ref, version)} is published already`)
  if (latestVersion([...versions, version]) === version)
    await transaction.program.update({ where: { id: known.id }, data: { latest: version, summary } })
  return known.id
}

async function readProgram({ prisma }: Database, ref: ProgramId): Promise<ProgramView> {
  const row = await prisma.program.findUnique({
    where: { ref },
    select: { summary: true, releases: { select: { version: true, publishedAt: true, signer: true } } },
  })
  if (row === null) throw new DomainError('not_found', `there is no program ${ref}`)
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
): Promise<ReleaseView> {
  const row = await client.release.findFirst({ where: { version, program: { ref } } })
  if (row !== null) {
    const files = (await readFiles(client, [row.id])).get(row.id) ?? []
    return releaseView({ ...row, ref, files }, Manifest.parse(row.manifest))
  }
  if ((await client.program.findUnique({ where: { ref }, select: { id: true } })) === null)
    throw new DomainError('not_found', `there is no program ${ref}`)
  throw new DomainError('version_not_found', `there is no release ${releaseRef(ref, version)}`)
}
