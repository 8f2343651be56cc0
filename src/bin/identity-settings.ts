import { readFileSync } from 'node:fs'
import { parseTrustedRoot, type TrustedRoot } from '../attest/trusted-root.ts'
import { DomainError } from '../domain/errors.ts'
import { type CiIssuer, CiProvider, PUBLIC_ISSUERS } from '../domain/trusted-publisher.ts'
import type { OidcSettings } from '../registry/login.ts'
import { type ProofPlaces, PUBLIC_PLACES } from '../registry/proofs.ts'
import { readSecretFile } from './secret-file.ts'

const [PUBLIC_URL, CI_ISSUERS] = ['HOOKLINE_PUBLIC_URL', 'HOOKLINE_CI_ISSUERS']
const [TRUSTED_ROOT, WEBHOOKS] = ['HOOKLINE_TRUSTED_ROOT', 'HOOKLINE_WEBHOOKS']

/** What a registry is known by, and whose identity tokens it takes. */
export interface IdentitySettings {
  /** Its address as clients know it, an origin; undefined: the one that it listens on. */
  readonly publicUrl: string | undefined
  readonly ciIssuers: readonly CiIssuer[]
  /** What releases that identities signed are checked against; undefined: none is taken. */
  readonly trustedRoot: TrustedRoot | undefined
  /** Whether webhooks may lead to addresses that are not of the internet, and go without TLS. */
  readonly privateWebhooks: boolean
  /** Where people log in; undefined: nowhere, they have tokens. */
  readonly oidc: OidcSettings | undefined
  /** Where namespaces' proofs are looked for. */
  readonly proofPlaces: ProofPlaces
}

/** Nothing set: nobody but those with tokens, and webhooks to the internet only. */
export const NO_IDENTITIES: IdentitySettings = {
  ...{ publicUrl: undefined, ciIssuers: [], trustedRoot: undefined, privateWebhooks: false, oidc: undefined },
  proofPlaces: PUBLIC_PLACES,
}

/**
 * The settings that the environment names. HOOKLINE_CI_ISSUERS: further issuers, such as
 * `gitlab=https://gitlab.example.org`, separated by spaces; HOOKLINE_TRUSTED_ROOT: a file. Throws `usage`, `file_unreadable`,
 * `invalid_trusted_root`.
 */
export function identitySettings(env: Readonly<Record<string, string | undefined>>): IdentitySettings {
  const named = (env[CI_ISSUERS] ?? '').split(/\s+/).filter((text) => text !== '')
  return {
    publicUrl: env[PUBLIC_URL] ? originOf(PUBLIC_URL, env[PUBLIC_URL]) : undefined,
    ciIssuers: [...PUBLIC_ISSUERS, ...named.map(issuerOf)],
    trustedRoot: env[TRUSTED_ROOT] ? readTrustedRoot(env[TRUSTED_ROOT]) : undefined,
    privateWebhooks: privateAllowed(env[WEBHOOKS]),
    oidc: oidcSettings(env),
    proofPlaces: PUBLIC_PLACES,
  }
}

/** HOOKLINE_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET or _CLIENT_SECRET_FILE, and _SIGNUP (yes or no). */
function oidcSettings(env: Readonly<Record<string, string | undefined>>): OidcSettings | undefined {
  const name = (part: string): string => `HOOKLINE_OIDC_${part}`
  const issuer = env[name('ISSUER')]
  if (!issuer) return undefined
  requireSafe(name('ISSUER'), issuer)
  const required = (part: string): string => {
    const value = env[name(part)] || readSecretFile(env, name(part))
    if (!value) throw new DomainError('usage', `${name('ISSUER')} is set, and ${name(part)} is not`)
    return value
  }
  const signup = env[name('SIGNUP')] || 'no'
  if (signup !== 'yes' && signup !== 'no')
    throw new DomainError('usage', `${name('SIGNUP')} is yes or no, not "${signup}"`)
  const [clientId, clientSecret] = [required('CLIENT_ID'), required('CLIENT_SECRET')]
  return { issuer, clientId, clientSecret, signup: signup === 'yes' }
}

function readTrustedRoot(path: string): TrustedRoot {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new DomainError('file_unreadable', `${TRUSTED_ROOT}: ${path} cannot be read`, { cause })
  }
  return parseTrustedRoot(text)
}

function privateAllowed(text = ''): boolean {
  if (!['', 'public', 'private'].includes(text))
    throw new DomainError('usage', `${WEBHOOKS} is public or private, not "${text}"`)
  return text === 'private'
}

function issuerOf(text: string): CiIssuer {
  const [provider, ...rest] = text.split('=')
  const issuer = rest.join('=')
  const known = CiProvider.safeParse(provider)
  if (!known.success)
    throw new DomainError('usage', `${CI_ISSUERS}: "${text}" is not github= or gitlab= and an address`)
  requireSafe(CI_ISSUERS, issuer)
  if (issuer.endsWith('/')) throw new DomainError('usage', `${CI_ISSUERS}: "${issuer}" ends in a slash`)
  return { provider: known.data, issuer }
}

function originOf(name: string, text: string): string {
  const url = requireSafe(name, text)
  if (url.href !== `${url.origin}/`)
    throw new DomainError('usage', `${name}: "${text}" is more than an origin`)
  return url.origin
}

/** Only on this machine may an address be without TLS. */
function requireSafe(name: string, text: string): URL {
  const url = URL.parse(text)
  const loopback = url?.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (url === null || !(url.protocol === 'https:' || loopback) || url.username !== '' || url.search !== '')
    throw new DomainError('usage', `${name}: "${text}" is no address such as https://registry.example.org`)
  return url
}
