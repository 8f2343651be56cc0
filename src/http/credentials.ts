import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Actor } from '../domain/account.ts'
import { DomainError, ERRORS } from '../domain/errors.ts'
import { parseStrictJson } from '../domain/strict-json.ts'
import { requireRight } from '../registry/access.ts'
import type { KnownNode } from '../registry/nodes.ts'
import { authenticate } from '../registry/tokens.ts'
import type { CountRefusal } from './protection.ts'
import { isRepeated } from './repeated-header.ts'
import { type Access, signedPartOf } from './route.ts'
import type { Services } from './services.ts'
import { endSession, isSecure, requireSameSite, sessionOf } from './session-cookie.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, once its credentials held. */
    actor: Actor
    node: KnownNode | undefined
    /** The body as it came; empty for a form, which is read part by part. */
    bytes: Buffer
  }
  interface FastifyContextConfig {
    access?: Access
  }
}

/** The token of `Authorization: Bearer <token>` (RFC 6750 section 2.1), undefined without the field. */
function bearerToken(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers
  if (authorization === undefined) return undefined
  // Node takes the first of several, a proxy in front may have looked at another
  if (isRepeated(request.raw, 'authorization'))
    throw new DomainError('unauthenticated', 'Authorization is there more than once')
  const token = /^Bearer ([A-Za-z0-9._~+/-]{1,200}=*)$/i.exec(authorization)?.[1]
  if (token === undefined)
    throw new DomainError('unauthenticated', 'Authorization is not "Bearer" and a token')
  return token
}

/**
 * Checks credentials before anything else is read, in one fixed order: the token and its right, or the node that is
 * claimed; then, when the body is there, the node's signature over its bytes; only then is the body parsed.
 */
export function checkCredentials(
  app: FastifyInstance,
  {
    accounts,
    clock,
    nodeDesk,
    desiredDesk,
    publicUrl,
  }: Pick<Services, 'accounts' | 'clock' | 'nodeDesk' | 'desiredDesk' | 'publicUrl'>,
  countRefusal: CountRefusal,
): void {
  const secure = isSecure(publicUrl)
  /** Whose session is no longer good is nobody, and his browser forgets it. */
  const forgetSession =
    ({ actor }: FastifyRequest, reply: FastifyReply) =>
    (thrown: unknown): Actor => {
      if (!(thrown instanceof DomainError) || ERRORS[thrown.code].kind !== 'unauthenticated') throw thrown
      endSession(reply, secure)
      return actor
    }
  app.decorateRequest('node', undefined)
  app.decorateRequest('actor')
  app.decorateRequest('bytes')
  app.addHook('onRequest', async (request, reply) => {
    const address = request.ip
    request.actor = { kind: 'anonymous', address }
    // a route that forgot to say who may use it is for nobody but admins
    const access = request.routeOptions.config.access ?? (request.is404 ? 'anyone' : 'admin')
    const counted = <T>(checking: Promise<T>): Promise<T> => countedBy(countRefusal, request, reply, checking)
    if (request.routeOptions.config.page === true) {
      if (access === 'node' || access === 'joining')
        throw new DomainError('internal', 'a page is for people, not for nodes')
      requireSameSite(request, publicUrl)
      const session = sessionOf(request, secure)
      if (session !== undefined)
        request.actor = await counted(authenticate(accounts, clock, session.secret, address)).catch(
          forgetSession(request, reply),
        )
      if (access !== 'anyone') requireRight(request.actor, access, subjectOf(request))
      return
    }
    const secret = access === 'node' || access === 'joining' ? undefined : bearerToken(request)
    const signed = access === 'anyone' && secret === undefined && 'signature' in request.headers
    if (access === 'node' || signed) {
      const node = await counted(nodeDesk.claimed(request.headers))
      request.node = node
      // what it may read it is told in its desired state
      const programs = signed ? await desiredDesk.programs(node.labels) : []
      request.actor = { kind: 'node', id: node.id, name: node.name, programs, address }
      return
    }
    if (access === 'joining') return
    if (secret !== undefined) request.actor = await counted(authenticate(accounts, clock, secret, address))
    if (access !== 'anyone') requireRight(request.actor, access, subjectOf(request))
  })
  app.addHook('preValidation', async (request, reply) => {
    request.bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    if (request.node !== undefined) {
      const proving = nodeDesk.prove(request.node, signedPartOf(request), request.ip)
      request.node = await countedBy(countRefusal, request, reply, proving)
      if (request.routeOptions.config.access === 'node') requireOwn(request, request.node)
    }
    if (request.routeOptions.schema?.body !== undefined && !request.isMultipart())
      request.body = parseStrictJson(utf8(request.bytes), 'body')
  })
}

/** What a check of credentials gives; a refusal is counted. */
async function countedBy<T>(
  count: CountRefusal,
  request: FastifyRequest,
  reply: FastifyReply,
  checking: Promise<T>,
): Promise<T> {
  try {
    return await checking
  } catch (thrown) {
    await count(request, reply)
    throw thrown
  }
}

const Subject = z.object({ ns: z.string().optional(), name: z.string().optional() })

/** What a request is about, by its path. */
const subjectOf = ({ params }: FastifyRequest) => Subject.parse(params ?? {})

/** A node speaks for itself only: the `id` of its routes is its own. */
function requireOwn({ params }: FastifyRequest, node: KnownNode): void {
  const id = typeof params === 'object' && params !== null && 'id' in params ? params.id : undefined
  if (id !== node.id)
    throw new DomainError('forbidden', `node ${node.id} may speak for itself only, not for ${String(id)}`)
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new DomainError('invalid_json', 'body: it is not UTF-8', { cause })
  }
}
