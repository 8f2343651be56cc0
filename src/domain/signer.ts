import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { Digest } from './names.ts'

const Text = z
  .string()
  .max(LIMITS.signer_chars)
  .regex(/^[!-~]+$/, 'printable characters without spaces')

/** Who signed, as a certificate says it: the subject's name (a URI, or an address), and who vouched for it. */
export const Identity = z.strictObject({ identity: Text, issuer: Text })
export type Identity = z.infer<typeof Identity>

/** Who signed: a key, by its fingerprint, or an identity. */
export const Signer = z.union([Digest, Identity])
export type Signer = z.infer<typeof Signer>

/**
 * Identities that are accepted: one, or with `*` at its end all that begin so, which only a ref may be: the pipeline is always
 * named whole, `https://github.com/acme/app/.github/workflows/release.yml@refs/tags/*`.
 */
export const IdentityRule = z.strictObject({
  identity: Text.regex(
    /^[^*]+(@refs\/[^*@]*\*)?$/,
    'one identity; only what stands behind @refs/ may end in *',
  ),
  issuer: Text.regex(/^[^*]+$/, 'one issuer'),
})
export type IdentityRule = z.infer<typeof IdentityRule>

/** Whose signature is accepted. */
export type SignerRule = Digest | IdentityRule

/** Whether a text is the one that a rule names, or, where the rule ends in `*`, begins with what stands before that. */
export const fitsText = (pattern: string, text: string): boolean =>
  pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : pattern === text

/** Whether a rule accepts a signer. Texts are compared as they are: no pattern but the one of {@link IdentityRule}. */
export function acceptsSigner(rule: SignerRule, signer: Signer): boolean {
  if (typeof rule === 'string' || typeof signer === 'string') return rule === signer
  return rule.issuer === signer.issuer && fitsText(rule.identity, signer.identity)
}

/**
 * One of each signer. A pipeline is one whatever ref it ran for: who can push a branch could else sign as two. That a key
 * and an identity are the same person's nobody can tell: they are two.
 */
export const distinctSigners = (signers: readonly Signer[]): Signer[] => [
  ...new Map(signers.map((signer) => [whoOf(signer), signer])).values(),
]

const whoOf = (signer: Signer): string =>
  typeof signer === 'string' ? signer : `${signer.identity.replace(/@refs\/.*$/, '')} ${signer.issuer}`

/** A signer in a line. */
export const signerText = (signer: Signer): string =>
  typeof signer === 'string' ? signer : `${signer.identity} (${signer.issuer})`
