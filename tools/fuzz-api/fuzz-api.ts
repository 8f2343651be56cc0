import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { type Chance, chance, type Schema, STRANGE, spoilt, valueFor } from './schema-values.ts'

/** The part of an OpenAPI document that requests and answers are made and checked by. */
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: 'path' | 'query' | 'header'
    readonly schema: Schema
    readonly required?: boolean
  }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >
}

/** Who asks: a name for messages, and headers that say so. */
export interface FuzzActor {
  readonly name: string
  headers(): Readonly<Record<string, string>>
  /** Gives back what a request took away: a token that was revoked, an account that was disabled. */
  renew?(): Promise<void>
}

/** What came of it. `byStatus` counts answers; `operations` were asked at least once. */
export interface FuzzReport {
  readonly requests: number
  readonly operations: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly failures: readonly FuzzFailure[]
}

/** An answer that must not be, with all that is needed to ask again. */
interface FuzzFailure {
  readonly number: number
  readonly request: string
  readonly status: number
  readonly why: string
  readonly answer: string
}

/** Failures after which it is enough. */
const ENOUGH = 20
/** Waits are cut short: they are another matter. */
const NO_WAITING = { wait: '0' }
/** Values seen in answers that are used again. */
const MEMORY = 400

/**
 * Sends requests that the description allows, almost allows and does not allow, by several actors, and holds each answer
 * against it: no failure of the registry, no status, type or form that is not described.
 */
export async function fuzzApi(
  app: Pick<FastifyInstance, 'inject'>,
  description: Description,
  actors: readonly FuzzActor[],
  { count, seed, progress }: { count: number; seed: number; progress?: (done: number) => void },
): Promise<FuzzReport> {
  const at = chance(seed)
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const schemas = validators(description)
  const seen = new Map<string, unknown[]>()
  const asked = new Set<string>()
  const byStatus: Record<string, number> = {}
  const failures: FuzzFailure[] = []
  let requests = 0
  while (requests < count && failures.length < ENOUGH) {
    const { path, method, operation } = at.pick(operations)
    const actor = at.pick(actors)
    const request = requestFor(description, path, operation, at, seen)
    const answer = await app.inject({
      method: method as 'GET',
      url: request.url,
      headers: { ...request.headers, ...actor.headers() },
      ...(request.body === undefined ? {} : { payload: request.body }),
    })
    if (answer.statusCode === 401) await actor.renew?.()
    requests += 1
    asked.add(operation.operationId)
    byStatus[answer.statusCode] = (byStatus[answer.statusCode] ?? 0) + 1
    const type = String(answer.headers['content-type'] ?? '').split(';')[0] ?? ''
    const why = complaint(operation, answer.statusCode, type, answer.payload, schemas)
    if (why !== undefined)
      failures.push({
        number: requests,
        request: `${method} ${request.url} as ${actor.name} ${JSON.stringify(request.headers)} ${String(request.body ?? '').slice(0, 500)}`,
        status: answer.statusCode,
        why,
        answer: answer.payload.slice(0, 300),
      })
    else if (type.endsWith('json') && answer.statusCode < 300 && answer.payload !== '')
      remember(seen, JSON.parse(answer.payload), at)
    if (requests % 500 === 0) progress?.(requests)
  }
  return { requests, operations: asked.size, byStatus, failures }
}

/** Schemas of the description as checks, made once each. */
function validators(description: Description): (schema: Schema) => z.ZodType {
  const known = new Map<Schema, z.ZodType>()
  return (schema) => {
    const made = known.get(schema) ?? z.fromJSONSchema(selfContained(schema, description) as never)
    known.set(schema, made)
    return made
  }
}

/** A schema with those that it names, as definitions of its own. */
function selfContained(schema: Schema, { components }: Description): unknown {
  const text = JSON.stringify({ ...schema, $defs: components.schemas })
  return JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/'))
}

/** What is wrong with an answer, if anything is. */
function complaint(
  { responses }: Operation,
  status: number,
  type: string,
  payload: string,
  schemas: (schema: Schema) => z.ZodType,
): string | undefined {
  if (status >= 500 && status !== 503) return 'the registry failed'
  const described = responses[status]
  // what the server itself refuses before any route is asked
  if (described === undefined)
    return [414, 431].includes(status) ? undefined : `status ${status} is not described`
  const content = described.content?.[type]
  if (described.content === undefined) return undefined
  if (content === undefined)
    return payload === '' ? undefined : `type "${type}" is not described for ${status}`
  if (!type.endsWith('json') || content.schema.format === 'binary') return undefined
  const checked = schemas(content.schema).safeParse(JSON.parse(payload))
  if (checked.success) return undefined
  const [issue] = checked.error.issues
  return `the answer has another form than described: ${issue?.path.join('.')}: ${issue?.message}`
}

interface FuzzRequest {
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string | Buffer | undefined
}

function requestFor(
  description: Description,
  path: string,
  operation: Operation,
  at: Chance,
  seen: ReadonlyMap<string, unknown[]>,
): FuzzRequest {
  const resolve = (ref: string): Schema => description.components.schemas[ref.split('/').at(-1) ?? ''] ?? {}
  const honest = at.happens(0.6)
  const value = (name: string, schema: Schema): unknown => {
    const before = seen.get(name)
    if (before !== undefined && at.happens(0.6)) return at.pick(before)
    const fitting = valueFor(schema, at, resolve)
    return honest || at.happens(0.6) ? fitting : spoilt(fitting, at)
  }
  const text = (one: unknown): string => encodeURIComponent(String(one).toWellFormed())
  let url = path
  const query: string[] = []
  for (const { name, in: where, schema, required } of operation.parameters ?? []) {
    if (where === 'path') url = url.replace(`{${name}}`, text(value(name, schema)) || '%20')
    else if (where === 'query' && (required === true || at.happens(0.4)))
      for (const one of [value(name, schema)].flat()) query.push(`${text(name)}=${text(one)}`)
  }
  if (url.endsWith('/desired')) query.push(`wait=${NO_WAITING.wait}`)
  if (!honest && at.happens(0.1)) query.push(`${text(at.pick(STRANGE))}=${text(at.pick(STRANGE))}`)
  const headers: Record<string, string> = {}
  if (!honest && at.happens(0.1))
    headers['range'] = at.pick(['bytes=0-', 'bytes=5-1', 'bytes=-0', 'bytes=a-b', 'items=1-2'])
  if (!honest && at.happens(0.1)) headers['if-none-match'] = at.pick(['*', '"x"', 'W/"', '"'.repeat(50)])
  const body = bodyFor(operation, at, honest, (schema) => valueFor(schema, at, resolve), headers)
  return { url: query.length === 0 ? url : `${url}?${query.join('&')}`, headers, body }
}

function bodyFor(
  { requestBody }: Operation,
  at: Chance,
  honest: boolean,
  fitting: (schema: Schema) => unknown,
  headers: Record<string, string>,
): string | Buffer | undefined {
  if (requestBody === undefined) return undefined
  const [type = '', content] = Object.entries(requestBody.content)[0] ?? []
  if (type === 'multipart/form-data') return formFor(at, headers)
  headers['content-type'] =
    honest || at.happens(0.9)
      ? type
      : at.pick(['text/plain', 'application/xml', 'application/json; charset=utf-16', ';'])
  const value = fitting(content?.schema ?? {})
  const json = JSON.stringify(honest ? value : spoilt(value, at)) ?? 'null'
  if (honest || at.happens(0.8)) return json
  return at.pick<string | Buffer>([
    ...[
      '',
      '{',
      '[',
      '"',
      json.slice(0, -1),
      `${json}${json}`,
      json.replace('{', '{"a":1,"a":2,'),
      '{"a":'.repeat(2000),
    ],
    ...[Buffer.from([0xff, 0xfe, 0x00]), Buffer.from(`\ufeff${json}`), 'null', '1e999'],
  ])
}

/** A form of parts that more or less make a release. */
function formFor(at: Chance, headers: Record<string, string>): Buffer {
  const boundary = 'hookline-fuzz'
  headers['content-type'] = at.happens(0.95)
    ? `multipart/form-data; boundary=${boundary}`
    : 'multipart/form-data'
  const manifest = at.pick([
    'name: acme/limit\nversion: 1.0.0\nsummary: x\nlicense: MIT\nprograms: [{ object: a.o, entry: main, hook: xdp }]\n',
    ...['name: acme/limit', '', '\0', 'a: &a [*a]', '{{{', 'x: '.repeat(3000), '- '.repeat(500)],
  ])
  const parts = [
    ['manifest', 'hookline.yaml', manifest],
    ['bundle', 'bundle.json', at.pick(['{}', '', 'null', '{"mediaType":1}', '[]'])],
    ['file', at.pick(['a.o', '../a.o', 'README.md', '', 'a\0b']), at.pick(['\x7fELF', '', 'x'.repeat(2000)])],
  ].filter(() => at.happens(0.85))
  const text = parts
    .map(
      ([name, file, content]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${file}"\r\n\r\n${content}\r\n`,
    )
    .join('')
  return Buffer.from(at.happens(0.9) ? `${text}--${boundary}--\r\n` : text)
}

/** Keeps values by the names that they had, for requests to come: ids, names, versions, digests. */
function remember(seen: Map<string, unknown[]>, value: unknown, at: Chance, depth = 0): void {
  if (depth > 4 || typeof value !== 'object' || value === null) return
  for (const [name, part] of Object.entries(value)) {
    if (typeof part === 'string' || typeof part === 'number') {
      for (const [as, kept] of aliases(name, part)) {
        const values = seen.get(as) ?? []
        if (values.length < MEMORY) values.push(kept)
        else values[Math.floor(at.next() * MEMORY)] = kept
        seen.set(as, values)
      }
    } else remember(seen, part, at, depth + 1)
  }
}

/** A program's name is a namespace and a name in paths; members are accounts. */
function aliases(name: string, value: string | number): [string, unknown][] {
  if (name === 'program' && typeof value === 'string' && value.includes('/')) {
    const [ns, rest] = value.split('/')
    return [
      ['program', value],
      ['ns', ns],
      ['name', rest],
    ]
  }
  if (name === 'namespace')
    return [
      ['ns', value],
      ['namespace', value],
    ]
  if (name === 'next') return [['cursor', value]]
  return [[name, value]]
}
