import semver from 'semver'
import { z } from 'zod'
import { Hook } from './hook.ts'
import { LIMITS } from './limits.ts'
import { LogPlace } from './log.ts'
import { Digest, FileName, Name, ProgramId, Version } from './names.ts'
import { Permission } from './permission.ts'
import { isPlainText, NOT_PLAIN } from './shown-text.ts'
import { Signer } from './signer.ts'

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
  /** Sigstore bundles of further signers over the same files. */
  bundles: z.array(z.string().max(LIMITS.bundle_bytes)).max(LIMITS.release_bundles).default([]),
  /** Sigstore bundle with an SLSA v1 provenance of its objects. */
  provenance: z.string().max(LIMITS.bundle_bytes).optional(),
  /** Where its publication stands in the log of the catalog; nodes are told. */
  logged: LogPlace.optional(),
})
export type ReleaseDescriptor = z.infer<typeof ReleaseDescriptor>

/** A text of a signed document, to be shown. */
const Shown = z.string().min(1).max(LIMITS.signer_chars).refine(isPlainText, NOT_PLAIN)

/** A further signature over a release: a Sigstore bundle (JSON text). */
export const BundleRequest = z.strictObject({ bundle: z.string().max(LIMITS.bundle_bytes) })

/** Why something was done to a program or a release; shown to everybody who looks at it. */
export const Message = z
  .string()
  .trim()
  .min(1)
  .max(LIMITS.message_chars)
  .refine((text) => !text.includes('\0'), 'it holds a NUL character')

/** A movable name of a release, such as stable. What reads as a version or a range is none. */
export const ChannelName = Name.refine(
  (name) => semver.validRange(name) === null,
  'it reads as a version range',
)

/**
 * What became of a release. `yanked`: left out where another one fits. `deprecated`: works, but has a better successor.
 * `quarantined`: its namespace's members see it, nobody gets it. `revoked`: its publisher, or an operator, signed that nodes
 * must stop running it; its bytes stay, as evidence.
 */
const Standing = {
  yanked: Message.optional(),
  deprecated: Message.optional(),
  quarantined: Message.optional(),
  revoked: Message.optional(),
}

/** Whether only members of its namespace, and nodes that run it, may read a program; absent where everybody may. */
const Private = z.literal(true).optional()

/** Why, in words for everybody. */
export const MessageRequest = z.strictObject({ message: Message.refine(isPlainText, NOT_PLAIN) })

/** Where a channel points. */
export const ChannelRequest = z.strictObject({ version: Version })

/** What somebody may hold against a program. */
export const ReportReason = z.enum(['malware', 'vulnerability', 'licence', 'name', 'other'])

/** A report to the administrators. */
export const ReportRequest = z.strictObject({
  program: ProgramId,
  version: Version.optional(),
  reason: ReportReason,
  text: Message.refine(isPlainText, NOT_PLAIN),
})
export type ReportRequest = z.infer<typeof ReportRequest>

/** A report as administrators see it; open until there is a resolution. */
export const ReportView = z.strictObject({
  id: z.uuid(),
  ...ReportRequest.shape,
  text: Message,
  account: z.string(),
  reportedAt: z.iso.datetime(),
  resolution: Message.optional(),
})
export type ReportView = z.infer<typeof ReportView>

/** Reports, the newest first. */
export const ReportList = z.strictObject({ reports: z.array(ReportView) })

/** Where a release was built, as its provenance says. */
export const BuildFacts = z.strictObject({
  builder: Shown,
  buildType: Shown,
  /** What it was built from, where the provenance names it. */
  source: Shown.optional(),
  /** Who signed that, where it could be checked. */
  signer: Signer.optional(),
})
export type BuildFacts = z.infer<typeof BuildFacts>

/** The same with the path of its bundle. */
export const ProvenanceView = z.strictObject({ ...BuildFacts.shape, bundle: z.string() })
export type ProvenanceView = z.infer<typeof ProvenanceView>

/** A release as the catalog shows it. */
export const ReleaseView = z.strictObject({
  ...ReleaseDescriptor.shape,
  provenance: ProvenanceView.optional(),
  signer: Signer,
  /** All that signed it, the publisher first. */
  signers: z.array(Signer),
  publishedAt: z.iso.datetime(),
  summary: z.string(),
  license: z.string(),
  hooks: z.array(Hook),
  /** What its bytecode was found able to do. */
  permissions: z.array(Permission),
  private: Private,
  ...Standing,
})
export type ReleaseView = z.infer<typeof ReleaseView>

/** A program as the catalog shows it: versions by precedence, newest first. */
export const ProgramView = z.strictObject({
  program: ProgramId,
  summary: z.string(),
  versions: z.array(
    z.strictObject({ version: Version, publishedAt: z.iso.datetime(), signer: Signer, ...Standing }),
  ),
  /** Movable names of releases. */
  channels: z.record(ChannelName, Version).default({}),
  private: Private,
  deprecated: Message.optional(),
  quarantined: Message.optional(),
})
export type ProgramView = z.infer<typeof ProgramView>

/** A page of the catalog; `next` is the cursor of the page behind it. */
export const ProgramPage = z.strictObject({
  programs: z.array(z.strictObject({ program: ProgramId, latest: Version, summary: z.string() })),
  next: z.string().optional(),
})
export type ProgramPage = z.infer<typeof ProgramPage>
