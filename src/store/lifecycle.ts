import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Manifest } from '../domain/manifest.ts'
import { type ProgramId, releaseRef } from '../domain/names.ts'
import { ReportReason, type ReportView } from '../domain/release.ts'
import { latestVersion, resolveUses, usesOf } from '../domain/resolution.ts'
import type { Lifecycle, Subject } from '../ports/lifecycle.ts'
import { leaveBlobs } from './blob-claims.ts'
import { shownBy } from './catalog.ts'
import { audit, type Database, lockFleet, type Transaction } from './database.ts'
import { readHeads, readOffered, recordSteps } from './function-steps.ts'
import type { Prisma, Release, Report } from './generated/client.ts'
import type { RegistryLogs } from './logs.ts'
import { absentProgram, absentRelease, readableOnly } from './readable.ts'
import { findingsOf, signerOf } from './releases.ts'

/** What becomes of releases, in the database. */
export function databaseLifecycle(database: Database, logs: RegistryLogs): Lifecycle {
  const { prisma, transact } = database
  return {
    yank: (program, version, message, by) =>
      mark(
        database,
        logs,
        { program, version },
        'yanked',
        message,
        message === undefined ? 'unyank' : 'yank',
        by,
      ),
    deprecate: (subject, message, by) =>
      mark(database, logs, subject, 'deprecated', message, 'deprecate', by),
    quarantine: (subject, message, by) =>
      mark(database, logs, subject, 'quarantined', message, 'quarantine', by),
    setChannel: (program, name, version, by) =>
      transact(async (transaction) => {
        await lockFleet(transaction)
        const { programId } = await releaseOf(transaction, program, version)
        const key = { programId_name: { programId, name } }
        const before = await transaction.channel.findUnique({ where: key })
        const count = await transaction.channel.count({ where: { programId } })
        if (before === null && count >= LIMITS.program_channels)
          throw new DomainError(
            'too_many',
            `${program} has ${count} channels, at most ${LIMITS.program_channels}`,
          )
        const moved = { version, movedAt: new Date() }
        await transaction.channel.upsert({ where: key, create: { programId, name, version }, update: moved })
        await audit(transaction, by, 'channel.set', program, {
          ...(before === null ? {} : { before: { channel: name, version: before.version } }),
          after: { channel: name, version },
        })
      }),
    removeChannel: (program, name, by) =>
      transact(async (transaction) => {
        const { id: programId } = await programOf(transaction, program)
        const before = await transaction.channel.findUnique({
          where: { programId_name: { programId, name } },
        })
        if (before === null) throw new DomainError('not_found', `${program} has no channel "${name}"`)
        await transaction.channel.deleteMany({ where: { programId, name } })
        const was = { channel: name, version: before.version }
        await audit(transaction, by, 'channel.remove', program, { before: was })
      }),
    delete: (...asked) => remove(database, logs, ...asked),
    report: (request, account, readable, by) =>
      transact(async (transaction) => {
        const { program: ref, version, reason, text } = request
        const program = await transaction.program.findFirst({ where: { ref, ...readableOnly(readable) } })
        if (program === null) throw absentProgram(ref)
        if (version !== undefined) await releaseOf(transaction, ref, version)
        const open = await transaction.report.count({ where: { account, resolution: null } })
        if (open >= LIMITS.account_reports)
          throw new DomainError(
            'too_many',
            `you have ${open} open reports, at most ${LIMITS.account_reports}`,
          )
        const data = { programId: program.id, version: version ?? null, reason, text, account }
        const row = await transaction.report.create({ data })
        await audit(transaction, by, 'report.open', ref, { after: { id: row.id, reason } })
        return reportView(row, ref)
      }),
    reports: async (open, limit) => {
      const rows = await prisma.report.findMany({
        where: { resolution: open ? null : { not: null } },
        orderBy: { id: 'desc' },
        take: limit,
        include: { program: { select: { ref: true } } },
      })
      return rows.map((row) => reportView(row, row.program.ref))
    },
    resolveReport: (id, resolution, by) =>
      transact(async (transaction) => {
        const known = await transaction.report.findUnique({ where: { id } })
        if (known === null) throw new DomainError('not_found', `there is no report ${id}`)
        const row = await transaction.report.update({
          where: { id },
          data: { resolution },
          include: { program: { select: { ref: true } } },
        })
        await audit(transaction, by, 'report.resolve', row.program.ref, { after: { id, resolution } })
        return reportView(row, row.program.ref)
      }),
  }
}

const reportView = (row: Report, program: ProgramId): ReportView => ({
  ...{ id: row.id, program, reason: ReportReason.parse(row.reason), text: row.text, account: row.account },
  ...(row.version === null ? {} : { version: row.version }),
  ...(row.resolution === null ? {} : { resolution: row.resolution }),
  reportedAt: row.reportedAt.toISOString(),
})

async function programOf(transaction: Transaction, ref: ProgramId) {
  const found = await transaction.program.findUnique({ where: { ref } })
  if (found === null) throw absentProgram(ref)
  return found
}

/** The row of a release that was not deleted. */
async function releaseOf(transaction: Transaction, ref: ProgramId, version: string): Promise<Release> {
  const { id: programId } = await programOf(transaction, ref)
  const found = await transaction.release.findFirst({ where: { programId, version, deletedAt: null } })
  if (found === null) throw absentRelease(ref, version)
  return found
}

type Mark = 'yanked' | 'deprecated' | 'quarantined'

/** Sets or takes away one mark, and lets the functions that name the program resolve anew. */
async function mark(
  { change }: Database,
  logs: RegistryLogs,
  { program: ref, version }: Subject,
  what: Mark,
  message: string | undefined,
  verb: string,
  by: Actor,
): Promise<void> {
  await change(async (transaction) => {
    await lockFleet(transaction)
    const after = { [what]: message ?? null }
    const before: { yanked?: string | null; deprecated: string | null; quarantined: string | null } =
      version === undefined ? await programOf(transaction, ref) : await releaseOf(transaction, ref, version)
    if ((before[what] ?? undefined) === message) return
    if (version === undefined) await transaction.program.update({ where: { ref }, data: after })
    else await transaction.release.updateMany({ where: { version, program: { ref } }, data: after })
    await refresh(transaction, ref)
    const subject = version === undefined ? ref : releaseRef(ref, version)
    const kind = version === undefined ? 'program' : 'release'
    await audit(transaction, by, `${kind}.${verb}`, subject, {
      before: { [what]: before[what] ?? null },
      after,
    })
    if (what === 'yanked' && version !== undefined)
      await recordRelease(transaction, logs, message === undefined ? 'unyank' : 'yank', ref, version)
  })
}

/** Logs what became of a release, hidden for a private program. */
async function recordRelease(
  transaction: Transaction,
  logs: RegistryLogs,
  kind: 'yank' | 'unyank' | 'delete',
  program: ProgramId,
  version: string,
): Promise<void> {
  const { visibility } = await programOf(transaction, program)
  await logs.record(transaction, { kind, program, version }, visibility === 'private')
}

/** What a program is shown by, and what functions resolve to, after releases came or went. */
export async function refresh(transaction: Transaction, ref: ProgramId): Promise<void> {
  const { id } = await programOf(transaction, ref)
  const rows = await transaction.release.findMany({
    where: { programId: id, deletedAt: null, quarantined: null, revoked: null },
    select: { version: true, yanked: true },
  })
  const latest = latestVersion(rows.map(({ version, yanked }) => ({ version, yanked: yanked !== null })))
  await transaction.program.update({ where: { id }, data: await newlyShownBy(transaction, id, latest) })
  await recordSteps(transaction, ref)
}

async function newlyShownBy(
  transaction: Transaction,
  programId: string,
  latest: string | undefined,
): Promise<Prisma.ProgramUpdateInput> {
  if (latest === undefined) return { latest: '' }
  const row = await transaction.release.findFirstOrThrow({ where: { programId, version: latest } })
  return { latest, ...shownBy(Manifest.parse(row.manifest), row.readme, signerOf(row), findingsOf(row)) }
}

async function remove(
  { change }: Database,
  logs: RegistryLogs,
  ref: ProgramId,
  version: string,
  notBefore: Date | undefined,
  by: Actor,
): Promise<void> {
  await change(async (transaction) => {
    await lockFleet(transaction)
    const release = await releaseOf(transaction, ref, version)
    const name = releaseRef(ref, version)
    if (notBefore !== undefined && release.publishedAt < notBefore)
      throw new DomainError(
        'release_too_old',
        `${name} was published at ${release.publishedAt.toISOString()}; releases may be deleted for ${LIMITS.delete_within_s / 3600} hours`,
      )
    if (notBefore !== undefined && release.revoked !== null)
      throw new DomainError('release_is_evidence', `${name} is revoked: its bytes stay, as evidence`)
    await requireUnused(transaction, ref, version)
    const files = await transaction.releaseFile.findMany({
      where: { releaseId: release.id },
      include: { blob: { select: { size: true } } },
    })
    const freed = files.reduce((sum, { blob }) => sum + blob.size, 0)
    await transaction.namespace.update({
      where: { id: release.namespaceId },
      data: { storedBytes: { decrement: freed } },
    })
    // whoever reads them now may do so to the end
    await leaveBlobs(
      transaction,
      files.map(({ digest }) => digest),
    )
    await transaction.releaseFile.deleteMany({ where: { releaseId: release.id } })
    await transaction.releaseBundle.deleteMany({ where: { releaseId: release.id } })
    await transaction.release.update({
      where: { id: release.id },
      data: { deletedAt: new Date(), bundle: '', provenance: null },
    })
    await refresh(transaction, ref)
    await audit(transaction, by, 'release.delete', name, {
      before: { files: files.map(({ name: file, digest }) => ({ name: file, digest })) },
    })
    await recordRelease(transaction, logs, 'delete', ref, version)
  })
}

async function requireUnused(transaction: Transaction, ref: ProgramId, version: string): Promise<void> {
  const heads = await readHeads(transaction)
  const offered = await readOffered(
    transaction,
    heads.flatMap(({ order }) => usesOf(order)),
  )
  const user = heads.find(({ order }) =>
    resolveUses(usesOf(order), offered).some(
      (resolved) => resolved.version === version && resolved.use.startsWith(`${ref}@`),
    ),
  )
  if (user !== undefined)
    throw new DomainError('release_in_use', `function "${user.name}" uses ${releaseRef(ref, version)}`)
  const channel = await transaction.channel.findFirst({ where: { version, release: { program: { ref } } } })
  if (channel !== null)
    throw new DomainError('release_in_use', `channel "${channel.name}" points to ${releaseRef(ref, version)}`)
}
