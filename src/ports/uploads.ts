import type { Digest } from '../domain/names.ts'
import type { StagedFile } from '../domain/upload.ts'

/** Remembers which files somebody sent ahead: whoever did not send one cannot name it. */
export interface Uploads {
  /** The files of a holder that are still kept. */
  list(holder: string, now: Date): Promise<StagedFile[]>
  /** Remembers a file until `expiresAt`. Throws `quota_exceeded`. */
  add(holder: string, digest: Digest, size: number, now: Date, expiresAt: Date): Promise<StagedFile>
  /** Forgets files, which a release has now. */
  forget(holder: string, digests: readonly Digest[]): Promise<void>
}
