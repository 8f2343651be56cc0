import { z } from 'zod'
import { AccountName, Scope } from './account.ts'
import { LIMITS } from './limits.ts'
import { Name } from './names.ts'
import { NewToken } from './token.ts'

/** Base64url of 32 bytes: a PKCE challenge by SHA-256, or its verifier (RFC 7636 section 4). */
const Secret43 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, '43 characters of base64url')

/**
 * How a command line begins a login: the loopback port where it listens (RFC 8252 section 7.3), its challenge, and what it wants
 * to hear again. `name` is for an account that is not there yet.
 */
export const LoginRequest = z.strictObject({
  port: z.coerce.number().int().min(1024).max(65_535),
  challenge: Secret43,
  state: Secret43,
  name: Name.optional(),
})
export type LoginRequest = z.infer<typeof LoginRequest>

/**
 * Path and query of a page of this registry, and nothing that a browser would take for another host: it reads `\\` as `/`, and
 * leaves tabs and newlines out (URL Standard, section 4.4).
 */
export const OwnPath = z
  .string()
  .max(LIMITS.own_path_chars)
  .regex(/^\/(?![/\\])[!-[\]-~]*$/, 'a path of this registry')

/** How a page begins a login: where the browser goes once it is signed in. */
export const PageLoginRequest = z.strictObject({ next: OwnPath })
export type PageLoginRequest = z.infer<typeof PageLoginRequest>

/** The code that a login ended with, and the verifier of the challenge that it began with. */
export const LoginExchange = z.strictObject({
  code: Secret43,
  verifier: Secret43,
  scopes: z.array(Scope).min(1).max(16),
})
export type LoginExchange = z.infer<typeof LoginExchange>

/** A token of the person who logged in. */
export const LoggedIn = z.strictObject({ ...NewToken.shape, account: AccountName })
export type LoggedIn = z.infer<typeof LoggedIn>

/** Whose login an account's is: the subject that the registry's provider says. */
export const LoginLink = z.strictObject({
  subject: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[ -~]+$/, 'printable characters'),
})

/** A login under way: what the command line, or the page, asked, and what proves the provider's answer to be to our question. */
export interface LoginAttempt {
  readonly request: LoginRequest | PageLoginRequest
  readonly nonce: string
  readonly verifier: string
  /** SHA-256 in base64url of what the browser keeps in a cookie. */
  readonly browser: string
}

/** A person as the provider says. */
export interface ProviderPerson {
  readonly issuer: string
  readonly subject: string
  /** What people call him there; made to fit, it is the name of a new account. */
  readonly preferredName: string | undefined
}

/** A name of an account made of what a provider calls somebody; undefined when nothing of it fits. */
export function nameFrom(preferred: string | undefined): string | undefined {
  const name = (preferred ?? '')
    .split('@')[0]
    ?.toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 39)
    .replace(/-+$/, '')
  return name !== undefined && Name.safeParse(name).success ? name : undefined
}
