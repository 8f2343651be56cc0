import { DomainError } from '../domain/errors.ts'
import { type Digest, MANIFEST_FILE, releaseRef } from '../domain/names.ts'
import type { Signer } from '../domain/signer.ts'
import { sha256Digest } from './keys.ts'
import { type BundleClaim, openBundle } from './open-bundle.ts'
import {
  parseReleaseStatement,
  type ReleaseParts,
  type ReleaseStatement,
  requireReleaseLimits,
  STATEMENT_TYPE,
  subjectDigest,
} from './release-statement.ts'

/** A release as it arrived, and who may have signed it. */
export interface ReleaseClaim extends ReleaseParts, Omit<BundleClaim, 'what'> {
  /** Sigstore bundle, JSON text; empty when there is none. */
  readonly bundle: string
}

/** The same with files named by their digests. */
export interface DigestClaim extends Omit<ReleaseClaim, 'files'> {
  readonly digests: ReadonlyMap<string, Digest>
}

/**
 * Checks that an accepted signer signed exactly these files as exactly this release, and gives the signer. The checks
 * come in this order and each stops an attack of its own; whatever is not understood is refused.
 *
 * Throws `bundle_missing`, `statement_invalid`, `release_mismatch`, `subject_mismatch`, `manifest_mismatch`,
 * `subject_missing`, `subject_unsigned`, and what {@link openBundle} does.
 */
export function verifyRelease({ files, ...claim }: ReleaseClaim): { signer: Signer } {
  return verifyReleaseDigests({ ...claim, digests: digestsOf(files) })
}

/** Digests of files by name. Throws `too_large` beyond the limits of a release. */
export function digestsOf(files: ReadonlyMap<string, Buffer>): Map<string, Digest> {
  requireReleaseLimits(files)
  return new Map([...files].map(([name, bytes]) => [name, sha256Digest(bytes)]))
}

/**
 * The same for files that are known by name and digest alone, so that nothing which was not signed need be fetched. Who
 * then fetches must hold each file to its digest. Throws as {@link verifyRelease}.
 */
export function verifyReleaseDigests(claim: DigestClaim): { signer: Signer } {
  const what = releaseRef(claim.program, claim.version)
  if (claim.bundle === '') throw new DomainError('bundle_missing', `${what} is not signed: it has no bundle`)
  const { signer, payload, payloadType } = openBundle(claim.bundle, { ...claim, what })
  requireStatementType(payloadType)
  const statement = parseReleaseStatement(payload)
  requireRelease(statement, claim)
  requireSubjects(statement, claim.digests)
  return { signer }
}

/** Confusion of documents: what the same key signed as something else, an order for one, is no release. */
function requireStatementType(payloadType: string): void {
  if (payloadType !== STATEMENT_TYPE)
    throw new DomainError(
      'statement_invalid',
      `the signed document is ${JSON.stringify(payloadType)}, not ${STATEMENT_TYPE}`,
    )
}

/** Substitution: another program's, or an older version's, genuine signature under this name. */
function requireRelease({ predicate }: ReleaseStatement, { program, version }: DigestClaim): void {
  if (predicate.name !== program || predicate.version !== version)
    throw new DomainError(
      'release_mismatch',
      `the signature is for ${releaseRef(predicate.name, predicate.version)}, not ${releaseRef(program, version)}`,
    )
}

/** Mix and match: an object, a manifest or a further file that was not signed with the others. */
function requireSubjects({ subject }: ReleaseStatement, digests: ReadonlyMap<string, Digest>): void {
  const seen = new Set<string>()
  for (const item of subject) {
    if (seen.has(item.name)) throw mismatch(`the statement names ${item.name} twice`)
    seen.add(item.name)
    const digest = digests.get(item.name)
    if (digest === undefined)
      throw new DomainError('subject_missing', `${item.name} was signed, but is not among the files`)
    if (digest === subjectDigest(item)) continue
    if (item.name === MANIFEST_FILE)
      throw new DomainError('manifest_mismatch', `${item.name} is not the manifest that was signed`)
    throw mismatch(`${item.name} is not the file that was signed`)
  }
  for (const name of digests.keys())
    if (!seen.has(name))
      throw new DomainError('subject_unsigned', `${name} is among the files, but was not signed`)
}

const mismatch = (why: string): DomainError => new DomainError('subject_mismatch', why)
