import { maxHeaderSize, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { Check } from '../domain/check.ts'
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
  /** Of a refused publish: all that was checked. */
  checks: z.array(Check).optional(),
})
export type Problem = z.infer<typeof Problem>

/** Shows a refusal, whose status is set, to a person. */
export type ShowRefusal = (problem: Problem, request: FastifyRequest, reply: FastifyReply) => FastifyReply

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A page for people: it knows them by their session, and refuses them by a page. */
    page?: boolean
  }
}

/**
 * Whether a refusal is for a person: of a page, or of a login or a path that is none of the interface's, asked for by a
 * browser.
 */
function isForPeople(request: FastifyRequest): boolean {
  if (request.routeOptions?.config?.page === true) return true
  const path = request.url.split('?', 1)[0] ?? ''
  return (
    (path.startsWith('/auth/') || (request.is404 === true && !path.startsWith('/api/'))) &&
    (request.headers.accept ?? '').toLowerCase().includes('text/html')
  )
}

/** Codes with a status of their own. */
const OWN_STATUS: Partial<Record<ErrorCode, number>> = {
  method_not_allowed: 405,
  unsupported_media_type: 415,
  rate_limited: 429,
}

/** The status that a code is answered with. */
export const statusOf = (code: ErrorCode): number => OWN_STATUS[code] ?? STATUS[ERRORS[code].kind]

/** Told of every failure that is the registry's own, with the request's method and path. */
export type ReportFailure = (error: unknown, request: string) => void

const FASTIFY_CODES: Record<number, ErrorCode> = { 413: 'too_large', 415: 'unsupported_media_type' }

/** What Fastify itself refuses, by the name of the limit or rule that it holds. */
function fastifyRefusal(error: unknown): DomainError | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  if (typeof error.statusCode !== 'number' || error.statusCode >= 500) return undefined
  return new DomainError(FASTIFY_CODES[error.statusCode] ?? 'invalid_request', error.message)
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

/** What a requester is told of a failure that is none of his doing. */
const HIDDEN = new DomainError('internal', 'the registry could not do this; its log says why')

const problemOf = ({ code, title, remedy, message, checks }: DomainError, status: number): Problem => ({
  ...{ type: `urn:hookline:error:${code}`, title, status, code, detail: message, remedy },
  ...(checks === undefined ? {} : { checks: checks.map((check) => Check.parse(check)) }),
})

/** The one place where errors become answers. What is not the requester's doing is reported and not shown. */
export const answerError =
  (report: ReportFailure, showToPeople: ShowRefusal) =>
  (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const error = domainErrorOf(thrown)
    const status = statusOf(error.code)
    if (status === 500) report(thrown, `${request.method} ${request.url}`)
    const problem = problemOf(status === 500 ? HIDDEN : error, status)
    if (isForPeople(request)) return showToPeople(problem, request, reply.code(status))
    if (status === 401) reply.header('www-authenticate', 'Bearer')
    // a string is sent as it is: an answer to an error must not fail in a serializer
    return reply.code(status).type('application/problem+json').send(JSON.stringify(problem))
  }

/**
 * Answers what never became a request, by the error of Node's parser (`clientError` of http.Server), and cuts the
 * connection: what would follow cannot be told apart.
 */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, refusal] = unreadable(error.code)
  const body = JSON.stringify(problemOf(refusal, status))
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}

function unreadable(code: string | undefined): [number, DomainError] {
  if (code === 'HPE_HEADER_OVERFLOW')
    return [
      431,
      new DomainError('too_large', `the header of the request is larger than ${maxHeaderSize} bytes`),
    ]
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return [408, new DomainError('invalid_request', 'the request did not arrive in time')]
  return [400, new DomainError('invalid_request', 'this is no HTTP/1.1 request')]
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
