import { requireBuilt } from '../attest/provenance.ts'
import type { ReleaseParts } from '../attest/release-statement.ts'
import { digestsOf } from '../attest/verify-release.ts'
import { verifySigners } from '../attest/verify-signers.ts'
import { DomainError } from '../domain/errors.ts'
import { objectDigests, parseManifest } from '../domain/manifest.ts'
import { MANIFEST_FILE, releaseRef } from '../domain/names.ts'
import { requireLicense } from '../domain/release-rules.ts'
import type { Signer } from '../domain/signer.ts'
import { acceptedBy } from '../domain/trust-policy.ts'
import type { AcceptedSigners } from './accepted-signers.ts'

/** A release with what was signed about it, the publisher's bundle first. */
export interface CheckedRelease extends ReleaseParts {
  readonly bundles: readonly string[]
  readonly provenance: string | undefined
}

/**
 * The check that a node makes, made here: enough accepted signers signed exactly these files as exactly this release, the
 * manifest among them says so too, and licence and provenance are what a policy asks for. How old it is only nodes know.
 * Throws what {@link verifySigners} and {@link requireBuilt} do, `invalid_manifest`, `release_mismatch`,
 * `license_not_allowed`.
 */
export function checkRelease(release: CheckedRelease, accepted: AcceptedSigners): { signers: Signer[] } {
  const { keys, allowed, root, minSigners, policyRule } = accepted
  const { program, version, files, bundles, provenance } = release
  const digests = digestsOf(files)
  const signers = verifySigners({ program, version, digests, bundles, keys, allowed, root, minSigners })
  const manifest = parseManifest(files.get(MANIFEST_FILE)?.toString('utf8') ?? '')
  if (manifest.name !== program || manifest.version !== version)
    throw new DomainError(
      'release_mismatch',
      `its ${MANIFEST_FILE} is that of ${releaseRef(manifest.name, manifest.version)}, not of ${releaseRef(program, version)}`,
    )
  if (policyRule !== undefined) requireLicense(policyRule, manifest)
  const asked = policyRule?.provenance
  if (asked !== undefined)
    requireBuilt(releaseRef(program, version), provenance, objectDigests(manifest, digests), asked.builders, {
      ...{ keys, root },
      allowed: acceptedBy({ signers: asked.signers ?? policyRule?.signers ?? [] }),
    })
  return { signers }
}
