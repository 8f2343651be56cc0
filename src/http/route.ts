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
import { DomainError, type ErrorCode } from '../domain/errors.ts'
import type { Need } from '../registry/access.ts'
import type { KnownNode, SignedRequest } from '../registry/nodes.ts'
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
 * Who may use a route: whoever has the right, a node by its signature, or who is `joining`: by a join token, and a
 * signature by the key that the request brings, both checked once its body is read.
 */
export type Access = Need | 'node' | 'joining'

/** What a route is called and grouped by in the description, and the codes that it answers besides those of its access. */
interface Description {
  readonly operationId: string
  readonly tags: string[]
  readonly summary: string
  readonly errors?: readonly ErrorCode[]
}

const SECURITY: Record<Access, Record<string, string[]>[]> = {
  anyone: [],
  publish: [{ bearer: [] }],
  fleet: [{ bearer: [] }],
  admin: [{ bearer: [] }],
  node: [{ nodeSignature: [] }],
  joining: [{ nodeSignature: [] }],
}

const REFUSALS: Record<Access, readonly ErrorCode[]> = {
  anyone: ['unauthenticated'],
  publish: ['unauthenticated', 'forbidden'],
  fleet: ['unauthenticated', 'forbidden'],
  admin: ['unauthenticated', 'forbidden'],
  node: ['node_unauthenticated', 'forbidden'],
  joining: ['node_unauthenticated'],
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
  const codes: ErrorCode[] = ['invalid_request', ...REFUSALS[access], ...errors, ...typed, 'internal']
  // handlers are checked against their own answers only; those of errors are sent by the error boundary
  const response: S['response'] = { ...problems(codes), ...schemas.response }
  return { config: { access }, schema: { ...named, security: SECURITY[access], ...schemas, response } }
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

/** The node that made the request; only a route with access `node` has one. */
export function nodeOf(request: FastifyRequest): KnownNode {
  if (request.node === undefined) throw new DomainError('internal', 'the route is not one for nodes')
  return request.node
}
