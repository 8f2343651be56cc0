import { sha256Digest } from '../attest/keys.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { parseRef, Version } from '../domain/names.ts'
import type { ProgramView, ReleaseView } from '../domain/release.ts'
import { latestVersion, newestOffered, type Offered } from '../domain/resolution.ts'

/** A release as the registry gave it; its bytes have their digests, and nothing else is believed yet. */
export interface FetchedRelease {
  readonly view: ReleaseView
  readonly files: ReadonlyMap<string, Buffer>
}

/** What is offered of a program, for resolving a range: as at the registry nothing that is revoked or in quarantine. */
export const offeredBy = ({ versions, quarantined: all }: ProgramView): Offered[] =>
  versions
    .filter(({ revoked, quarantined }) => [all, revoked, quarantined].every((mark) => mark === undefined))
    .map(({ version, yanked }) => ({ version, yanked: yanked !== undefined }))

/**
 * What the registry says of `namespace/name@version`, of a channel, or of the newest release that fits a range; without either, of the
 * newest. Throws `invalid_name`, `version_not_found`, `not_found`.
 */
export async function findRelease(client: RegistryClient, ref: string): Promise<ReleaseView> {
  const { program, rest } = parseRef(ref)
  if (Version.safeParse(rest).success) return client.release(program, rest)
  const view = await client.program(program)
  const offered = offeredBy(view)
  const version = rest === '' ? latestVersion(offered) : (view.channels[rest] ?? newestOffered(offered, rest))
  if (version === undefined)
    throw new DomainError(
      'version_not_found',
      `no release of ${program} fits "${rest}"; there are: ${offered.map((one) => one.version).join(', ') || 'none'}`,
    )
  return client.release(program, version)
}

/** Downloads every file of a release and checks it against its digest. Throws `digest_mismatch`, `registry_answer`, `too_large`. */
export async function fetchFiles(
  client: Pick<RegistryClient, 'blob'>,
  view: ReleaseView,
  onBytes?: (bytes: number) => void,
): Promise<FetchedRelease> {
  const total = view.files.reduce((sum, { size }) => sum + size, 0)
  if (total > LIMITS.release_bytes)
    throw new DomainError('too_large', `the release has ${total} bytes, at most ${LIMITS.release_bytes}`)
  const files = new Map<string, Buffer>()
  for (const { name, digest, size } of view.files) {
    if (files.has(name)) throw new DomainError('registry_answer', `the registry lists ${name} twice`)
    const bytes = await client.blob(digest, size, onBytes)
    if (bytes.length !== size || sha256Digest(bytes) !== digest)
      throw new DomainError('digest_mismatch', `${name} arrived with other bytes than ${digest} names`)
    files.set(name, bytes)
  }
  return { view, files }
}
