import { z } from 'zod'
import { LIMITS } from './limits.ts'

/** A DNS name (RFC 1123), with at least one dot. */
const Domain = z
  .string()
  .max(LIMITS.domain_chars)
  .regex(
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'a domain such as example.org',
  )

/** A repository on github.com or gitlab.com. */
const Repository = z
  .string()
  .max(LIMITS.publisher_chars)
  .regex(
    /^(github\.com(\/[A-Za-z0-9_][A-Za-z0-9._-]*){2}|gitlab\.com(\/[A-Za-z0-9_][A-Za-z0-9._-]*){2,6})$/,
    'such as github.com/acme/ratelimit',
  )

/** What a namespace is said to be of: a domain, or a repository. */
export const ProofRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('dns'), of: Domain }),
  z.strictObject({ kind: z.literal('repository'), of: Repository }),
])
export type ProofRequest = z.infer<typeof ProofRequest>

/** What a namespace proved to be of, and when that was seen last. */
export const ProofView = z.strictObject({
  kind: z.enum(['dns', 'repository']),
  of: z.string(),
  at: z.iso.datetime(),
})
export type ProofView = z.infer<typeof ProofView>

/** The text to put into a DNS record or a file, and where. */
export const ChallengeView = z.strictObject({ text: z.string(), dns: z.string(), file: z.string() })
export type ChallengeView = z.infer<typeof ChallengeView>

/** File in a repository that holds the text. */
export const PROOF_FILE = '.hookline-verify'
/** Label below a domain whose TXT record holds it. */
export const PROOF_LABEL = '_hookline'

/** The text that only whoever controls the namespace learns. */
export const proofText = (challenge: string): string => `hookline-verify=${challenge}`

/** What to put where. */
export const challengeView = (challenge: string): ChallengeView => ({
  text: proofText(challenge),
  dns: `a TXT record of ${PROOF_LABEL}.<domain>`,
  file: `a line of ${PROOF_FILE} on the repository’s default branch`,
})
