import { DomainError } from './errors.ts'

/**
 * Parses JSON and refuses an object that names a key twice: parsers differ in which one wins, so a signed document
 * could mean one thing to its signer and another to its reader. Throws `invalid_json`.
 */
export function parseStrictJson(text: string, what = 'document'): unknown {
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
