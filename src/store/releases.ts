import { Manifest } from '../domain/manifest.ts'
import { MANIFEST_FILE, type ProgramId } from '../domain/names.ts'
import { ReleaseDescriptor, ReleaseView } from '../domain/release.ts'
import type { Prisma } from './generated/client.ts'

/** What of a release's rows makes up its view. */
export const releaseSelect = {
  version: true,
  bundle: true,
  signer: true,
  publishedAt: true,
  manifest: true,
  program: { select: { ref: true } },
  files: { select: { name: true, digest: true, blob: { select: { size: true } } } },
} satisfies Prisma.ReleaseSelect

/** A release's rows, selected by {@link releaseSelect}. */
type ReleaseRow = Prisma.ReleaseGetPayload<{ select: typeof releaseSelect }>

/** What identifies a release and lets anyone check it; the manifest first, then its files by name. */
export const releaseDescriptor = (row: Omit<ReleaseRow, 'manifest'>): ReleaseDescriptor =>
  ReleaseDescriptor.parse({
    program: row.program.ref satisfies ProgramId,
    version: row.version,
    files: row.files
      .map(({ name, digest, blob }) => ({ name, digest, size: blob.size }))
      .sort((a, b) => rank(a.name).localeCompare(rank(b.name), 'en')),
    bundle: row.bundle,
  })

const rank = (name: string): string => (name === MANIFEST_FILE ? '' : name)

/** A release as the catalog shows it. */
export function releaseView(row: ReleaseRow): ReleaseView {
  const manifest = Manifest.parse(row.manifest)
  return ReleaseView.parse({
    ...releaseDescriptor(row),
    signer: row.signer,
    publishedAt: row.publishedAt.toISOString(),
    summary: manifest.summary,
    license: manifest.license,
    hooks: [...new Set(manifest.programs.map((program) => program.hook))],
  })
}
