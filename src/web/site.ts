import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Actor, TokenActor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { type Access, type App, holderOf } from '../http/route.ts'
import type { Services } from '../http/services.ts'
import { type Frame, layout } from './layout.ts'
import type { Elsewhere, Page, Visit } from './page.ts'

/** What a page is registered with: it shows something, or sends the browser elsewhere. */
type Show = (visit: Visit) => Promise<Page | Elsewhere> | Page | Elsewhere

/** Where pages are registered. */
export interface Site {
  /** A page at a path, for whom `access` says. */
  get(path: string, access: PageAccess, show: Show): void
  /** What a form sends: does it, then sends the browser elsewhere, or shows what came of it. */
  post(path: string, access: PageAccess, act: Show): void
}

/** Who may see a page; who may not and is not signed in is asked to. */
type PageAccess = Exclude<Access, 'node' | 'joining'>

const Params = z.record(z.string(), z.string())

/** The site of an app, whose pages are rendered in the common layout. */
export function siteOf(app: App, services: Services): Site {
  const handle =
    (show: Show) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const at = request.url.indexOf('?')
      const shown = await show({
        ...{ request, reply, actor: request.actor, params: Params.parse(request.params ?? {}) },
        query: new URLSearchParams(at < 0 ? '' : request.url.slice(at)),
        form: request.body instanceof URLSearchParams ? request.body : new URLSearchParams(),
        now: services.clock(),
      })
      if ('location' in shown) return reply.redirect(shown.location, 303)
      return sendPage(reply, shown, frameOf(app, services, request))
    }
  const options = (access: PageAccess) => ({ config: { access, page: true }, schema: { hide: true } })
  return {
    get: (path, access, show) => void app.get(path, options(access), handle(show)),
    post: (path, access, act) => void app.post(path, options(access), handle(act)),
  }
}

/** What surrounds a page: who looks at it, and where. */
export const frameOf = (app: App, services: Services, request: FastifyRequest): Frame => ({
  actor: request.actor ?? { kind: 'anonymous' },
  path: request.url,
  base: services.publicUrl ?? app.listeningOrigin,
})

/**
 * Nothing from elsewhere, no script or style in the page itself: markup that got into a page by mistake can do nothing
 * (Content Security Policy Level 3).
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Sends a page in its layout. */
export function sendPage(reply: FastifyReply, page: Page, frame: Frame): FastifyReply {
  if (page.status !== undefined) reply.code(page.status)
  // who signs out leaves nothing behind that the next one could go back to
  const kept = frame.actor.kind === 'anonymous' ? 'private, no-cache' : 'private, no-store'
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', kept)
  return (
    reply
      .header('content-security-policy', CONTENT_SECURITY_POLICY)
      // with none at all, browsers would not say which site a form comes from
      .header('referrer-policy', 'same-origin')
      .header('vary', 'Cookie')
      .type('text/html; charset=utf-8')
      .send(layout(page, frame))
  )
}

/** Who is signed in; only pages whose access asks for a right may say so. */
export const signedIn = ({ request }: Visit): Actor & TokenActor => holderOf(request)

/** A field of a form by a schema. Throws `invalid_request` with the field's name. */
export function field<T>(form: URLSearchParams, name: string, schema: z.ZodType<T>): T {
  const read = schema.safeParse(form.get(name) ?? undefined)
  if (read.success) return read.data
  const why = read.error.issues[0]?.message ?? 'does not fit'
  throw new DomainError('invalid_request', `${name}: ${why}`, { field: name })
}
