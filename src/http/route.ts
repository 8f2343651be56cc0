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

/** Who may use a route: whoever has one of the rights, or a node by its signature. Several: any one of them is enough. */
export type Access = Need | 'node'

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
}

const REFUSALS: Record<Access, readonly ErrorCode[]> = {
  anyone: ['unauthenticated'],
  publish: ['unauthenticated', 'forbidden'],
  fleet: ['unauthenticated', 'forbidden'],
  admin: ['unauthenticated', 'forbidden'],
  node: ['node_unauthenticated', 'forbidden'],
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
  const codes: ErrorCode[] = ['invalid_request', ...REFUSALS[access], ...errors, 'internal']
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

/** The node that made the request; only a route with access `node` has one. */
export function nodeOf(request: FastifyRequest): KnownNode {
  if (request.node === undefined) throw new DomainError('internal', 'the route is not one for nodes')
  return request.node
}
