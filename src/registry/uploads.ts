import { buffer } from 'node:stream/consumers'
import { sha256Digest } from '../attest/keys.ts'
import type { TokenActor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type { StagedFile, StagedNames } from '../domain/upload.ts'
import type { BlobStore } from '../ports/blob-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Uploads } from '../ports/uploads.ts'
import { type KeepDependencies, keepBlobs } from './keep-blobs.ts'

/** What sending ahead works on. */
interface UploadDependencies {
  readonly uploads: Uploads
  readonly blobs: Pick<BlobStore, 'open'>
  readonly clock: Clock
}

/**
 * Keeps a file that is sent ahead of its release, for a day. Throws `digest_mismatch`, `quota_exceeded`, `blob_being_removed`.
 */
export async function stageFile(
  { uploads, clock, ...keeping }: Omit<UploadDependencies, 'blobs'> & KeepDependencies,
  { account }: TokenActor,
  digest: Digest,
  bytes: Buffer,
): Promise<StagedFile> {
  const found = sha256Digest(bytes)
  if (found !== digest)
    throw new DomainError(
      'digest_mismatch',
      `the bytes that were sent have the digest ${found}, not ${digest}`,
    )
  const now = clock()
  const staged = await uploads.add(
    account.id,
    digest,
    bytes.length,
    now,
    new Date(now.getTime() + LIMITS.staged_s * 1000),
  )
  try {
    await keepBlobs(keeping, new Map([[digest, bytes]]))
  } catch (thrown) {
    // it must be sent again, and is not listed as what is there
    await uploads.forget(account.id, [digest])
    throw thrown
  }
  return staged
}

/**
 * The bytes of files that were sent ahead, by name. Only by whoever sent them: a digest alone opens nothing. Throws
 * `upload_missing`.
 */
export async function stagedFiles(
  { uploads, blobs, clock }: UploadDependencies,
  { account }: TokenActor,
  names: StagedNames,
): Promise<Map<string, Buffer>> {
  if (names.length === 0) return new Map()
  const known = new Set((await uploads.list(account.id, clock())).map(({ digest }) => digest))
  const files = new Map<string, Buffer>()
  for (const { name, digest } of names) {
    if (!known.has(digest)) throw new DomainError('upload_missing', `${name} (${digest}) was not sent ahead`)
    files.set(name, await buffer(await blobs.open(digest)))
  }
  return files
}
