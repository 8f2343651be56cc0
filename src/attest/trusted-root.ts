import { TrustedRoot as TrustedRootMessage } from '@sigstore/protobuf-specs'
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { parseStrictJson } from '../domain/strict-json.ts'

/** Whose certificates, timestamps and log entries count: what signatures by identities are checked against. */
export type TrustedRoot = TrustMaterial

/**
 * Reads a trusted root in Sigstore's form (application/vnd.dev.sigstore.trustedroot+json, trusted_root.json). It names at
 * least one authority of certificates. Throws `invalid_trusted_root`, `too_large`.
 */
export function parseTrustedRoot(text: string): TrustedRoot {
  const size = Buffer.byteLength(text)
  if (size > LIMITS.trusted_root_bytes)
    throw new DomainError(
      'too_large',
      `the trusted root has ${size} bytes, at most ${LIMITS.trusted_root_bytes}`,
    )
  let root: TrustedRoot
  try {
    root = toTrustMaterial(TrustedRootMessage.fromJSON(parseStrictJson(text, 'trusted root')))
  } catch (cause) {
    throw new DomainError('invalid_trusted_root', 'the trusted root cannot be read', { cause })
  }
  if (root.certificateAuthorities.length === 0)
    throw new DomainError('invalid_trusted_root', 'the trusted root names no certificate authority')
  return root
}
