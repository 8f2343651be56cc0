import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Digest, FileName, MANIFEST_FILE, ProgramId, Version } from '../domain/names.ts'
import { parseWith } from '../domain/yaml.ts'
import { parseDocument } from './document.ts'
import { sha256Digest } from './keys.ts'

/** Media type of an in-toto statement inside a DSSE envelope (in-toto attestation framework, `spec/v1/envelope.md`). */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json'
/** What the statement says of its subjects (`predicateType` of in-toto Statement v1): together they are this release. */
export const RELEASE_PREDICATE = 'https://hookline.dev/release/v1'
/** Type of a statement (in-toto attestation framework, `spec/v1/statement.md`). */
export const STATEMENT_V1 = 'https://in-toto.io/Statement/v1'

/** A release as its parts: what is signed, and what is held against a signature. */
export interface ReleaseParts {
  readonly program: ProgramId
  readonly version: string
  /** Every file by its name, hookline.yaml among them. */
  readonly files: ReadonlyMap<string, Buffer>
}

/** The statement of a release. Unknown fields are refused: nobody could say what they meant to their signer. */
export const ReleaseStatement = z.strictObject({
  _type: z.literal(STATEMENT_V1),
  subject: z
    .array(
      z.strictObject({
        name: FileName,
        digest: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits') }),
      }),
    )
    .min(1)
    .max(LIMITS.release_files),
  predicateType: z.literal(RELEASE_PREDICATE),
  predicate: z.strictObject({ name: ProgramId, version: Version }),
})
export type ReleaseStatement = z.infer<typeof ReleaseStatement>

/**
 * The bytes to sign for a release: an in-toto Statement v1 with every file as a subject. The same release always gives
 * the same bytes. Throws `too_large` beyond the limits of a release and `invalid_request` without hookline.yaml.
 */
export function releaseStatement({ program, version, files }: ReleaseParts): Buffer {
  requireReleaseLimits(files)
  if (!files.has(MANIFEST_FILE))
    throw new DomainError('invalid_request', `${program}@${version} has no ${MANIFEST_FILE} among its files`)
  const statement: ReleaseStatement = {
    _type: STATEMENT_V1,
    subject: [...files]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, bytes]) => ({ name, digest: { sha256: sha256Digest(bytes).slice('sha256:'.length) } })),
    predicateType: RELEASE_PREDICATE,
    predicate: { name: program, version },
  }
  return Buffer.from(JSON.stringify(parseWith(ReleaseStatement, statement, 'invalid_request', 'release')))
}

/** Reads a statement whose signature held. Throws `statement_invalid`. */
export const parseReleaseStatement = (payload: Buffer): ReleaseStatement =>
  parseDocument(payload, ReleaseStatement, 'statement_invalid', 'statement')

/** Refuses more files or bytes than a release may have. Throws `too_large`. */
export function requireReleaseLimits(files: ReadonlyMap<string, Buffer>): void {
  if (files.size > LIMITS.release_files)
    throw new DomainError('too_large', `the release has ${files.size} files, at most ${LIMITS.release_files}`)
  let total = 0
  for (const [name, { length }] of files) {
    total += length
    if (length > LIMITS.file_bytes)
      throw new DomainError('too_large', `${name} has ${length} bytes, a file at most ${LIMITS.file_bytes}`)
  }
  if (total > LIMITS.release_bytes)
    throw new DomainError('too_large', `the release has ${total} bytes, at most ${LIMITS.release_bytes}`)
}

/** Digest of a subject in the product's form. */
export const subjectDigest = (subject: ReleaseStatement['subject'][number]): Digest =>
  `sha256:${subject.digest.sha256}`
