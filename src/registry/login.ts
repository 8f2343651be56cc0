import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import * as oidc from 'openid-client'
import type { Actor, Scope } from '../domain/account.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import {
  type LoggedIn,
  type LoginExchange,
  type LoginRequest,
  nameFrom,
  type PageLoginRequest,
  type ProviderPerson,
} from '../domain/login.ts'
import { requireFreeName } from '../domain/name-rules.ts'
import type { Accounts } from '../ports/accounts.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logins } from '../ports/logins.ts'
import { hashSecret, newSecret } from './secrets.ts'

/** The identity provider where people log in. */
export interface OidcSettings {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Whether who logs in for the first time gets an account; else an administrator links one. */
  readonly signup: boolean
}

/** The way through a login: where the browser goes next, and what it keeps until it comes back. */
interface LoginStep {
  readonly location: string
  readonly cookie: string
}

/** Where a browser goes after a login, and, when it began at a page, the token by which it is signed in from then on. */
interface LoginEnd {
  readonly location: string
  readonly session?: { readonly secret: string; readonly expiresAt: Date }
}

/**
 * What a browser that logged in may do: look, and manage what is one's own. It neither publishes nor gives orders, which
 * take a signing key, and administers nothing: whoever takes it over gets no more than that.
 */
const SESSION_SCOPES: readonly Scope[] = ['read', 'yank', 'manage', 'node']

/** Logs people in by OpenID Connect: authorization code with PKCE, state and nonce (Core section 3.1). */
export interface LoginDesk {
  /** Begins. `base`: this registry's address. Throws `login_unavailable`, `issuer_unavailable`. */
  begin(request: LoginRequest | PageLoginRequest, base: string): Promise<LoginStep>
  /**
   * Ends, by what the provider sent the browser back with, and its cookie. What a command line began ends at its port, with a
   * one-time code or the code of an error; what a page began, signed in, or throws `login_failed`, `login_unknown` and what
   * else goes wrong. Throws `login_failed` when no login of this browser is under way.
   */
  finish(query: string, cookie: string | undefined, base: string, by: Actor): Promise<LoginEnd>
  /** Gives a token for a one-time code. Throws `login_failed`. */
  exchange(exchange: LoginExchange): Promise<LoggedIn>
  /** The provider whose subjects are linked to accounts. Throws `login_unavailable`. */
  issuer(): string
  /** Whether people can log in. */
  readonly available: boolean
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
const random = (): string => randomBytes(32).toString('base64url')
const CALLBACK = '/auth/callback'

/** Opens the desk; without settings nobody can log in. */
export function openLoginDesk(
  settings: OidcSettings | undefined,
  { logins, accounts, clock }: { logins: Logins; accounts: Pick<Accounts, 'addToken'>; clock: Clock },
): LoginDesk {
  let provider: Promise<oidc.Configuration> | undefined
  const required = (): OidcSettings => {
    if (settings !== undefined) return settings
    throw new DomainError('login_unavailable', 'this registry knows no identity provider')
  }
  const configuration = async (): Promise<oidc.Configuration> => {
    provider ??= discover(required())
    try {
      return await provider
    } catch (error) {
      provider = undefined // asked again next time
      throw error
    }
  }
  const after = (seconds: number): Date => new Date(clock().getTime() + seconds * 1000)
  /** A new token for who has just logged in. */
  const tokenFor = async (account: string, scopes: readonly Scope[], note: string, expiresAt: Date) => {
    const secret = newSecret('hlt_')
    const token = { hash: hashSecret(secret), account, scopes, programs: ['*'], note, expiresAt }
    return { id: await accounts.addToken(token, { kind: 'anonymous' }), secret, expiresAt }
  }
  return {
    begin: async (request, base) => {
      const config = await configuration()
      const [state, nonce, verifier, cookie] = [random(), random(), random(), random()]
      const browser = digest(cookie).toString('base64url')
      await logins.begin(digest(state), { request, nonce, verifier, browser }, after(LIMITS.login_s))
      const location = oidc.buildAuthorizationUrl(config, {
        ...{ redirect_uri: base + CALLBACK, scope: 'openid profile', state, nonce },
        ...{ code_challenge: digest(verifier).toString('base64url'), code_challenge_method: 'S256' },
      }).href
      return { location, cookie }
    },
    finish: async (query, cookie, base, by) => {
      const state = new URLSearchParams(query).get('state') ?? ''
      const attempt = await logins.take(digest(state), clock())
      if (attempt === undefined) throw new DomainError('login_failed', 'no such login is under way')
      if (cookie === undefined || !same(digest(cookie).toString('base64url'), attempt.browser))
        throw new DomainError('login_failed', 'the login was begun by another browser')
      const { request, nonce, verifier } = attempt
      const logIn = async (askedName: string | undefined) => {
        const proof = { state, nonce, verifier }
        const person = await personOf(await configuration(), new URL(CALLBACK + query, base), proof)
        const name = required().signup ? newName(askedName, person) : undefined
        return logins.accountOf(person, name, by)
      }
      if ('next' in request) {
        const { name } = await logIn(undefined)
        const session = await tokenFor(name, SESSION_SCOPES, 'browser', after(LIMITS.session_s))
        return { location: request.next, session }
      }
      const back = new URL(`http://127.0.0.1:${request.port}/`)
      back.searchParams.set('state', request.state)
      try {
        const account = await logIn(request.name)
        const code = random()
        await logins.addCode(digest(code), account, request.challenge, after(LIMITS.login_code_s))
        back.searchParams.set('code', code)
      } catch (thrown) {
        const { code, message } = asDomainError(thrown)
        back.searchParams.set('error', code)
        back.searchParams.set('message', code === 'internal' ? 'the registry could not do this' : message)
      }
      return { location: back.href }
    },
    exchange: async ({ code, verifier, scopes }) => {
      const found = await logins.takeCode(digest(code), clock())
      if (found === undefined || !same(digest(verifier).toString('base64url'), found.challenge))
        throw new DomainError('login_failed', 'the code is not that of a login of yours, or too old')
      const { name } = found.account
      const made = await tokenFor(name, [...new Set(scopes)], 'login', after(LIMITS.login_token_s))
      return { ...made, expiresAt: made.expiresAt.toISOString(), account: name }
    },
    issuer: () => required().issuer,
    available: settings !== undefined,
  }
}

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** The name of a new account: what was asked for, else what the provider calls him. Undefined for nobody new. */
function newName(asked: string | undefined, { preferredName }: ProviderPerson): string | undefined {
  const name = asked ?? nameFrom(preferredName)
  if (name === undefined)
    throw new DomainError('login_unknown', 'say by --name how the new account is to be called')
  requireFreeName(name)
  return name
}

async function discover({ issuer, clientId, clientSecret }: OidcSettings): Promise<oidc.Configuration> {
  const url = new URL(issuer)
  try {
    return await oidc.discovery(url, clientId, clientSecret, undefined, {
      timeout: LIMITS.issuer_ms / 1000,
      // only an address on this machine may be without TLS: see the settings
      execute: url.protocol === 'http:' ? [oidc.allowInsecureRequests] : [],
    })
  } catch (cause) {
    throw new DomainError('issuer_unavailable', `the identity provider ${issuer} does not answer as one`, {
      cause,
    })
  }
}

async function personOf(
  config: oidc.Configuration,
  answer: URL,
  { state, nonce, verifier }: { state: string; nonce: string; verifier: string },
): Promise<ProviderPerson> {
  let claims: oidc.IDToken | undefined
  try {
    const tokens = await oidc.authorizationCodeGrant(config, answer, {
      ...{ pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
    })
    claims = tokens.claims()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DomainError('login_failed', `the identity provider did not log you in: ${why}`, { cause })
  }
  if (claims === undefined)
    throw new DomainError('login_failed', 'the identity provider did not say who you are')
  const preferred = claims['preferred_username'] ?? claims['nickname'] ?? claims['email']
  return {
    ...{ issuer: claims.iss, subject: claims.sub },
    preferredName: typeof preferred === 'string' ? preferred : undefined,
  }
}
