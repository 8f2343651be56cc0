import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { CiIssuer, CiRun } from '../domain/trusted-publisher.ts'

/** An identity token that held. */
interface VerifiedIdToken {
  readonly run: CiRun
  /** Issuer and `jti`: no other token has both. */
  readonly identity: string
  readonly expiresAt: Date
}

/** Checks identity tokens of pipelines (OpenID Connect Core section 3.1.3.7). */
export interface IdTokens {
  /**
   * Checks the signature by the issuer's keys, issuer, audience and times, and reads the claims. Throws
   * `id_token_invalid`, `issuer_unavailable`.
   */
  verify(token: string, audience: string): Promise<VerifiedIdToken>
  /** The issuer of a provider's tokens where nothing else is said. */
  readonly issuers: readonly CiIssuer[]
}

/** Algorithms that issuers sign by; none of them is by a shared secret. */
const ALGORITHMS = ['RS256', 'ES256', 'EdDSA']

/** Takes tokens of these issuers only. Keys are fetched when they are needed, and kept for a while. */
export function idTokens(issuers: readonly CiIssuer[]): IdTokens {
  const keys = new Map<string, Promise<JWTVerifyGetKey>>()
  const keysOf = async (issuer: string): Promise<JWTVerifyGetKey> => {
    const known = keys.get(issuer) ?? discoverKeys(issuer)
    keys.set(issuer, known)
    try {
      return await known
    } catch (error) {
      keys.delete(issuer) // asked again next time
      throw error
    }
  }
  return {
    issuers,
    verify: async (token, audience) => {
      const issuer = issuers.find((one) => one.issuer === claimedIssuer(token))
      if (issuer === undefined) throw refusal('its issuer is none whose tokens are taken here')
      const key = await keysOf(issuer.issuer)
      try {
        const { payload } = await jwtVerify(token, key, {
          issuer: issuer.issuer,
          audience,
          algorithms: ALGORITHMS,
          clockTolerance: LIMITS.id_token_skew_s,
          maxTokenAge: LIMITS.id_token_life_s,
          requiredClaims: ['exp', 'iat', 'jti', 'sub'],
        })
        return read(issuer, payload)
      } catch (cause) {
        throw refused(issuer.issuer, cause)
      }
    },
  }
}

const refusal = (why: string, cause?: unknown): DomainError =>
  new DomainError('id_token_invalid', `the identity token: ${why}`, { cause })

/** Who is to be asked for the keys; nothing of it is believed before the signature holds. */
function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch (cause) {
    throw refusal('it is no JSON Web Token', cause)
  }
}

function refused(issuer: string, cause: unknown): DomainError {
  if (cause instanceof DomainError) return cause
  if (cause instanceof errors.JWKSTimeout || !(cause instanceof errors.JOSEError))
    return new DomainError('issuer_unavailable', `the keys of ${issuer} cannot be fetched`, { cause })
  if (cause instanceof errors.JWTClaimValidationFailed && cause.claim === 'aud')
    return refusal('it is for another audience than this registry', cause)
  return refusal(cause.message, cause)
}

/** Where an issuer publishes its keys (OpenID Connect Discovery section 4). Throws `issuer_unavailable`. */
async function discoverKeys(issuer: string): Promise<JWTVerifyGetKey> {
  try {
    const answer = await boundedFetch(`${issuer}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(LIMITS.issuer_ms),
    })
    const found = z.object({ issuer: z.literal(issuer), jwks_uri: z.url() }).parse(await answer.json())
    const url = new URL(found.jwks_uri)
    if (url.protocol !== 'https:' && url.origin !== new URL(issuer).origin)
      throw new DomainError('issuer_unavailable', `${issuer} names keys at ${url.href}, which is not https`)
    return createRemoteJWKSet(url, {
      [customFetch]: boundedFetch,
      timeoutDuration: LIMITS.issuer_ms,
      cacheMaxAge: LIMITS.issuer_cache_s * 1000,
    })
  } catch (cause) {
    if (cause instanceof DomainError) throw cause
    throw new DomainError('issuer_unavailable', `${issuer} does not say where its keys are`, { cause })
  }
}

/** Follows no redirect, and reads no more than LIMITS.issuer_bytes. */
async function boundedFetch(url: string, options: RequestInit): Promise<Response> {
  const answer = await fetch(url, { ...options, redirect: 'error' })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of answer.body ?? []) {
    size += part.length
    if (size > LIMITS.issuer_bytes) throw new Error(`${url} answered more than ${LIMITS.issuer_bytes} bytes`)
    parts.push(part)
  }
  return new Response(Buffer.concat(parts), { status: answer.status })
}

const Text = z.string().min(1).max(LIMITS.publisher_chars)
/** GitHub says numbers as text, GitLab too; others that speak like them may not. */
const Id = z.union([Text, z.int().transform(String)])

/** Claims of GitHub Actions (docs.github.com, OpenID Connect reference). */
const GithubClaims = z.object({
  repository: Text,
  repository_id: Id,
  repository_owner_id: Id,
  workflow_ref: Text,
  ref: Text,
  environment: Text.optional(),
  event_name: Text.optional(),
})
/** Claims of GitLab CI/CD (docs.gitlab.com, OpenID Connect ID tokens). */
const GitlabClaims = z.object({
  project_path: Text,
  project_id: Id,
  namespace_id: Id,
  ci_config_ref_uri: Text,
  ref: Text,
  ref_type: z.enum(['branch', 'tag']),
  environment: Text.optional(),
})

function read({ provider, issuer }: CiIssuer, payload: JWTPayload): VerifiedIdToken {
  const { jti = '', exp = 0, iat = 0 } = payload
  if (exp - iat > LIMITS.id_token_life_s) throw refusal(`it lasts longer than ${LIMITS.id_token_life_s} s`)
  const run = provider === 'github' ? githubRun(payload) : gitlabRun(payload, issuer)
  return {
    run: { provider, issuer, ...run },
    identity: JSON.stringify([issuer, jti]),
    expiresAt: new Date((exp + LIMITS.id_token_skew_s) * 1000),
  }
}

type Run = Omit<CiRun, 'provider' | 'issuer'>

function claims<T extends z.ZodType>(schema: T, payload: JWTPayload): z.output<T> {
  const parsed = schema.safeParse(payload)
  if (parsed.success) return parsed.data
  throw refusal(`its claim ${parsed.error.issues[0]?.path.join('.') ?? ''} is not as the provider's are`)
}

function githubRun(payload: JWTPayload): Run {
  const found = claims(GithubClaims, payload)
  return {
    ...{
      repository: found.repository,
      repositoryId: found.repository_id,
      ownerId: found.repository_owner_id,
    },
    // owner/name/.github/workflows/file@ref: of the workflow that was started, in this very repository
    workflow: between(found.workflow_ref, `${found.repository}/.github/workflows/`, '@'),
    ...{ environment: found.environment, ref: found.ref, event: found.event_name },
  }
}

function gitlabRun(payload: JWTPayload, issuer: string): Run {
  const found = claims(GitlabClaims, payload)
  const kind = found.ref_type === 'tag' ? 'refs/tags/' : 'refs/heads/'
  return {
    ...{ repository: found.project_path, repositoryId: found.project_id, ownerId: found.namespace_id },
    // host/group/name//path@ref
    workflow: between(found.ci_config_ref_uri, `${new URL(issuer).host}/${found.project_path}//`, '@'),
    ...{ environment: found.environment, ref: `${kind}${found.ref}`, event: undefined },
  }
}

/** What stands behind `before` and in front of the first `after`; empty, which no workflow is named, for any other text. */
function between(text: string, before: string, after: string): string {
  const end = text.indexOf(after, before.length)
  return text.startsWith(before) && end >= 0 ? text.slice(before.length, end) : ''
}
