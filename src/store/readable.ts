import { DomainError } from '../domain/errors.ts'
import { type ProgramId, releaseRef } from '../domain/names.ts'
import type { Readable } from '../ports/catalog.ts'
import type { Prisma } from './generated/client.ts'

/** Programs that are public and not quarantined, or that `readable` names. */
export const readableOnly = (readable: Readable): Prisma.ProgramWhereInput => ({
  OR: [{ visibility: 'public', quarantined: null }, namedBy(readable)],
})

/** There is no such program, or not for whoever asks. */
export const absentProgram = (ref: ProgramId): DomainError =>
  new DomainError('not_found', `there is no program ${ref}`)

/** There is no such release, or no longer. */
export const absentRelease = (ref: ProgramId, version: string): DomainError =>
  new DomainError('version_not_found', `there is no release ${releaseRef(ref, version)}`)

/** Releases that were not deleted, and are not quarantined, unless `readable` names their program. */
export const readableReleases = (readable: Readable): Prisma.ReleaseWhereInput => ({
  deletedAt: null,
  OR: [{ quarantined: null }, { program: namedBy(readable) }],
})

/** Programs that `readable` names. */
export const namedBy = (readable: Readable): Prisma.ProgramWhereInput => ({
  OR: readable.map((pattern) =>
    pattern.endsWith('*') ? { ref: { startsWith: pattern.slice(0, -1) } } : { ref: pattern },
  ),
})
