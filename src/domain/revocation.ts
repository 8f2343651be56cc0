import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { RevocationReason, Revoked } from './log-entry.ts'
import { Digest, type ProgramId, releaseRef } from './names.ts'
import { PublicKeyText } from './namespace.ts'
import { Message, type ReleaseDescriptor } from './release.ts'
import { isPlainText, NOT_PLAIN } from './shown-text.ts'
import { Signer } from './signer.ts'

/** What is signed: that nodes must stop running a release, or every release that has a file; why, in a word and in words. */
export const Revocation = z.strictObject({
  revoked: Revoked,
  reason: RevocationReason,
  message: Message.refine(isPlainText, NOT_PLAIN),
  /** When it was signed, as its signer says. */
  at: z.iso.datetime(),
})
export type Revocation = z.infer<typeof Revocation>

/**
 * A revocation as it travels: the DSSE envelope or Sigstore bundle, byte for byte, and of an envelope the key that signed it, which
 * counts only if the reader names it.
 */
export const SignedRevocation = z.strictObject({
  envelope: z.string().max(LIMITS.revocation_bytes),
  key: PublicKeyText.optional(),
})
export type SignedRevocation = z.infer<typeof SignedRevocation>

/** A revocation to be put into force. */
export const RevocationUpload = SignedRevocation.pick({ envelope: true })

/** A revocation as the registry shows it. `digest` is that of the envelope, which the log has. */
export const RevocationView = z.strictObject({
  digest: Digest,
  ...SignedRevocation.shape,
  ...Revocation.shape,
  message: Message,
  signer: Signer,
  receivedAt: z.iso.datetime(),
})
export type RevocationView = z.infer<typeof RevocationView>

/** Revocations, the newest first. */
export const RevocationList = z.strictObject({ revocations: z.array(RevocationView) })

/** What is revoked, in a line. */
export const revokedText = (revoked: Revoked): string =>
  revoked.kind === 'release' ? releaseRef(revoked.program, revoked.version) : revoked.digest

/** What a release is known by to those who look for its revocation. */
export interface RevocableRelease {
  readonly program: ProgramId
  readonly version: string
  readonly files: readonly Pick<ReleaseDescriptor['files'][number], 'digest'>[]
}

/** Whether a revocation is about a release. */
export const concerns = (revoked: Revoked, { program, version, files }: RevocableRelease): boolean =>
  revoked.kind === 'release'
    ? revoked.program === program && revoked.version === version
    : files.some(({ digest }) => digest === revoked.digest)
