import { parsePublicKey, sha256Digest } from '../attest/keys.ts'
import type { TrustedRoot } from '../attest/trusted-root.ts'
import { verifyRelease } from '../attest/verify-release.ts'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Manifest, parseManifest, requireSupported } from '../domain/manifest.ts'
import { requireFreeName } from '../domain/name-rules.ts'
import { type Digest, MANIFEST_FILE, releaseRef } from '../domain/names.ts'
import type { ReleaseView, Visibility } from '../domain/release.ts'
import { readObject } from '../elf/bpf-object.ts'
import { checkManifestAgainstObjects } from '../elf/check-manifest.ts'
import type { BlobStore } from '../ports/blob-store.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Namespaces } from '../ports/namespaces.ts'
import { requirePublisher } from './access.ts'

/** A release as it was sent. */
export interface Upload {
  /** The bytes of hookline.yaml. */
  readonly manifest: Buffer
  /** Sigstore bundle, JSON text; empty when none was sent. */
  readonly bundle: string
  /** The other files by name. */
  readonly files: ReadonlyMap<string, Buffer>
  /** Who may read the program, if it is new. */
  readonly visibility: Visibility
}

/** What publishing works on. */
export interface PublishDependencies {
  readonly catalog: Pick<Catalog, 'versions' | 'addRelease'>
  readonly namespaces: Pick<Namespaces, 'keys' | 'identities'>
  readonly blobs: Pick<BlobStore, 'put'>
  /** What signatures by identities are checked against. */
  readonly trustedRoot: TrustedRoot | undefined
}

/**
 * Publishes a release: all of it becomes visible at once, or nothing. What costs little and refuses most comes first;
 * files are stored before the one transaction that names them, so that a release never lacks a file.
 *
 * Throws `invalid_manifest`, `not_supported_yet`, what {@link requirePublisher} does, `name_reserved`, `name_look_alike`, `release_exists`, what the
 * object reader finds, `entry_not_found`, `object_mismatch`, and the codes of {@link verifyRelease}.
 */
export async function publish(
  { catalog, namespaces, blobs, trustedRoot: root }: PublishDependencies,
  actor: Actor,
  { manifest: manifestBytes, bundle, files: others, visibility }: Upload,
): Promise<ReleaseView> {
  const manifest = parseManifest(utf8(manifestBytes))
  requireSupported(manifest)
  // a text column cannot hold it, and no reader could show it
  if (manifest.summary.includes('\0'))
    throw new DomainError('invalid_manifest', 'hookline.yaml: summary: it holds a NUL character')
  const { name: program, version } = manifest
  const namespace = program.slice(0, program.indexOf('/'))
  const versions = await catalog.versions(program)
  requirePublisher(actor, program, versions === undefined)
  if (versions === undefined) requireFreeName(program.slice(namespace.length + 1))
  const keys = (await namespaces.keys(namespace)).map(({ spki }) => parsePublicKey(spki))
  if (versions?.includes(version) === true)
    throw new DomainError('release_exists', `${releaseRef(program, version)} is published already`)
  checkFiles(manifest, others)
  const files = new Map([[MANIFEST_FILE, manifestBytes], ...others])
  const allowed = [
    ...keys.map(({ fingerprint }) => fingerprint),
    ...(await namespaces.identities(namespace)).map(({ identity, issuer }) => ({ identity, issuer })),
  ]
  const { signer } = verifyRelease({ bundle, program, version, files, keys, allowed, root })
  const stored = await storeFiles(blobs, files)
  const readme = readmeText(manifest, others)
  return catalog.addRelease({ manifest, files: stored, bundle, signer, readme, visibility }, actor)
}

/** The manifest's bytes as text, refused rather than mended: what is shown must be what was signed. */
function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new DomainError('invalid_manifest', 'hookline.yaml is not UTF-8', { cause })
  }
}

/** The README as text to search in: what is no UTF-8 in it is of no use there. */
const readmeText = ({ readme }: Manifest, files: ReadonlyMap<string, Buffer>): string =>
  (readme === undefined ? '' : (files.get(readme)?.toString('utf8') ?? ''))
    .slice(0, LIMITS.search_readme_chars)
    .toWellFormed()
    .replaceAll('\0', ' ')

/** Every file that the manifest names is there, and each object is what the manifest says. */
function checkFiles(manifest: Manifest, files: ReadonlyMap<string, Buffer>): void {
  if (manifest.readme !== undefined && !files.has(manifest.readme))
    throw new DomainError('object_mismatch', `the manifest names ${manifest.readme}, which was not sent`)
  const objects = new Map(
    [...new Set(manifest.programs.map(({ object }) => object))].map((name) => {
      const bytes = files.get(name)
      if (bytes === undefined)
        throw new DomainError('object_mismatch', `the manifest names ${name}, which was not sent`)
      return [name, readObject(bytes)] as const
    }),
  )
  checkManifestAgainstObjects(manifest, objects)
}

async function storeFiles(
  blobs: Pick<BlobStore, 'put'>,
  files: ReadonlyMap<string, Buffer>,
): Promise<{ name: string; digest: Digest; size: number }[]> {
  const stored = [...files].map(([name, bytes]) => ({
    name,
    digest: sha256Digest(bytes),
    size: bytes.length,
    bytes,
  }))
  const distinct = new Map(stored.map(({ digest, bytes }) => [digest, bytes]))
  await Promise.all([...distinct].map(([digest, bytes]) => blobs.put(digest, bytes)))
  return stored.map(({ name, digest, size }) => ({ name, digest, size }))
}
