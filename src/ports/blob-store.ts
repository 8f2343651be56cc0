import type { Readable } from 'node:stream'
import type { Digest } from '../domain/names.ts'

/** First and last byte of a part, both inclusive, within the blob. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Keeps bytes by their SHA-256. A blob is there whole or not at all, and never changes. */
export interface BlobStore {
  /** Keeps `bytes`; durable when it resolves. Keeping the same bytes again is fine. Throws `digest_mismatch`. */
  put(digest: Digest, bytes: Buffer): Promise<void>
  /** The bytes, or of a `range` its part. Throws `not_found`. The caller consumes or destroys the stream. */
  open(digest: Digest, range?: ByteRange): Promise<Readable>
  /** Removes the bytes, for good when it resolves. Removing what is not there is fine. */
  remove(digest: Digest): Promise<void>
  /** Resolves when a blob could be kept now; throws what stands in the way. */
  ready(): Promise<void>
}
