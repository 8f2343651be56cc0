import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { Digest, FileName } from './names.ts'

/** A file that was sent ahead. */
export const StagedFile = z.strictObject({
  digest: Digest,
  size: z.int().min(0).max(LIMITS.file_bytes),
  expiresAt: z.iso.datetime(),
})
export type StagedFile = z.infer<typeof StagedFile>

/** One's own files that were sent ahead and are still kept. */
export const StagedList = z.strictObject({ files: z.array(StagedFile) })

/** The files of a release that were sent ahead, by their names in it. */
export const StagedNames = z
  .array(z.strictObject({ name: FileName, digest: Digest }))
  .max(LIMITS.release_files)
export type StagedNames = z.infer<typeof StagedNames>
