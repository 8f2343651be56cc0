import type { FastifyReply, FastifyRequest } from 'fastify'
import { DomainError } from '../domain/errors.ts'

/**
 * How a browser is known from page to page: it keeps a token. `made`: the token was made by logging in at the identity
 * provider, for this browser alone, so that it ends when the browser signs out; `given`: somebody's own, which stays.
 */
export interface Session {
  readonly secret: string
  readonly kind: 'made' | 'given'
}

/** A name with the prefix `__Host-` is taken by browsers only over TLS, from this very host (RFC 6265bis section 4.1.3.2). */
const nameOf = (secure: boolean): string => (secure ? '__Host-hookline' : 'hookline')

const attributes = (secure: boolean): string => `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`

/**
 * The session of a request. Only pages ask: the interface for programs takes no cookies, so that no other site can make a
 * browser use it.
 */
export function sessionOf({ headers }: FastifyRequest, secure: boolean): Session | undefined {
  const found = new RegExp(
    `(?:^|; )${nameOf(secure)}=(made|given)\\.([A-Za-z0-9._~+/-]{1,200}=*)(?:;|$)`,
  ).exec(headers.cookie ?? '')
  const [, kind, secret] = found ?? []
  return secret === undefined || kind === undefined
    ? undefined
    : { secret, kind: kind === 'made' ? 'made' : 'given' }
}

/** Has the browser keep a session until it is closed, or until `expiresAt`. */
export function keepSession(
  reply: FastifyReply,
  { secret, kind }: Session,
  expiresAt: Date,
  secure: boolean,
): void {
  reply.header(
    'set-cookie',
    `${nameOf(secure)}=${kind}.${secret}; ${attributes(secure)}; Expires=${expiresAt.toUTCString()}`,
  )
}

/** Has the browser forget its session. */
export function endSession(reply: FastifyReply, secure: boolean): void {
  reply.header('set-cookie', `${nameOf(secure)}=; ${attributes(secure)}; Max-Age=0`)
}

/** Whether browsers reach the registry over TLS, by the address that it is known by. */
export const isSecure = (publicUrl: string | undefined): boolean => publicUrl?.startsWith('https:') === true

/**
 * Refuses a form that another site made a browser send: browsers say where a request comes from (Fetch Metadata, and RFC 6454
 * for older ones), and no site can make them say otherwise. Throws `cross_site`.
 */
export function requireSameSite({ method, headers }: FastifyRequest, publicUrl: string | undefined): void {
  if (method === 'GET' || method === 'HEAD') return
  const { origin } = headers
  const site = headers['sec-fetch-site']
  if (site === 'same-origin') return
  const host = origin !== undefined && URL.canParse(origin) ? new URL(origin).host : undefined
  const own = [headers.host, publicUrl === undefined ? undefined : new URL(publicUrl).host]
  if (site === undefined && host !== undefined && own.includes(host)) return
  throw new DomainError('cross_site', `the form was sent from ${origin ?? 'an unknown place'}`)
}
