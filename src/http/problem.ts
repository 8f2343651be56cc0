import type { FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DomainError, ERRORS, type ErrorCode, type ErrorKind } from '../domain/errors.ts'

/** Status by kind of failure. A kernel's or machine's failure is never this request's: it is an internal error. */
const STATUS = {
  usage: 400,
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  untrusted: 422,
  unsupported: 422,
  unavailable: 503,
  kernel: 500,
  environment: 500,
  internal: 500,
} as const satisfies Record<ErrorKind, number>

/** An error as it is answered (RFC 9457). `type` is `urn:hookline:error:<code>`; `remedy` says what to do. */
export const Problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  code: z.string(),
  detail: z.string(),
  remedy: z.string(),
})
type Problem = z.infer<typeof Problem>

/** The status that a code is answered with. */
const statusOf = (code: ErrorCode): number => STATUS[ERRORS[code].kind]

/** Told of every failure that is the registry's own, with the request's method and path. */
export type ReportFailure = (error: unknown, request: string) => void

/** What Fastify itself refuses, by the name of the limit or rule that it holds. */
function fastifyRefusal(error: unknown): DomainError | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  if (typeof error.statusCode !== 'number' || error.statusCode >= 500) return undefined
  return new DomainError(error.statusCode === 413 ? 'too_large' : 'invalid_request', error.message)
}

function domainErrorOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation
    const where = `${error.validationContext ?? 'request'}${(first?.instancePath ?? '').replaceAll('/', '.')}`
    return new DomainError('invalid_request', `${where}: ${first?.message ?? 'does not fit'}`)
  }
  return fastifyRefusal(error) ?? new DomainError('internal', 'the request failed', { cause: error })
}

/** The one place where errors become answers. What is not the requester's doing is reported and not shown. */
export const answerError =
  (report: ReportFailure) =>
  (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const error = domainErrorOf(thrown)
    const status = statusOf(error.code)
    if (status === 500) report(thrown, `${request.method} ${request.url}`)
    const { code, title, remedy } = status === 500 ? { code: 'internal', ...ERRORS.internal } : error
    const problem: Problem = {
      type: `urn:hookline:error:${code}`,
      title,
      status,
      code,
      detail: status === 500 ? 'the registry could not do this; its log says why' : error.message,
      remedy,
    }
    if (status === 401) reply.header('www-authenticate', 'Bearer')
    // a string is sent as it is: an answer to an error must not fail in a serializer
    return reply.code(status).type('application/problem+json').send(JSON.stringify(problem))
  }

/** The response schemas of the codes that a route answers, by status. */
export function problems(codes: readonly ErrorCode[]): Record<number, unknown> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code])
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      { description: of.join(', '), content: { 'application/problem+json': { schema: Problem } } },
    ]),
  )
}
