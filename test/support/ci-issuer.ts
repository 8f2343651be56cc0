import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

/** An issuer of identity tokens that listens on loopback, as GitHub's and GitLab's do elsewhere. */
export interface CiIssuerDouble {
  readonly url: string
  /** How often its keys were asked for. */
  readonly asked: () => number
  /** A token that the issuer signs; `claims` may replace any. */
  token(
    audience: string,
    claims: JWTPayload,
    options?: { lasts_s?: number; foreignKey?: boolean },
  ): Promise<string>
  /** A job's way to a token: ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN. */
  job(claims: JWTPayload): { url: string; secret: string }
  close(): Promise<void>
}

/** Claims of a run of acme/app's release.yml on tag v1, on GitHub. */
export const githubClaims = (changed: JWTPayload = {}): JWTPayload => ({
  repository: 'acme/app',
  repository_id: '1001',
  repository_owner: 'acme',
  repository_owner_id: '42',
  workflow_ref: 'acme/app/.github/workflows/release.yml@refs/tags/v1',
  job_workflow_ref: 'acme/app/.github/workflows/release.yml@refs/tags/v1',
  ref: 'refs/tags/v1',
  event_name: 'push',
  ...changed,
})

/** With a `jti` of its own; an empty one is left out. */
function withNumber({ jti = randomUUID(), ...claims }: JWTPayload): JWTPayload {
  return jti === '' ? claims : { ...claims, jti }
}

/** Starts an issuer. */
export async function startCiIssuer(): Promise<CiIssuerDouble> {
  const [own, foreign] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')])
  const jwk = { ...(await exportJWK(own.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  const jobs = new Map<string, JWTPayload>()
  let asked = 0
  const token: CiIssuerDouble['token'] = (audience, claims, { lasts_s = 300, foreignKey = false } = {}) =>
    new SignJWT(withNumber({ sub: `repo:${String(claims['repository'])}`, ...claims }))
      .setProtectedHeader({ alg: 'RS256', kid: foreignKey ? 'two' : 'one', typ: 'JWT' })
      .setIssuer(typeof claims.iss === 'string' ? claims.iss : url)
      .setAudience(audience)
      .setIssuedAt(Math.floor(Date.now() / 1000) + Math.min(0, lasts_s - 60))
      .setExpirationTime(Math.floor(Date.now() / 1000) + lasts_s)
      .sign(foreignKey ? foreign.privateKey : own.privateKey)
  const server: Server = createServer(async (request, reply) => {
    const asking = new URL(request.url ?? '/', url)
    const say = (value: unknown): void => {
      reply.setHeader('content-type', 'application/json')
      reply.end(JSON.stringify(value))
    }
    if (asking.pathname === '/.well-known/openid-configuration')
      return say({ issuer: url, jwks_uri: `${url}/keys`, authorization_endpoint: `${url}/none` })
    if (asking.pathname === '/keys') {
      asked++
      return say({ keys: [jwk] })
    }
    const claims = jobs.get(request.headers.authorization?.replace(/^bearer /, '') ?? '')
    if (asking.pathname === '/job' && claims !== undefined)
      return say({ value: await token(asking.searchParams.get('audience') ?? '', claims) })
    reply.statusCode = 403
    return say({ message: 'forbidden' })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return {
    url,
    asked: () => asked,
    token,
    job: (claims) => {
      const secret = randomUUID()
      jobs.set(secret, claims)
      return { url: `${url}/job?api-version=2.0`, secret }
    },
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections()
        server.close(() => closed())
      }),
  }
}
