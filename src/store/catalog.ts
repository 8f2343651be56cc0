import { sha256Digest } from '../attest/keys.ts'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { oldestKernel } from '../domain/kernel-series.ts'
import { LIMITS } from '../domain/limits.ts'
import { Manifest } from '../domain/manifest.ts'
import { lookOf } from '../domain/name-rules.ts'
import { Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import { type PermissionFinding, permissionsOf } from '../domain/permission.ts'
import type { ReleaseFile, ReleaseView, Visibility } from '../domain/release.ts'
import { latestVersion } from '../domain/resolution.ts'
import { distinctSigners, type Signer } from '../domain/signer.ts'
import type { Catalog, NewRelease } from '../ports/catalog.ts'
import { nameBlobs } from './blob-claims.ts'
import { audit, type Database, lockFleet, type Transaction } from './database.ts'
import { recordSteps } from './function-steps.ts'
import { announceNamespace, isOpen } from './log-changes.ts'
import type { RegistryLogs } from './logs.ts'
import { namespaceOf } from './namespaces.ts'
import { readProgram, readProgramsOf, readRelease } from './program-reads.ts'
import { absentProgram, namedBy, readableOnly, readableReleases } from './readable.ts'
import { addBundle, cosignature } from './release-bundles.ts'
import { BUNDLES, releaseView, requireNoneRevoked, signerColumns } from './releases.ts'

/** The catalog in the database. */
export function databaseCatalog(database: Database, logs: RegistryLogs): Catalog {
  const { prisma } = database
  return {
    versions: async (ref) =>
      (
        await prisma.program.findUnique({
          where: { ref },
          select: { releases: { select: { version: true } } },
        })
      )?.releases.map(({ version }) => version),
    addRelease: (release, by) => addRelease(database, logs, release, by),
    holders: async (digests, readable) => {
      const rows = await prisma.releaseFile.findMany({
        where: {
          digest: { in: [...digests] },
          release: { deletedAt: null, program: readableOnly(readable) },
        },
        orderBy: { release: { publishedAt: 'asc' } },
        take: LIMITS.page_items,
        select: { digest: true, release: { select: { version: true, program: { select: { ref: true } } } } },
      })
      return rows.map(({ digest, release }) => ({
        ...{ digest: Digest.parse(digest), program: release.program.ref, version: release.version },
      }))
    },
    newest: async (within, limit) => {
      const [namespace, name] = within?.split('/') ?? []
      const rows = await prisma.release.findMany({
        where: {
          ...readableReleases([]),
          program: {
            ...readableOnly([]),
            ...(name === undefined ? {} : { ref: within ?? '' }),
            ...(namespace === undefined ? {} : { namespace: { name: namespace } }),
          },
        },
        orderBy: [{ publishedAt: 'desc' }, { id: 'desc' }],
        take: limit,
        select: {
          ...{ version: true, publishedAt: true, manifest: true, yanked: true },
          program: { select: { ref: true } },
        },
      })
      return rows.map(({ version, publishedAt, manifest, yanked, program }) => ({
        ...{ program: program.ref, version, publishedAt: publishedAt.toISOString() },
        ...{ summary: Manifest.parse(manifest).summary, yanked: yanked ?? undefined },
      }))
    },
    addresses: async (limit) => {
      const rows = await prisma.program.findMany({
        where: { ...readableOnly([]), latest: { not: '' } },
        orderBy: { updatedAt: 'desc' },
        take: limit,
        select: { ref: true, updatedAt: true },
      })
      return rows.map(({ ref, updatedAt }) => ({ program: ref, updatedAt: updatedAt.toISOString() }))
    },
    programs: async (after, limit, readable) => {
      // one more than asked for tells whether there is a next page
      const rows = await prisma.program.findMany({
        where: {
          ...readableOnly(readable),
          latest: { not: '' },
          ...(after === undefined ? {} : { ref: { gt: after } }),
        },
        orderBy: { ref: 'asc' },
        take: limit + 1,
      })
      const programs = rows
        .slice(0, limit)
        .map(({ ref, latest, summary }) => ({ program: ref, latest, summary }))
      const last = programs.at(-1)
      return rows.length > limit && last !== undefined ? { programs, next: last.program } : { programs }
    },
    program: async (program, readable) => (await readProgram(prisma, program, readable)).view,
    programDetails: (program, readable) => readProgram(prisma, program, readable),
    release: async (program, version, readable) =>
      (await readRelease(prisma, program, version, readable)).release,
    releaseDetails: (program, version, readable) => readRelease(prisma, program, version, readable),
    programsOf: (namespace, page, readable) => readProgramsOf(prisma, namespace, page, readable),
    standings: async (within, limit) => {
      const rows = await prisma.program.findMany({
        where: namedBy(within),
        orderBy: { updatedAt: 'desc' },
        take: limit,
        select: {
          ...{ ref: true, latest: true, summary: true, visibility: true, downloads: true },
          ...{ updatedAt: true, deprecated: true, quarantined: true },
        },
      })
      return rows.map(({ ref, downloads, updatedAt, deprecated, quarantined, ...shown }) => ({
        ...{ ...shown, program: ref, downloads: Number(downloads), updatedAt: updatedAt.toISOString() },
        ...{ deprecated: deprecated ?? undefined, quarantined: quarantined ?? undefined },
      }))
    },
    provenance: async (ref, version, readable) => {
      await readRelease(prisma, ref, version, readable)
      const row = await prisma.release.findFirst({
        where: { version, program: { ref }, deletedAt: null },
        select: { provenance: true },
      })
      return row?.provenance ?? undefined
    },
    addBundle: (program, version, signed, by) => addBundle(database, logs, program, version, signed, by),
    readableBlob: async (digest, readable) => {
      // what is quarantined nobody gets, whoever may see it
      const program = { ...readableOnly(readable), quarantined: null }
      const rows = await prisma.releaseFile.findMany({
        where: { digest, release: { quarantined: null, deletedAt: null, program } },
        orderBy: { release: { publishedAt: 'desc' } },
        take: LIMITS.page_items,
        select: {
          ...{ name: true, blob: { select: { size: true } } },
          release: { select: { id: true, mainObject: true, program: { select: { visibility: true } } } },
        },
      })
      const [newest] = rows
      if (newest === undefined) return undefined
      return {
        size: newest.blob.size,
        open: rows.some(({ release }) => release.program.visibility === 'public'),
        countedFor: rows.find(({ name, release }) => release.mainObject === name)?.release.id,
      }
    },
    setVisibility: (program, visibility, by) => setVisibility(database, logs, program, visibility, by),
  }
}

async function setVisibility(
  { change }: Database,
  logs: RegistryLogs,
  ref: ProgramId,
  visibility: Visibility,
  by: Actor,
): Promise<void> {
  await change(async (transaction) => {
    const before = await transaction.program.findUnique({
      where: { ref },
      select: { visibility: true, namespace: true },
    })
    if (before === null) throw absentProgram(ref)
    if (before.visibility === visibility) return
    const isFirst = visibility === 'public' && !(await isOpen(transaction, before.namespace.name))
    await transaction.program.update({ where: { ref }, data: { visibility } })
    const was = { visibility: before.visibility }
    await audit(transaction, by, 'program.visibility', ref, { before: was, after: { visibility } })
    if (isFirst) await announceNamespace(transaction, logs, before.namespace)
  })
}

async function addRelease(
  { change }: Database,
  logs: RegistryLogs,
  release: NewRelease,
  by: Actor,
): Promise<ReleaseView> {
  const { manifest, files, bundle, signer } = release
  const [namespace = ''] = manifest.name.split('/')
  return change(async (transaction) => {
    await lockFleet(transaction)
    const { id: namespaceId } = await namespaceOf(transaction, namespace)
    const wasOpen = await isOpen(transaction, namespace)
    const programId = await programForRelease(transaction, namespaceId, release)
    await requireRoom(transaction, { namespaceId, namespace, programId }, release)
    const digests = files.map(({ digest }) => digest)
    await requireNoneRevoked(transaction, digests)
    await nameBlobs(transaction, digests)
    const row = await transaction.release.create({
      include: { program: { select: { visibility: true } } },
      data: {
        programId,
        version: manifest.version,
        manifest: JSON.parse(JSON.stringify(manifest)),
        bundle,
        namespaceId,
        ...signerColumns(signer),
        provenance: release.provenance?.bundle ?? null,
        ...(release.provenance === undefined ? {} : { built: release.provenance.facts }),
        bundles: {
          createMany: {
            data: release.bundles.map((one, position) => ({
              ...{ position, bundle: one.bundle },
              ...signerColumns(one.signer),
            })),
          },
        },
        readme: release.readme,
        findings: [...release.findings],
        mainObject: manifest.programs[0]?.object ?? '',
        files: { createMany: { data: files.map(({ name, digest }) => ({ name, digest })) } },
      },
    })
    await transaction.program.update({ where: { id: programId }, data: { updatedAt: row.publishedAt } })
    await recordSteps(transaction, manifest.name)
    const ref = releaseRef(manifest.name, manifest.version)
    const others = release.bundles.map((one) => one.signer)
    await audit(transaction, by, 'release.publish', ref, {
      after: { signer, ...(others.length === 0 ? {} : { cosigners: others }) },
    })
    await logRelease(transaction, logs, { programId, namespaceId, releaseId: row.id, wasOpen }, release)
    const { name } = manifest
    const bundles = await transaction.releaseBundle.findMany({ where: { releaseId: row.id }, ...BUNDLES })
    return releaseView({ ...row, ref: name, bundle, bundles, files }, manifest)
  })
}

/** Logs a publication, the last that its transaction does. */
async function logRelease(
  transaction: Transaction,
  logs: RegistryLogs,
  row: { programId: string; namespaceId: string; releaseId: string; wasOpen: boolean },
  { manifest, files, bundle, bundles, signer }: NewRelease,
): Promise<void> {
  const { namespace, visibility } = await transaction.program.findUniqueOrThrow({
    where: { id: row.programId },
    select: { visibility: true, namespace: true },
  })
  const isPrivate = visibility === 'private'
  if (!isPrivate && !row.wasOpen) await announceNamespace(transaction, logs, namespace)
  const signers = distinctSigners([signer, ...bundles.map((one) => one.signer)])
  const entry = publication(manifest, files, bundle, signers.slice(0, LIMITS.log_entry_signers))
  const logIndex = BigInt((await logs.record(transaction, entry, isPrivate)).catalog)
  for (const further of bundles)
    await logs.record(transaction, cosignature(manifest.name, manifest.version, further), isPrivate)
  await transaction.release.update({ where: { id: row.releaseId }, data: { logIndex } })
}

/** What the log says of a release: all that it is made of, by digest. */
const publication = (
  { name: program, version }: Manifest,
  files: readonly ReleaseFile[],
  bundle: string,
  signers: Signer[],
) => ({
  kind: 'publish' as const,
  ...{ program, version, bundle: sha256Digest(Buffer.from(bundle)), signers },
  files: files.map(({ name, digest }) => ({ name, digest })).sort((a, b) => (a.name < b.name ? -1 : 1)),
})

/** Refuses what a namespace has no room for, and counts what is added. Throws `quota_exceeded`. */
async function requireRoom(
  transaction: Transaction,
  { namespaceId, namespace, programId }: { namespaceId: string; namespace: string; programId: string },
  { manifest, files }: NewRelease,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new DomainError('quota_exceeded', why)
  }
  const since = new Date(Date.now() - 86_400_000)
  const today = await transaction.release.count({ where: { programId, publishedAt: { gt: since } } })
  if (today >= LIMITS.program_releases_a_day)
    refuse(`${manifest.name} had ${today} releases within a day, the most that it may have`)
  const added = files.reduce((sum, { size }) => sum + size, 0)
  const { storedBytes } = await transaction.namespace.update({
    where: { id: namespaceId },
    data: { storedBytes: { increment: added } },
  })
  if (storedBytes > LIMITS.namespace_bytes)
    refuse(`with this release "${namespace}" has ${storedBytes} bytes, at most ${LIMITS.namespace_bytes}`)
}

/** The program's row with its `latest` counting this release in. The fleet lock is held: nobody adds one meanwhile. */
async function programForRelease(
  transaction: Transaction,
  namespaceId: string,
  { manifest, visibility, readme, signer, findings }: NewRelease,
): Promise<string> {
  const { name: ref, version } = manifest
  const known = await transaction.program.findUnique({
    where: { ref },
    select: {
      ...{ id: true, visibility: true },
      releases: {
        select: { version: true, yanked: true, quarantined: true, revoked: true, deletedAt: true },
      },
    },
  })
  if (known === null) {
    const look = lookOf(ref.slice(ref.indexOf('/') + 1))
    const other = await transaction.program.findFirst({
      where: { namespaceId, look },
      select: { ref: true, visibility: true, quarantined: true },
    })
    if (other !== null) {
      // who publishes one program need not be one who may read the others
      const named =
        other.visibility === 'public' && other.quarantined === null ? other.ref : 'another program'
      throw new DomainError('name_look_alike', `${ref} looks like ${named}`)
    }
    const count = await transaction.program.count({ where: { namespaceId } })
    if (count >= LIMITS.namespace_programs)
      throw new DomainError(
        'quota_exceeded',
        `the namespace of ${ref} has ${count} programs, the most that it may have`,
      )
    const verified = (await transaction.namespaceProof.count({ where: { namespaceId } })) > 0
    const shown = shownBy(manifest, readme, signer, findings)
    const data = { namespaceId, ref, look, visibility, latest: version, verified, ...shown }
    return (await transaction.program.create({ data })).id
  }
  // a deleted one counts here: what its version stood for must not change
  if (known.releases.some((release) => release.version === version))
    throw new DomainError('release_exists', `${releaseRef(ref, version)} was published before`)
  // whoever asks for privacy must not publish to everybody
  if (visibility === 'private' && known.visibility === 'public')
    throw new DomainError('program_public', `${ref} is public, and so would be this release`)
  const offered = known.releases
    .filter((release) =>
      [release.quarantined, release.revoked, release.deletedAt].every((mark) => mark === null),
    )
    .map((release) => ({ version: release.version, yanked: release.yanked !== null }))
  if (latestVersion([...offered, { version, yanked: false }]) === version)
    await transaction.program.update({
      where: { id: known.id },
      data: { latest: version, ...shownBy(manifest, readme, signer, findings) },
    })
  return known.id
}

/** What a program is shown and found by, of the release that it is shown by. */
export const shownBy = (
  manifest: Manifest,
  readme: string,
  signer: Signer,
  findings: readonly PermissionFinding[],
) => ({
  permissions: permissionsOf(findings),
  signedBy: typeof signer === 'string' ? 'key' : 'identity',
  summary: manifest.summary,
  words: [...manifest.name.split(/[/-]/), manifest.name, ...manifest.keywords].join(' '),
  readme: readme.slice(0, LIMITS.search_readme_chars),
  hooks: [...new Set(manifest.programs.map(({ hook }) => hook))],
  license: manifest.license,
  minKernel: oldestKernel(manifest.requires?.kernel),
})
