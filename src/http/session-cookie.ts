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

/** Has the browser keep a new token's secret for the one page that shows it: it is in no address, and gone once it was shown. */
export function keepShown(reply: FastifyReply, secret: string, secure: boolean): void {
  reply.header('set-cookie', `${nameOf(secure)}-shown=${secret}; ${attributes(secure)}; Max-Age=60`)
}

/** Gives what {@link keepShown} kept, and has the browser forget it. */
export function takeShown(request: FastifyRequest, reply: FastifyReply, secure: boolean): string | undefined {
  const name = `${nameOf(secure)}-shown`
  const secret = new RegExp(`(?:^|; )${name}=(hl[a-z]_[A-Za-z0-9_-]{43})(?:;|$)`).exec(
    request.headers.cookie ?? '',
  )?.[1]
  if (secret !== undefined) reply.header('set-cookie', `${name}=; ${attributes(secure)}; Max-Age=0`)
  return secret
}

/**
 * Refuses a form that another site made a browser send: browsers say where a request comes from (Fetch Metadata, and RFC 6454
 * for older ones, or without TLS), and no site can make them say otherwise. Throws `cross_site`.
 */
export function requireSameSite({ method, headers }: FastifyRequest, publicUrl: string | undefined): void {
  if (method === 'GET' || method === 'HEAD') return
  const { origin } = headers
  const site = headers['sec-fetch-site']
  if (site === 'same-origin') return
  // a page that came without TLS may be anybody's where those of the registry come with it
  const schemes = isSecure(publicUrl) ? ['https'] : ['http', 'https']
  const hosts = [headers.host, publicUrl === undefined ? undefined : new URL(publicUrl).host]
  const own = hosts.flatMap((host) => schemes.map((scheme) => `${scheme}://${host}`))
  if (site === undefined && origin !== undefined && own.includes(origin)) return
  throw new DomainError('cross_site', `the form was sent from ${origin ?? 'an unknown place'}`)
}
