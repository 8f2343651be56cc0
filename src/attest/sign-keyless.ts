import { bundleToJSON } from '@sigstore/bundle'
import { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } from '@sigstore/sign'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Revocation } from '../domain/revocation.ts'
import { type ReleaseParts, releaseStatement, STATEMENT_TYPE } from './release-statement.ts'
import { REVOCATION_TYPE, revocationPayload } from './revocation.ts'

/** The services that sign for an identity. */
export interface SigningServices {
  /** Gives certificates for identity tokens (Fulcio). */
  readonly fulcio: string
  /** Gives timestamps (RFC 3161). */
  readonly tsa: string
  /** Transparency log (Rekor, version 1); undefined: none is asked. */
  readonly rekor: string | undefined
}

/** Sigstore's public services. */
export const PUBLIC_SERVICES: SigningServices = {
  fulcio: 'https://fulcio.sigstore.dev',
  tsa: 'https://timestamp.sigstore.dev',
  rekor: undefined,
}

/**
 * Signs a release with a key that is made for it and forgotten: Fulcio certifies it for the identity of the token, and a
 * timestamp says that the certificate was good when the signature was made. A Sigstore bundle v0.3 (JSON text). Throws
 * `signing_failed`, `too_large`.
 */
export const signKeyless = (
  release: ReleaseParts,
  identityToken: string,
  services: SigningServices,
): Promise<string> =>
  signDocument({ data: releaseStatement(release), type: STATEMENT_TYPE }, identityToken, services)

/** Signs a revocation likewise. Throws `signing_failed`, `revocation_invalid`. */
export const signRevocationKeyless = (
  revocation: Revocation,
  identityToken: string,
  services: SigningServices,
): Promise<string> =>
  signDocument({ data: revocationPayload(revocation), type: REVOCATION_TYPE }, identityToken, services)

async function signDocument(
  document: { readonly data: Buffer; readonly type: string },
  identityToken: string,
  { fulcio, tsa, rekor }: SigningServices,
): Promise<string> {
  const limits = { timeout: LIMITS.signing_ms, retry: 2 }
  const builder = new DSSEBundleBuilder({
    signer: new FulcioSigner({
      fulcioBaseURL: fulcio,
      identityProvider: { getToken: async () => identityToken },
      ...limits,
    }),
    witnesses: [
      new TSAWitness({ tsaBaseURL: tsa, ...limits }),
      ...(rekor === undefined
        ? []
        : [new RekorWitness({ rekorBaseURL: rekor, entryType: 'dsse', ...limits })]),
    ],
  })
  try {
    return JSON.stringify(bundleToJSON(await builder.create(document)))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DomainError('signing_failed', `the identity was not signed for: ${why}`, { cause })
  }
}
