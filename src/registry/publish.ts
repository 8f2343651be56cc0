import { sha256Digest } from '../attest/keys.ts'
import type { BundleClaim } from '../attest/open-bundle.ts'
import { describeProvenance, verifyProvenance } from '../attest/provenance.ts'
import type { TrustedRoot } from '../attest/trusted-root.ts'
import { verifyRelease } from '../attest/verify-release.ts'
import type { Actor } from '../domain/account.ts'
import { type Check, checked, warned } from '../domain/check.ts'
import { asDomainError, DomainError, type ErrorCode, isErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Manifest, objectDigests, parseManifest } from '../domain/manifest.ts'
import { requireFreeName } from '../domain/name-rules.ts'
import { type Digest, MANIFEST_FILE, releaseRef } from '../domain/names.ts'
import type { PermissionFinding } from '../domain/permission.ts'
import type { BuildFacts, ReleaseView, Visibility } from '../domain/release.ts'
import type { Signer } from '../domain/signer.ts'
import { checkContents } from '../elf/check-contents.ts'
import type { Catalog, NewRelease, SignedBundle } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { Namespaces } from '../ports/namespaces.ts'
import { readableBy, requirePublisher } from './access.ts'
import { type KeepDependencies, keepBlobs } from './keep-blobs.ts'
import { signersOf } from './signers.ts'

/** A release as it was sent. */
export interface Upload {
  /** The bytes of hookline.yaml. */
  readonly manifest: Buffer
  /** Sigstore bundle, JSON text; empty when none was sent. */
  readonly bundle: string
  /** Sigstore bundles of further signers. */
  readonly bundles: readonly string[]
  /** Sigstore bundle with an SLSA v1 provenance. */
  readonly provenance: string | undefined
  /** The other files by name. */
  readonly files: ReadonlyMap<string, Buffer>
  /** Who may read the program, if it is new; `private` is refused for one that is public. */
  readonly visibility: Visibility
}

/** What publishing works on. */
export interface PublishDependencies extends KeepDependencies {
  readonly catalog: Pick<Catalog, 'versions' | 'addRelease' | 'holders'>
  readonly namespaces: Pick<Namespaces, 'keys' | 'identities'>
  /** What signatures by identities are checked against. */
  readonly trustedRoot: TrustedRoot | undefined
  readonly clock: Clock
}

/** A release that may be published. */
interface SoundRelease {
  readonly manifest: Manifest
  readonly files: ReadonlyMap<string, Buffer>
  readonly signer: Signer
  readonly findings: readonly PermissionFinding[]
  readonly bundles: readonly SignedBundle[]
  readonly provenance: NewRelease['provenance']
}

/**
 * Publishes a release: all of it becomes visible at once, or nothing. Files are stored before the one transaction that names
 * them, so that a release never lacks a file. Throws as {@link checkUpload}, the first check that failed with the list of all,
 * `name_look_alike`, `blob_being_removed`, and `program_public` when it is to be private and the program is not.
 */
export async function publish(
  dependencies: PublishDependencies,
  actor: Actor,
  upload: Upload,
): Promise<ReleaseView> {
  const { catalog } = dependencies
  const { checks, sound } = await checkUpload(dependencies, actor, upload)
  const first = checks.find(({ level }) => level === 'error')
  if (first !== undefined || sound === undefined)
    throw new DomainError(errorCode(first?.code), first?.detail ?? 'the release cannot be published', {
      checks,
    })
  const { files, ...signed } = sound
  const { bundle, visibility } = upload
  const stored = await storeFiles(dependencies, files)
  const readme = readmeText(signed.manifest, files)
  return catalog.addRelease({ ...signed, files: stored, bundle, readme, visibility }, actor)
}

const errorCode = (code: string | undefined): ErrorCode =>
  code !== undefined && isErrorCode(code) ? code : 'internal'

/**
 * Checks a release as it was sent, and gives all that was found; whoever may not publish it hears only that. Throws
 * `invalid_manifest` for what is none, and what {@link requirePublisher} does.
 */
export async function checkUpload(
  { catalog, namespaces, trustedRoot: root, clock }: PublishDependencies,
  actor: Actor,
  { manifest: manifestBytes, bundle, bundles, provenance, files: others }: Upload,
): Promise<{ checks: Check[]; sound: SoundRelease | undefined }> {
  const manifest = parseManifest(utf8(manifestBytes))
  const { name: program, version } = manifest
  const namespace = program.slice(0, program.indexOf('/'))
  const versions = await catalog.versions(program)
  requirePublisher(actor, program, versions === undefined)
  const { keys, allowed, requireValid } = await signersOf(namespaces, namespace)
  const files = new Map([[MANIFEST_FILE, manifestBytes], ...others])
  const signed: SignedBundle[] = []
  let built: NewRelease['provenance']
  const ref = releaseRef(program, version)
  const contents = checkContents(manifest, others)
  const objects = objectDigests(
    manifest,
    new Map([...others].map(([name, bytes]) => [name, sha256Digest(bytes)])),
  )
  const checks = [
    checked('name', program, () => {
      if (versions === undefined) requireFreeName(program.slice(namespace.length + 1))
    }),
    checked('version', `${ref} is free`, () => {
      if (versions?.includes(version) === true)
        throw new DomainError('release_exists', `${ref} was published before`)
    }),
    ...contents.checks,
    ...[bundle, ...bundles].map((one) =>
      checked('signature', 'an accepted signer signed exactly these files', () => {
        const { signer } = verifyRelease({ bundle: one, program, version, files, keys, allowed, root })
        requireValid(signer, clock())
        signed.push({ bundle: one, signer })
      }),
    ),
    ...(provenance === undefined
      ? []
      : [
          checked('provenance', 'the provenance says where every object was built', () => {
            const accepted = { what: `the provenance of ${ref}`, keys, allowed: 'any', root } as const
            built = { bundle: provenance, facts: factsOf(provenance, objects, accepted) }
          }),
        ]),
    ...(await checkDuplicates(catalog, actor, manifest, objects)),
  ]
  const [first, ...rest] = signed
  if (first === undefined) return { checks, sound: undefined }
  const { findings } = contents
  const { signer } = first
  return { checks, sound: { manifest, files, signer, findings, bundles: rest, provenance: built } }
}

/** What a provenance says; who signed it is left out where it cannot be checked here, and for nodes to decide anyway. */
function factsOf(provenance: string, objects: Map<string, Digest>, accepted: BundleClaim): BuildFacts {
  try {
    return verifyProvenance(provenance, objects, accepted)
  } catch (thrown) {
    const unknown = ['no_trusted_root', 'signer_not_allowed'].includes(asDomainError(thrown).code)
    if (!unknown) throw thrown
    return describeProvenance(provenance, objects)
  }
}

/** Objects that another program has, of those that the publisher may see. */
async function checkDuplicates(
  catalog: Pick<Catalog, 'holders'>,
  actor: Actor,
  manifest: Manifest,
  digests: ReadonlyMap<string, Digest>,
): Promise<Check[]> {
  const objects = [...digests].map(([name, digest]) => ({ name, digest }))
  const held = await catalog.holders(
    objects.map(({ digest }) => digest),
    readableBy(actor),
  )
  return objects.flatMap(({ name, digest }) => {
    const other = held.find((one) => one.digest === digest && one.program !== manifest.name)
    if (other === undefined) return []
    const ref = releaseRef(other.program, other.version)
    return [
      warned('duplicate', `${name} is byte for byte an object of ${ref}`, `use ${ref}, or say what differs`),
    ]
  })
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

async function storeFiles(
  dependencies: KeepDependencies,
  files: ReadonlyMap<string, Buffer>,
): Promise<{ name: string; digest: Digest; size: number }[]> {
  const stored = [...files].map(([name, bytes]) => ({
    name,
    digest: sha256Digest(bytes),
    size: bytes.length,
    bytes,
  }))
  await keepBlobs(dependencies, new Map(stored.map(({ digest, bytes }) => [digest, bytes])))
  return stored.map(({ name, digest, size }) => ({ name, digest, size }))
}
