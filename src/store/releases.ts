import { DomainError } from '../domain/errors.ts'
import { type LogPlace, logPlace } from '../domain/log.ts'
import type { Manifest } from '../domain/manifest.ts'
import { type Digest, MANIFEST_FILE, type ProgramId } from '../domain/names.ts'
import { PermissionFinding, permissionsOf } from '../domain/permission.ts'
import {
  BuildFacts,
  type ProvenanceView,
  ReleaseDescriptor,
  type ReleaseFile,
  type ReleaseView,
  type Visibility,
} from '../domain/release.ts'
import { Signer } from '../domain/signer.ts'
import type { Transaction } from './database.ts'

/** What makes a release's descriptor, as rows hold it. */
interface DescribedRelease {
  readonly ref: ProgramId
  readonly version: string
  readonly bundle: string
  readonly bundles: readonly ({ readonly bundle: string } & SignedRow)[]
  readonly provenance: string | null
  readonly files: readonly ReleaseFile[]
  readonly logged?: LogPlace | undefined
}

/** What is read of a release's further signatures, in their order. */
export const BUNDLES = {
  orderBy: { position: 'asc' },
  select: { bundle: true, signer: true, signerIdentity: true, signerIssuer: true },
} as const

/** What identifies a release and lets anyone check it; the manifest first, then its files by name. */
export const releaseDescriptor = (release: DescribedRelease): ReleaseDescriptor => {
  const { ref, version, bundle, bundles, provenance, files, logged } = release
  return ReleaseDescriptor.parse({
    ...{ program: ref, version, bundle, bundles: bundles.map((one) => one.bundle) },
    ...(provenance === null ? {} : { provenance }),
    files: [...files].sort((a, b) => (rank(a.name) < rank(b.name) ? -1 : 1)),
    ...(logged === undefined ? {} : { logged }),
  })
}

const rank = (name: string): string => (name === MANIFEST_FILE ? '' : name)

/** What was said about a release, null where nothing was. */
interface Marks {
  readonly yanked: string | null
  readonly deprecated: string | null
  readonly quarantined: string | null
  readonly revoked: string | null
}

/** The same as columns of a row. */
export const signerColumns = (signer: Signer) =>
  typeof signer === 'string' ? { signer } : { signerIdentity: signer.identity, signerIssuer: signer.issuer }

/** What became of a release; what did not is left out. */
export const standingOf = ({ yanked, deprecated, quarantined, revoked }: Marks) => ({
  ...(yanked === null ? {} : { yanked }),
  ...(deprecated === null ? {} : { deprecated }),
  ...(quarantined === null ? {} : { quarantined }),
  ...(revoked === null ? {} : { revoked }),
})

/** Who signed, as a row holds it: a key, or an identity and its issuer. */
interface SignedRow {
  readonly signer: string | null
  readonly signerIdentity: string | null
  readonly signerIssuer: string | null
}

/** Who signed a release. */
export const signerOf = ({ signer, signerIdentity, signerIssuer }: SignedRow): Signer =>
  Signer.parse(signer ?? { identity: signerIdentity, issuer: signerIssuer })

/** Where a release's bytecode needs which permission, as its row holds it. */
export const findingsOf = ({ findings }: { readonly findings: unknown }): PermissionFinding[] =>
  PermissionFinding.array().parse(findings)

/** A release as the catalog shows it. */
export const releaseView = (
  {
    built,
    ...release
  }: DescribedRelease &
    Marks &
    SignedRow & {
      publishedAt: Date
      findings: unknown
      built: unknown
      program: { visibility: Visibility }
    },
  manifest: Manifest,
): ReleaseView => ({
  ...withoutProvenance(releaseDescriptor(release)),
  ...(release.provenance === null ? {} : { provenance: provenanceView(release, built) }),
  signer: signerOf(release),
  signers: [release, ...release.bundles].map(signerOf),
  publishedAt: release.publishedAt.toISOString(),
  summary: manifest.summary,
  license: manifest.license,
  hooks: [...new Set(manifest.programs.map((program) => program.hook))],
  permissions: permissionsOf(findingsOf(release)),
  ...privacyOf(release.program),
  ...standingOf(release),
})

/** Says of a program that is not for everybody that it is private, and nothing of others. */
export const privacyOf = ({ visibility }: { readonly visibility: Visibility }): { private?: true } =>
  visibility === 'private' ? { private: true } : {}

const withoutProvenance = ({ provenance: _, ...descriptor }: ReleaseDescriptor) => descriptor

const provenanceView = ({ ref, version }: DescribedRelease, built: unknown): ProvenanceView => ({
  ...BuildFacts.parse(built),
  bundle: `/api/v1/programs/${ref}/versions/${version}/provenance`,
})

/** The files of releases, by the release's id, in one query. */
export async function readFiles(
  client: Pick<Transaction, 'releaseFile'>,
  releaseIds: readonly string[],
): Promise<Map<string, ReleaseFile[]>> {
  const rows = await client.releaseFile.findMany({
    where: { releaseId: { in: [...releaseIds] } },
    select: { releaseId: true, name: true, digest: true, blob: { select: { size: true } } },
  })
  const files = new Map<string, ReleaseFile[]>(releaseIds.map((id) => [id, []]))
  for (const { releaseId, name, digest, blob } of rows)
    files.get(releaseId)?.push({ name, digest, size: blob.size })
  return files
}

/** Refuses a file that was revoked: a new release of it would be taken nowhere. Throws `release_revoked`. */
export async function requireNoneRevoked(transaction: Transaction, files: readonly Digest[]): Promise<void> {
  const found = await transaction.revocation.findFirst({ where: { file: { in: [...files] } } })
  if (found !== null)
    throw new DomainError('release_revoked', `${found.file} was revoked as ${found.reason}: ${found.message}`)
}

/** Where the publications of releases stand in the log of the catalog, by their indexes there, in one query. */
export async function readPlaces(
  client: Pick<Transaction, 'logEntry'>,
  indexes: readonly (bigint | null)[],
): Promise<Map<bigint, LogPlace>> {
  const index = { in: indexes.filter((one) => one !== null) }
  const rows = await client.logEntry.findMany({ where: { log: 'catalog', index } })
  return new Map(rows.map((row) => [row.index, logPlace({ ...row, index: Number(row.index) })]))
}
