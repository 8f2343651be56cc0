import type { SigningServices } from '../attest/sign-keyless.ts'
import { DomainError } from '../domain/errors.ts'
import type { Io } from './io.ts'

/** For whom an identity token is that Fulcio takes. */
const SIGNING_AUDIENCE = 'sigstore'

/** Flags that sign by the identity of the job that this runs in, through these services. */
export interface KeylessFlags {
  readonly keyless: boolean
  readonly fulcioUrl?: string | undefined
  readonly tsaUrl?: string | undefined
  readonly rekorUrl?: string | undefined
}

/** The job's identity token for signing. Throws `ci_token_failed`. */
export async function tokenToSign(io: Io): Promise<string> {
  const { ciIdToken } = await import('../client/ci-identity.ts')
  const token = await ciIdToken(io.env, SIGNING_AUDIENCE, 'SIGSTORE_ID_TOKEN')
  if (token === undefined)
    throw new DomainError(
      'ci_token_failed',
      '--keyless signs by the identity of a pipeline’s job, and this is none',
    )
  return token
}

/** The services that flags name, else Sigstore's public ones. */
export async function servicesOf({ fulcioUrl, tsaUrl, rekorUrl }: KeylessFlags): Promise<SigningServices> {
  const { PUBLIC_SERVICES } = await import('../attest/sign-keyless.ts')
  return {
    fulcio: fulcioUrl ?? PUBLIC_SERVICES.fulcio,
    tsa: tsaUrl ?? PUBLIC_SERVICES.tsa,
    rekor: rekorUrl ?? PUBLIC_SERVICES.rekor,
  }
}
