import type { Digest } from '../domain/names.ts'

/** Bytes by their digest, in bytes. */
interface BlobSize {
  readonly digest: Digest
  readonly size: number
}

/** Blobs that one process removes; `lease` says which time it was that they were condemned. */
interface CondemnedBlobs {
  readonly digests: readonly Digest[]
  readonly lease: string
}

/**
 * Knows of every blob before its bytes are put, and by that which of them nothing names any more. A blob that is claimed is
 * kept for LIMITS.blob_grace_s; one that is condemned cannot be claimed until it was forgotten or LIMITS.blob_settle_s passed.
 */
export interface BlobClaims {
  /** Claims blobs, committed when it resolves; gives those that cannot be claimed now. */
  claim(blobs: readonly BlobSize[]): Promise<readonly BlobSize[]>
  /**
   * Condemns up to `most` blobs that no release and no file that was sent ahead names, or whose removal was not finished in
   * LIMITS.blob_retry_s. Each is given to one caller.
   */
  condemn(most: number): Promise<CondemnedBlobs>
  /** Forgets a blob whose bytes are gone, unless it is another's by now. */
  forget(digest: Digest, lease: string): Promise<void>
}
