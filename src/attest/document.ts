import type { z } from 'zod'
import { asDomainError, DomainError, type ErrorCode } from '../domain/errors.ts'
import { parseStrictJson } from '../domain/strict-json.ts'
import { parseWith } from '../domain/yaml.ts'

/**
 * Parses a JSON document of the trust chain: valid UTF-8, no key twice, nothing that `schema` does not know. Whatever is
 * wrong with it, the error has the one `code`.
 */
export function parseDocument<T extends z.ZodType>(
  document: string | Buffer,
  schema: T,
  code: ErrorCode,
  what: string,
): z.output<T> {
  try {
    const text = typeof document === 'string' ? document : UTF8.decode(document)
    return parseWith(schema, parseStrictJson(text, what), code, what)
  } catch (cause) {
    const why = cause instanceof TypeError ? `${what}: it is not UTF-8` : asDomainError(cause).message
    throw new DomainError(code, why, { cause })
  }
}

/** A replacement character in place of foreign bytes would let two different documents read alike. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
