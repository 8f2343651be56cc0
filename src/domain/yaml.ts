import { type Document, isScalar, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import { DomainError, type ErrorCode } from './errors.ts'

/**
 * Parses one YAML document into what `schema` describes. Duplicate keys, aliases (a small file could expand without
 * end), custom tags and unknown fields are refused. Throws `code` with the place of the first problem.
 */
export function parseYaml<T extends z.ZodType>(
  text: string,
  schema: T,
  { code, what, maxBytes }: { code: ErrorCode; what: string; maxBytes: number },
): z.output<T> {
  if (Buffer.byteLength(text) > maxBytes)
    throw new DomainError('too_large', `${what} is larger than ${maxBytes} bytes`)
  // the library's own uniqueKeys compares every key with every other: a file of 25,000 keys would take it many seconds
  const document = parseDocument(text, { uniqueKeys: false, strict: true, version: '1.2', schema: 'core' })
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) throw new DomainError(code, `${what}: ${problem.message.split('\n', 1)[0]}`)
  const twice = duplicateKey(document)
  if (twice !== undefined) throw new DomainError(code, `${what}: key ${JSON.stringify(twice)} occurs twice`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 0 })
  } catch (cause) {
    throw new DomainError(code, `${what}: aliases are not allowed`, { cause })
  }
  return parseWith(schema, value, code, what)
}

/** The first key that a map of the document names twice, by the text it would have in JavaScript. */
function duplicateKey(document: Document): string | undefined {
  let twice: string | undefined
  visit(document, {
    Map: (_, { items }) => {
      const keys = new Set<string>()
      for (const { key } of items) {
        const text = String(isScalar(key) ? key.value : key)
        if (keys.has(text)) {
          twice = text
          return visit.BREAK
        }
        keys.add(text)
      }
      return undefined
    },
  })
  return twice
}

/** Parses `value` by `schema`; a failure becomes a DomainError `code` that names the first field at fault. */
export function parseWith<T extends z.ZodType>(
  schema: T,
  value: unknown,
  code: ErrorCode,
  what: string,
): z.output<T> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = deepest(parsed.error.issues)
  const at = path.map(String).join('.')
  throw new DomainError(code, `${what}: ${at === '' ? '' : `${at}: `}${message}`)
}

interface Fault {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** The first issue; of a value that could be one of several things, the reason of the one that it came closest to. */
function deepest([issue]: readonly z.core.$ZodIssue[]): Fault {
  if (issue === undefined) return { path: [], message: 'does not fit' }
  if (issue.code !== 'invalid_union') return issue
  const fewest = Math.min(...issue.errors.map(({ length }) => length))
  const close = issue.errors.filter(({ length }) => length === fewest).map(deepest)
  const best = close.reduce<Fault>((one, other) => (other.path.length > one.path.length ? other : one), {
    path: [],
    message: issue.message,
  })
  return { path: [...issue.path, ...best.path], message: best.message }
}
