import { z } from 'zod'

/** What is wrong with a value, for people: where, and what would be right. */
export interface Fault {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** Longest name that a suggestion is looked for. */
const NAME_CHARS = 64

/**
 * The fault to mend first of those that `schema` found in `value`; of a value that could be one of several things, the reason of the one
 * that it came closest to. Says what would be right: the values there are, the name that was probably meant.
 */
export function faultOf(issues: readonly z.core.$ZodIssue[], schema: z.ZodType, value: unknown): Fault {
  // a misspelt name explains the one that is missing, not the other way round
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  if (issue === undefined) return { path: [], message: 'does not fit' }
  const given = at(value, issue.path)
  if (issue.code === 'invalid_union') return unionFault(issue, schemasAt([schema], issue.path), given)
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    const known = schemasAt([schema], issue.path).flatMap(keysOf)
    return { path: [...issue.path, key], message: unknownKey(key, known) }
  }
  if (issue.code === 'invalid_key')
    return { path: issue.path, message: `as a name: ${issue.issues[0]?.message ?? 'does not fit'}` }
  return { path: issue.path, message: given === undefined ? missing(issue) : messageOf(issue, given) }
}

/** A path as people write it: `programs[0].hook`. */
export const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((part, position) => {
      if (typeof part === 'number') return `[${part}]`
      const text = String(part)
      if (!/^[\w-]+$/.test(text)) return `[${JSON.stringify(text)}]`
      return position === 0 ? text : `.${text}`
    })
    .join('')

function unionFault(
  issue: z.core.$ZodIssueInvalidUnion,
  schemas: readonly z.ZodType[],
  given: unknown,
): Fault {
  if (given === undefined) return { path: issue.path, message: 'is missing' }
  const options = schemas.flatMap(alternatives)
  const faults = issue.errors.map((errors, position) => ({
    fault: faultOf(errors, options[position] ?? z.unknown(), given),
    count: errors.reduce((sum, one) => sum + (one.code === 'unrecognized_keys' ? one.keys.length : 1), 0),
    values: errors.flatMap((one) =>
      one.code === 'invalid_value' && one.path.length === 0 ? one.values : [],
    ),
  }))
  if (faults.length > 0 && faults.every(({ values }) => values.length > 0))
    return { path: issue.path, message: oneOf(faults.flatMap(({ values }) => values)) }
  const fewest = Math.min(...faults.map(({ count }) => count))
  const close = faults.filter(({ count }) => count === fewest).map(({ fault }) => fault)
  const deepest = Math.max(...close.map(({ path }) => path.length))
  const best = close.filter(({ path }) => path.length === deepest)
  if (best.length === 0) return { path: issue.path, message: issue.message }
  const messages = [...new Set(best.map(({ message }) => message))]
  // of alternatives at one place, each says what it wants; further in, the first one speaks for itself
  const message = deepest === 0 ? messages.join(', or ') : (messages[0] ?? issue.message)
  return { path: [...issue.path, ...(best[0]?.path ?? [])], message }
}

function missing(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_value' ? `is missing: it ${oneOf(issue.values)}` : 'is missing'
}

function messageOf(issue: z.core.$ZodIssue, given: unknown): string {
  if (issue.code === 'invalid_value') return oneOf(issue.values)
  if (issue.code === 'invalid_type')
    return `must be ${TYPES[issue.expected] ?? issue.expected}, not ${typeText(given)}`
  if (issue.code === 'too_small') return `must ${boundText(issue.origin, 'at least', issue.minimum)}`
  if (issue.code === 'too_big') return `must ${boundText(issue.origin, 'at most', issue.maximum)}`
  if (issue.code === 'invalid_format' && issue.message.startsWith('Invalid '))
    return issue.format === 'regex' && issue.pattern !== undefined
      ? `must be of the form ${issue.pattern}`
      : `is no ${issue.format}`
  return issue.message
}

const oneOf = (values: readonly unknown[]): string => {
  const names = [...new Set(values.map(String))].join(', ')
  return values.length === 1 ? `must be ${names}` : `must be one of ${names}`
}

const boundText = (origin: string, bound: string, limit: number | bigint): string => {
  if (origin === 'array' || origin === 'set')
    return `have ${bound} ${limit} ${limit === 1 ? 'item' : 'items'}`
  if (origin === 'string') return `have ${bound} ${limit} ${limit === 1 ? 'character' : 'characters'}`
  return `be ${bound} ${limit}`
}

const TYPES: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'names with values',
  record: 'names with values',
}

function typeText(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'string' ? 'text' : (TYPES[typeof value] ?? typeof value)
}

function unknownKey(key: string, known: readonly string[]): string {
  if (known.length === 0) return 'is not known'
  const nearest = [...known].sort((a, b) => distance(key, a) - distance(key, b))[0] ?? ''
  if (distance(key, nearest) <= Math.max(1, Math.floor(nearest.length / 3)))
    return `is not known: did you mean ${nearest}?`
  return `is not known; there are ${[...new Set(known)].join(', ')}`
}

/** Characters to insert, remove or replace to make `b` of `a` (Levenshtein); of names too long to be meant, infinity. */
function distance(a: string, b: string): number {
  if (a.length > NAME_CHARS) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, position) => position)
  for (const [line, character] of [...a].entries()) {
    const next = [line + 1]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (b[column - 1] === character ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** What a value holds at a path; undefined where it ends before. */
const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, part) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, part)
        ? Object.getOwnPropertyDescriptor(inner, part)?.value
        : undefined,
    value,
  )

/** The schemas that what stands at a path may be of. */
function schemasAt(schemas: readonly z.ZodType[], path: readonly PropertyKey[]): z.ZodType[] {
  const [part, ...rest] = path
  const all = schemas.flatMap(alternatives)
  if (part === undefined) return all
  const inner = all.flatMap((schema): unknown[] => {
    if (schema instanceof z.ZodObject) return [schema.shape[String(part)]]
    if (schema instanceof z.ZodArray) return [schema.element]
    return schema instanceof z.ZodRecord ? [schema.valueType] : []
  })
  return schemasAt(
    inner.filter((schema) => schema instanceof z.ZodType),
    rest,
  )
}

/** A schema without what only wraps it, or the options of a union. */
function alternatives(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    const inner = schema.unwrap()
    return inner instanceof z.ZodType ? alternatives(inner) : []
  }
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap((option) => (option instanceof z.ZodType ? [option] : []))
  return [schema]
}

const keysOf = (schema: z.ZodType): string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
