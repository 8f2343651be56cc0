import { DomainError } from './errors.ts'
import { LIMITS } from './limits.ts'

/**
 * Parses JSON and refuses an object that names a key twice: parsers differ in which one wins, so a signed document
 * could mean one thing to its signer and another to its reader. More than `mostItems` values are refused before they
 * are made. Throws `invalid_json`, `too_large`.
 */
export function parseStrictJson(
  text: string,
  what = 'document',
  mostItems: number = LIMITS.json_items,
): unknown {
  requireFewItems(text, what, mostItems)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new DomainError('invalid_json', `${what}: ${cause instanceof Error ? cause.message : 'not JSON'}`, {
      cause,
    })
  }
  const twice = duplicateKey(text)
  if (twice !== undefined)
    throw new DomainError('invalid_json', `${what}: key ${JSON.stringify(twice)} occurs twice`)
  return value
}

/** Counts what could become a value: every opening bracket and every comma. Those inside strings count too, which only errs on one side. */
function requireFewItems(text: string, what: string, most: number): void {
  let items = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === COMMA || unit === BRACKET || unit === BRACE) items++
  }
  if (items > most) throw new DomainError('too_large', `${what} has more than ${most} parts`)
}
const [COMMA, BRACKET, BRACE] = [0x2c, 0x5b, 0x7b] as const

/** The first key that an object of the JSON `text` names twice. `text` must be valid JSON. */
function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [] // one set per open object, undefined per open array
  for (const [found, string, colon] of text.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\]]/gs)) {
    if (found === '{') open.push(new Set())
    else if (found === '[') open.push(undefined)
    else if (found === '}' || found === ']') open.pop()
    else if (string !== undefined && colon !== undefined) {
      const keys = open.at(-1)
      const key: string = JSON.parse(string)
      if (keys?.has(key)) return key
      keys?.add(key)
    }
  }
  return undefined
}
