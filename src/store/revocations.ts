import { sha256Digest } from '../attest/keys.ts'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { RevocationReason, type Revoked } from '../domain/log-entry.ts'
import { Digest, type ProgramId } from '../domain/names.ts'
import { type RevocationView, revokedText, type SignedRevocation } from '../domain/revocation.ts'
import type { Readable } from '../ports/catalog.ts'
import type { Revocations, VerifiedRevocation } from '../ports/revocations.ts'
import { audit, type Database, lockFleet, type Transaction } from './database.ts'
import type { Prisma, Revocation } from './generated/client.ts'
import { refresh } from './lifecycle.ts'
import type { RegistryLogs } from './logs.ts'
import { absentProgram, absentRelease } from './readable.ts'
import { signerColumns, signerOf } from './releases.ts'

/** Revocations in the database. */
export function databaseRevocations(database: Database, logs: RegistryLogs): Revocations {
  const { prisma } = database
  return {
    add: (revocation, by) => add(database, logs, revocation, by),
    list: async (program, readable, limit) => {
      const rows = await prisma.revocation.findMany({
        where: { ...visibleTo(readable), ...(program === undefined ? {} : { program }) },
        orderBy: [{ receivedAt: 'desc' }, { digest: 'asc' }],
        take: limit,
      })
      return rows.map(revocationView)
    },
    find: async (digest, readable) => {
      const row = await prisma.revocation.findFirst({ where: { digest, ...visibleTo(readable) } })
      return row === null ? undefined : revocationView(row)
    },
  }
}

/** Revocations of files and of public programs, and of those that `readable` names. */
const visibleTo = (readable: Readable): Prisma.RevocationWhereInput => ({
  OR: [
    { private: false },
    ...readable.map((pattern) => ({
      program: pattern.endsWith('*') ? { startsWith: pattern.slice(0, -1) } : pattern,
    })),
  ],
})

/** The key of an envelope; a bundle has all in itself. */
export const keyOf = ({ spki }: Pick<Revocation, 'spki'>): Pick<SignedRevocation, 'key'> =>
  spki === null ? {} : { key: Buffer.from(spki).toString('base64') }

/** A revocation's row as it is shown. */
const revocationView = (row: Revocation): RevocationView => ({
  digest: Digest.parse(row.digest),
  envelope: row.envelope,
  ...keyOf(row),
  revoked: revokedOf(row),
  reason: RevocationReason.parse(row.reason),
  message: row.message,
  at: row.at.toISOString(),
  signer: signerOf(row),
  receivedAt: row.receivedAt.toISOString(),
})

const revokedOf = ({ program, version, file }: Revocation): Revoked =>
  program === null || version === null
    ? { kind: 'file', digest: Digest.parse(file) }
    : { kind: 'release', program, version }

async function add(
  { change }: Database,
  logs: RegistryLogs,
  { revocation, envelope, signer, spki, byOperator }: VerifiedRevocation,
  by: Actor,
): Promise<RevocationView> {
  const { revoked, reason, message, at } = revocation
  const digest = sha256Digest(Buffer.from(envelope))
  const what =
    revoked.kind === 'release'
      ? { program: revoked.program, version: revoked.version }
      : { file: revoked.digest }
  return change(async (transaction) => {
    await lockFleet(transaction)
    // one from every signer, whom different nodes may believe; a second of his would say nothing new to any
    const where = { ...what, ...signerColumns(signer) }
    const known = await transaction.revocation.findFirst({ where, orderBy: { receivedAt: 'asc' } })
    if (known !== null) return revocationView(known)
    const isPrivate = await isHidden(transaction, revoked)
    if (revoked.kind === 'release' && !byOperator) await requireRoom(transaction, revoked.program)
    await markReleases(transaction, revoked, message)
    await audit(transaction, by, 'release.revoke', revokedText(revoked), {
      after: { revoked: message, reason, signer, digest },
    })
    const entry = { kind: 'revoke', revoked, reason, envelope: digest } as const
    const { catalog, revocations } = await logs.record(transaction, entry, isPrivate)
    const row = await transaction.revocation.create({
      data: {
        ...{ digest, ...what, private: isPrivate, reason, message, at: new Date(at), envelope },
        ...{ ...signerColumns(signer), byOperator },
        ...{ catalogIndex: catalog, revocationsIndex: revocations ?? null },
        ...(spki === undefined ? {} : { spki: new Uint8Array(spki) }),
      },
    })
    return revocationView(row)
  })
}

/** Whether nobody but its namespace knows of what is revoked. Throws `not_found`, `version_not_found`. */
async function isHidden(transaction: Transaction, revoked: Revoked): Promise<boolean> {
  if (revoked.kind === 'file') return false
  const { program: ref, version } = revoked
  const program = await transaction.program.findUnique({ where: { ref } })
  if (program === null) throw absentProgram(ref)
  // one that was deleted may run somewhere all the same
  const release = await transaction.release.findFirst({ where: { programId: program.id, version } })
  if (release === null) throw absentRelease(ref, version)
  return program.visibility === 'private'
}

/**
 * Refuses what publishers revoke beyond what nodes have room for, who read all revocations of a registry. Throws
 * `too_many_revocations`.
 */
async function requireRoom(transaction: Transaction, program: ProgramId): Promise<void> {
  const namespace = program.slice(0, program.indexOf('/') + 1)
  for (const [of, where, most] of [
    [program, program, LIMITS.program_revocations],
    [`${namespace}*`, { startsWith: namespace }, LIMITS.namespace_revocations],
  ] as const) {
    const count = await transaction.revocation.count({ where: { program: where, byOperator: false } })
    if (count >= most)
      throw new DomainError(
        'too_many_revocations',
        `the publishers of ${of} have made ${count} revocations, the most that they may make`,
      )
  }
}

/** Marks what is revoked, for good: ranges resolve to other releases from then on. */
async function markReleases(transaction: Transaction, revoked: Revoked, message: string): Promise<void> {
  const where: Prisma.ReleaseWhereInput =
    revoked.kind === 'release'
      ? { version: revoked.version, program: { ref: revoked.program } }
      : { files: { some: { digest: revoked.digest } } }
  const releases = await transaction.release.findMany({
    where,
    select: { program: { select: { ref: true } } },
  })
  await transaction.release.updateMany({ where: { ...where, revoked: null }, data: { revoked: message } })
  for (const ref of new Set(releases.map(({ program }) => program.ref))) await refresh(transaction, ref)
}
