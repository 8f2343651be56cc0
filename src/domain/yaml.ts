import { parseDocument } from 'yaml'
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
  const document = parseDocument(text, { uniqueKeys: true, strict: true, version: '1.2', schema: 'core' })
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) throw new DomainError(code, `${what}: ${problem.message.split('\n', 1)[0]}`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 0 })
  } catch (cause) {
    throw new DomainError(code, `${what}: aliases are not allowed`, { cause })
  }
  return parseWith(schema, value, code, what)
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
  const issue = parsed.error.issues[0]
  const at = issue?.path.map(String).join('.') ?? ''
  throw new DomainError(code, `${what}: ${at === '' ? '' : `${at}: `}${issue?.message ?? 'does not fit'}`)
}
