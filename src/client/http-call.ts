import { z } from 'zod'
import { Check } from '../domain/check.ts'
import { asDomainError, DomainError, isErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { parseStrictJson } from '../domain/strict-json.ts'
import { parseWith } from '../domain/yaml.ts'

/** A request to a registry. */
export interface HttpCall {
  readonly method: string
  /** Path below the origin, with its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | FormData | Uint8Array<ArrayBuffer>
  /** Most bytes that an answer may have. */
  readonly maxBytes: number
  readonly timeout_s?: number
  readonly signal?: AbortSignal
  /** Given the bytes of the answer as they arrive. */
  readonly onChunk?: (chunk: Uint8Array) => void
  /** Told of `Warning` fields of the answer (RFC 7234 section 5.5). */
  readonly onWarning?: ((text: string) => void) | undefined
}

/** An answer that is no problem: 2xx or 304. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** RFC 9457; further members are allowed, and ours is the code. */
const Problem = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  code: z.string().optional(),
  checks: z.array(Check).max(LIMITS.checks).optional().catch(undefined),
})

/** The address of a registry: scheme, host and port. Throws `usage`. */
export function parseRegistryUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`)
    throw new DomainError('usage', `"${text}" is no registry address, such as https://registry.example:8443`)
  return url
}

/**
 * Sends one request and reads the answer whole, within limits of time and size. A redirect is refused: it would carry
 * the token, or the trust in this address, to another place. Throws what the registry's problem document says, else
 * `registry_unavailable` when nothing came, `registry_answer` when it was no answer of a registry, `too_large`.
 */
export async function callRegistry(registry: URL, call: HttpCall): Promise<HttpAnswer> {
  const timeout_s = call.timeout_s ?? LIMITS.http_timeout_s
  const timeout = AbortSignal.timeout(timeout_s * 1000)
  try {
    const response = await fetch(new URL(call.path, registry), {
      method: call.method,
      headers: { accept: 'application/json', ...call.headers },
      redirect: 'manual',
      signal: call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]),
      ...(call.body === undefined ? {} : { body: call.body }),
    })
    const { status, headers } = response
    if (!response.ok && status !== 304) throw await problemOf(registry, response, call.path)
    for (const [, text] of (headers.get('warning') ?? '').matchAll(/\b299 \S+ "([^"]*)"/g))
      call.onWarning?.(text ?? '')
    return { status, headers, body: await readBounded(response, call.maxBytes, call.path, call.onChunk) }
  } catch (cause) {
    if (cause instanceof DomainError) throw cause
    if (call.signal?.aborted === true) throw call.signal.reason
    const why = timeout.aborted ? `no answer within ${timeout_s} s` : networkReason(cause)
    throw new DomainError('registry_unavailable', `registry ${registry.origin}: ${why}`, { cause })
  }
}

/** Parses a JSON answer of at most `mostItems` parts. What does not fit is the registry's fault: throws `registry_answer`. */
export function readJson<T extends z.ZodType>(
  answer: HttpAnswer,
  schema: T,
  what: string,
  mostItems: number = LIMITS.json_items,
): z.output<T> {
  const name = `the registry's answer for ${what}`
  let value: unknown
  try {
    value = parseStrictJson(answer.body.toString('utf8'), name, mostItems)
  } catch (cause) {
    throw new DomainError('registry_answer', asDomainError(cause).message, { cause })
  }
  return parseWith(schema, value, 'registry_answer', name)
}

/** Reads at most `maxBytes`; a longer body is cut off rather than kept in memory. */
async function readBounded(
  response: Response,
  maxBytes: number,
  path: string,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<Buffer> {
  const announced = Number(response.headers.get('content-length') ?? 0)
  const reader = response.body?.getReader()
  const chunks: Uint8Array[] = []
  let length = announced > maxBytes ? announced : 0
  while (length <= maxBytes) {
    const part = await reader?.read()
    if (part === undefined || part.done) return Buffer.concat(chunks)
    length += part.value.length
    chunks.push(part.value)
    onChunk?.(part.value)
  }
  await reader?.cancel()
  throw new DomainError('too_large', `the registry's answer to ${path} is larger than ${maxBytes} bytes`)
}

/** The failure that an answer stands for: the registry's own code when it is one of ours. */
async function problemOf(registry: URL, response: Response, path: string): Promise<DomainError> {
  const { status } = response
  const body = await readBounded(response, LIMITS.problem_bytes, path)
  if (status >= 300 && status < 400)
    return new DomainError(
      'registry_answer',
      `registry ${registry.origin} redirects to ${response.headers.get('location') ?? 'nowhere'}; name that address if it is meant`,
    )
  const problem = Problem.safeParse(attempt(() => JSON.parse(body.toString('utf8'))))
  const { code, detail, title, checks } = problem.data ?? {}
  const message = detail ?? title
  if (code !== undefined && isErrorCode(code) && message !== undefined)
    return new DomainError(code, message, checks === undefined ? {} : { checks })
  return new DomainError(
    'registry_answer',
    `registry ${registry.origin} answered ${[status, response.statusText, message].filter(Boolean).join(' ')}`,
  )
}

function attempt(parse: () => unknown): unknown {
  try {
    return parse()
  } catch {
    return undefined
  }
}

/** The useful part of a failed fetch: its own message is always "fetch failed", the cause says why. */
function networkReason(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return NETWORK_REASONS[code] ?? (asDomainError(cause).message || code || 'the connection failed')
}

const NETWORK_REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be resolved now',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
}
