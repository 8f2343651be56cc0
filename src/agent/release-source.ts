import { sha256Digest } from '../attest/keys.ts'
import { digestsOf } from '../attest/verify-release.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Manifest, parseManifest, requireSupported } from '../domain/manifest.ts'
import { type Digest, MANIFEST_FILE, releaseRef } from '../domain/names.ts'
import { type PermissionFinding, requireGranted } from '../domain/permission.ts'
import type { ReleaseDescriptor, ReleaseFile } from '../domain/release.ts'
import type { Signer } from '../domain/signer.ts'
import { type BpfObject, readObject } from '../elf/bpf-object.ts'
import { checkManifestAgainstObjects } from '../elf/check-manifest.ts'
import { type AskedEntry, findPermissions } from '../elf/permissions/find-permissions.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { type Judge, requireDeclared, requireRule, requireSigned, signersOf } from './release-trust.ts'

/** A release of which every byte was checked; `files` are the very buffers that were. */
export interface VerifiedRelease {
  readonly ref: string
  readonly manifest: Manifest
  /** The accepted signers, and who vouches for its provenance where the policy asks for one. */
  readonly signers: readonly Signer[]
  readonly files: ReadonlyMap<string, Buffer>
  readonly objects: ReadonlyMap<string, BpfObject>
}

/**
 * Fetches a release and checks it in a fixed order: policy, then bundles, signers, statement, listed digests, what the judge's
 * `vet` asks of it, and age before anything is downloaded; the manifest, its licence and the provenance before its objects
 * are; digest and size of each file; the same verifier over the bytes; the manifest against its objects; what their
 * bytecode can do against what the policy grants.
 *
 * Throws `policy_denied`, `digest_mismatch`, the codes of {@link requireSigned} and {@link requireDeclared},
 * `not_supported_yet`, `object_mismatch`, `permission_not_granted`, `registry_unavailable`.
 */
export async function obtainRelease(
  descriptor: ReleaseDescriptor,
  judge: Judge,
  state: Pick<AgentState, 'blob' | 'saveBlob'>,
  registry: Pick<NodeRegistry, 'blob'>,
  signal: AbortSignal,
): Promise<VerifiedRelease> {
  const { program, version } = descriptor
  const ref = releaseRef(program, version)
  const rule = requireRule(judge.policy, descriptor)

  // nothing that was not signed is fetched or kept: a registry must not fill a node's disk
  await requireSigned(rule, descriptor, listedDigests(ref, descriptor), judge)
  const files = new Map<string, Buffer>()
  const obtain = async (file: ReleaseFile): Promise<void> =>
    void files.set(file.name, await obtainFile(ref, file, state, registry, signal))
  for (const file of descriptor.files) if (file.name === MANIFEST_FILE) await obtain(file)
  const manifest = manifestOf(files.get(MANIFEST_FILE) ?? Buffer.alloc(0), judge)
  if (manifest.name !== program || manifest.version !== version)
    throw new DomainError(
      'release_mismatch',
      `the manifest of ${ref} is that of ${manifest.name}@${manifest.version}`,
    )
  const voucher = requireDeclared(rule, descriptor, manifest, judge)
  for (const file of descriptor.files) if (file.name !== MANIFEST_FILE) await obtain(file)
  const signers = signersOf(rule, descriptor, digestsOf(files), judge)

  requireSupported(manifest)
  const names = new Set(manifest.programs.map(({ object }) => object))
  const objects = new Map(
    [...files].filter(([name]) => names.has(name)).map(([name, bytes]) => [name, readObject(bytes)]),
  )
  checkManifestAgainstObjects(manifest, objects)
  // by the bytes that were verified, never by what the manifest says of them
  requireGranted(ref, rule.permissions, permissionsOf(manifest, objects, files, judge))
  return { ref, manifest, signers: voucher === undefined ? signers : [...signers, voucher], files, objects }
}

const entriesOf = (manifest: Manifest, objects: ReadonlyMap<string, BpfObject>): AskedEntry[] =>
  manifest.programs.flatMap(({ object: file, entry, hook }) => {
    const object = objects.get(file)
    return object === undefined ? [] : [{ object, entry, hook }]
  })

/** What a manifest's bytes say; the same bytes are parsed once. Throws as {@link parseManifest}. */
const manifestOf = (bytes: Buffer, { verdicts }: Judge): Manifest =>
  verdicts.recall(['manifest', sha256Digest(bytes)], () => parseManifest(bytes.toString('utf8')))

/** What entries can do, which depends on their objects' bytes alone: the same are followed through once, not at every pass. */
function permissionsOf(
  manifest: Manifest,
  objects: ReadonlyMap<string, BpfObject>,
  files: ReadonlyMap<string, Buffer>,
  { verdicts }: Judge,
): PermissionFinding[] {
  const asked = manifest.programs.map(({ object, entry, hook }) => {
    const bytes = files.get(object)
    return [bytes === undefined ? undefined : sha256Digest(bytes), object, entry, hook]
  })
  return verdicts.recall(['permissions', asked], () => findPermissions(entriesOf(manifest, objects)))
}

/** Digests by file name. Throws `too_large`, `subject_mismatch` for a name that is listed twice. */
function listedDigests(ref: string, { files }: ReleaseDescriptor): Map<string, Digest> {
  const total = files.reduce((sum, { size }) => sum + size, 0)
  if (total > LIMITS.release_bytes)
    throw new DomainError('too_large', `${ref} has ${total} bytes, at most ${LIMITS.release_bytes}`)
  const digests = new Map(files.map(({ name, digest }) => [name, digest]))
  if (digests.size < files.length) throw new DomainError('subject_mismatch', `${ref} lists a file twice`)
  return digests
}

/** The bytes of one file, from the cache when they are still what their digest says. */
async function obtainFile(
  ref: string,
  { name, digest, size }: ReleaseFile,
  state: Pick<AgentState, 'blob' | 'saveBlob'>,
  registry: Pick<NodeRegistry, 'blob'>,
  signal: AbortSignal,
): Promise<Buffer> {
  const cached = await state.blob(digest)
  if (cached !== undefined && sha256Digest(cached) === digest) return cached
  const bytes = await registry.blob(digest, size, signal)
  if (bytes.length !== size || sha256Digest(bytes) !== digest)
    throw new DomainError(
      'digest_mismatch',
      `${name} of ${ref}: the registry sent other bytes than ${digest}`,
    )
  await state.saveBlob(digest, bytes)
  return bytes
}
