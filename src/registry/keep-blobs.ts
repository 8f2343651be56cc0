import { setTimeout as pause } from 'node:timers/promises'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type { BlobClaims } from '../ports/blob-claims.ts'
import type { BlobStore } from '../ports/blob-store.ts'

/** What keeping bytes works on. */
export interface KeepDependencies {
  readonly blobs: Pick<BlobStore, 'put'>
  readonly blobClaims: Pick<BlobClaims, 'claim'>
}

/**
 * Puts bytes that a release, or a file sent ahead, is going to name. They are claimed first: a store skips bytes that it has, and
 * so they must not be removed between here and their being named. Throws `blob_being_removed` when the same bytes are being
 * removed and that takes longer than LIMITS.blob_claim_ms.
 */
export async function keepBlobs(
  { blobs, blobClaims }: KeepDependencies,
  files: ReadonlyMap<Digest, Buffer>,
): Promise<void> {
  const tries = Math.ceil(LIMITS.blob_claim_ms / LIMITS.blob_claim_pause_ms)
  let left = await blobClaims.claim([...files].map(([digest, { length }]) => ({ digest, size: length })))
  for (let tried = 0; left.length > 0 && tried < tries; tried++) {
    await pause(LIMITS.blob_claim_pause_ms)
    left = await blobClaims.claim(left)
  }
  const [first] = left
  if (first !== undefined)
    throw new DomainError('blob_being_removed', `${first.digest} is just being removed`)
  await Promise.all([...files].map(([digest, bytes]) => blobs.put(digest, bytes)))
}
