import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import { DomainError, type ErrorCode } from './errors.ts'
import { faultOf, pathText } from './fault.ts'

/**
 * Parses one YAML document into what `schema` describes. Duplicate keys, aliases (a small file could expand without
 * end), custom tags and unknown fields are refused. Throws `code` with the line and place of the first problem.
 */
export function parseYaml<T extends z.ZodType>(
  text: string,
  schema: T,
  { code, what, maxBytes }: { code: ErrorCode; what: string; maxBytes: number },
): z.output<T> {
  if (Buffer.byteLength(text) > maxBytes)
    throw new DomainError('too_large', `${what} is larger than ${maxBytes} bytes`)
  // the library's own uniqueKeys compares every key with every other: a file of 25,000 keys would take it many seconds
  const lines = new LineCounter()
  const document = parseDocument(text, {
    uniqueKeys: false,
    strict: true,
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
  })
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
  return parseWith(schema, value, code, what, (path) => lineText(document, lines, path))
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
  lineOf: (path: readonly PropertyKey[]) => string = () => '',
): z.output<T> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = faultOf(parsed.error.issues, schema, value)
  const at = path.length === 0 ? '' : `${pathText(path)}: `
  throw new DomainError(code, `${what}: ${lineOf(path)}${at}${message}`)
}

/** The line on which the key or item at `path` stands, or, when it is missing, what should hold it: `line 7: `. */
function lineText(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true)
    const last = path[length - 1]
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => String(isScalar(key) ? key.value : key) === last)
      : undefined
    const node = pair?.key ?? (isSeq(parent) && typeof last === 'number' ? parent.items[last] : undefined)
    if (isNode(node) && node.range) return `line ${lines.linePos(node.range[0]).line}: `
  }
  return ''
}
