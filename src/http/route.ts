import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Actor, TokenActor } from '../domain/account.ts'
import { DomainError, type ErrorCode } from '../domain/errors.ts'
import { RIGHTS, type Right } from '../registry/access.ts'
import type { SignedRequest } from '../registry/node-keys.ts'
import type { KnownNode } from '../registry/nodes.ts'
import { problems } from './problem.ts'

/** A server whose routes are described by zod schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/**
 * Who may use a route: `anyone`, who sees what is public and, by a token or a node's signature, what is his; whoever has the
 * right; a node by its signature; or who is `joining`: by a join token, and a signature by the key that the request
 * brings, both checked once its body is read.
 */
export type Access = 'anyone' | Right | 'node' | 'joining'

/** What a route is called and grouped by in the description, and the codes that it answers besides those of its access. */
interface Description {
  readonly operationId: string
  readonly tags: string[]
  readonly summary: string
  readonly errors?: readonly ErrorCode[]
}

/** The schemes of the description by which a route may be used; `{}` is none. */
function securityOf(access: Access): Record<string, string[]>[] {
  if (access === 'anyone') return [{}, { bearer: [] }, { nodeSignature: [] }]
  return access === 'node' || access === 'joining' ? [{ nodeSignature: [] }] : [{ bearer: [] }]
}

const TOKEN_REFUSALS = ['unauthenticated', 'token_expired', 'token_revoked', 'account_disabled'] as const

/** How credentials may be refused. */
function refusalsOf(access: Access): readonly ErrorCode[] {
  if (access === 'node') return ['node_unauthenticated', 'node_key_retired', 'forbidden']
  if (access === 'joining') return ['node_unauthenticated']
  if (access === 'anyone') return [...TOKEN_REFUSALS, 'node_unauthenticated', 'node_key_retired']
  const unseen: ErrorCode[] = 'role' in RIGHTS[access] ? ['not_found'] : []
  return [...TOKEN_REFUSALS, 'scope_missing', 'forbidden', ...unseen]
}

/** The zod schemas of a route; `response` holds the answers that are no errors, by status. */
interface Schemas {
  readonly params?: z.ZodType
  readonly querystring?: z.ZodType
  readonly body?: z.ZodType
  readonly response: Record<number, unknown>
}

/** The options of a route: who may use it, what it is called, what it takes and answers. */
export function described<S extends Schemas>(access: Access, description: Description, schemas: S) {
  const { errors = [], ...named } = description
  const typed: ErrorCode[] = schemas.body === undefined ? [] : ['unsupported_media_type']
  const codes = new Set<ErrorCode>([
    ...(['invalid_request', ...refusalsOf(access), ...errors, ...typed] as const),
    ...(['rate_limited', 'overloaded', 'internal'] as const),
  ])
  // handlers are checked against their own answers only; those of errors are sent by the error boundary
  const response: S['response'] = { ...problems([...codes]), ...schemas.response }
  return {
    config: { access },
    schema: { ...named, 'x-right': access, security: securityOf(access), ...schemas, response },
  }
}

/** An answer without a body. */
export const empty = (description: string) => z.unknown().meta({ type: 'null', description })

/** An answer of bytes, sent as they are. */
export const bytes = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: z.unknown().meta({ type: 'string', format: 'binary' }) } },
})

/** An answer of this form that is sent as ready-made JSON bytes, so that its type is not checked again. */
export const sentAsBytes = (schema: z.ZodType): z.ZodType<unknown> => schema

/** What a request's signature is checked over; its body may have been parsed since. */
export const signedPartOf = ({ method, raw, headers, bytes }: FastifyRequest): SignedRequest => ({
  ...{ method, path: raw.url ?? '', headers, body: bytes },
})

/** Who made the request, whose route asks for a token. */
export function holderOf(request: FastifyRequest): Actor & TokenActor {
  if (request.actor.kind !== 'token') throw new DomainError('internal', 'the route is not one for tokens')
  return request.actor
}

/** The node that made the request; only a route with access `node` has one. */
export function nodeOf(request: FastifyRequest): KnownNode {
  if (request.node === undefined) throw new DomainError('internal', 'the route is not one for nodes')
  return request.node
}
