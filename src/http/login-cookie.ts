import type { FastifyReply, FastifyRequest } from 'fastify'
import { LIMITS } from '../domain/limits.ts'

const COOKIE = 'hookline-login'
/** A site elsewhere sends the browser back: by a link, with which a lax cookie goes along (RFC 6265bis section 5.5.7). */
const ATTRIBUTES = 'Path=/auth; HttpOnly; SameSite=Lax'

/** Has the browser that begins a login keep what it is known by when it comes back. */
export function keepLogin(reply: FastifyReply, cookie: string, secure: boolean): void {
  const more = secure ? '; Secure' : ''
  reply.header('set-cookie', `${COOKIE}=${cookie}; ${ATTRIBUTES}; Max-Age=${LIMITS.login_s}${more}`)
}

/** Whether the browser that comes back is one that began a login: what it kept. */
export const loginCookieOf = ({ headers }: FastifyRequest): string | undefined =>
  new RegExp(`(?:^|; )${COOKIE}=([A-Za-z0-9_-]{43})(?:;|$)`).exec(headers.cookie ?? '')?.[1]

/** Has the browser forget it: the answer of the provider counts once. */
export const endLogin = (reply: FastifyReply): void =>
  void reply.header('set-cookie', `${COOKIE}=; ${ATTRIBUTES}; Max-Age=0`)
