import { z } from 'zod'
import { Hook } from './hook.ts'
import { LIMITS } from './limits.ts'
import { Digest, FileName, ProgramId, Version } from './names.ts'

/** Who may read a program: everybody, or the members of its namespace and the nodes that run it. */
export const Visibility = z.enum(['public', 'private'])
export type Visibility = z.infer<typeof Visibility>

/** A file of a release; the manifest is one of them, under the name hookline.yaml. */
export const ReleaseFile = z.strictObject({
  name: FileName,
  digest: Digest,
  size: z.int().min(0).max(LIMITS.file_bytes),
})
export type ReleaseFile = z.infer<typeof ReleaseFile>

/** What identifies a release and lets anyone check it: its files by digest and its Sigstore bundle (JSON text). */
export const ReleaseDescriptor = z.strictObject({
  program: ProgramId,
  version: Version,
  files: z.array(ReleaseFile).min(1).max(LIMITS.release_files),
  bundle: z.string().max(LIMITS.bundle_bytes),
})
export type ReleaseDescriptor = z.infer<typeof ReleaseDescriptor>

/** A release as the catalog shows it. */
export const ReleaseView = z.strictObject({
  ...ReleaseDescriptor.shape,
  signer: Digest,
  publishedAt: z.iso.datetime(),
  summary: z.string(),
  license: z.string(),
  hooks: z.array(Hook),
})
export type ReleaseView = z.infer<typeof ReleaseView>

/** A program as the catalog shows it: versions by precedence, newest first. */
export const ProgramView = z.strictObject({
  program: ProgramId,
  summary: z.string(),
  versions: z.array(z.strictObject({ version: Version, publishedAt: z.iso.datetime(), signer: Digest })),
})
export type ProgramView = z.infer<typeof ProgramView>

/** A page of the catalog; `next` is the cursor of the page behind it. */
export const ProgramPage = z.strictObject({
  programs: z.array(z.strictObject({ program: ProgramId, latest: Version, summary: z.string() })),
  next: z.string().optional(),
})
export type ProgramPage = z.infer<typeof ProgramPage>
