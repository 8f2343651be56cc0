import type { ReleaseParts } from '../attest/release-statement.ts'
import { verifyRelease } from '../attest/verify-release.ts'
import { DomainError } from '../domain/errors.ts'
import { parseManifest } from '../domain/manifest.ts'
import { MANIFEST_FILE, releaseRef } from '../domain/names.ts'
import type { Signer } from '../domain/signer.ts'
import type { AcceptedSigners } from './accepted-signers.ts'

/**
 * The check that a node makes, made here: an accepted signer signed exactly these files as exactly this release, and the
 * manifest among them says so too. Throws what {@link verifyRelease} does, `invalid_manifest` and `release_mismatch`.
 */
export function checkRelease(
  release: ReleaseParts & { readonly bundle: string },
  accepted: AcceptedSigners,
): { signer: Signer } {
  const { keys, allowed, root } = accepted
  const { signer } = verifyRelease({ ...release, keys, allowed, root })
  const manifest = parseManifest(release.files.get(MANIFEST_FILE)?.toString('utf8') ?? '')
  if (manifest.name !== release.program || manifest.version !== release.version)
    throw new DomainError(
      'release_mismatch',
      `its ${MANIFEST_FILE} is that of ${releaseRef(manifest.name, manifest.version)}, not of ${releaseRef(release.program, release.version)}`,
    )
  return { signer }
}
