/** A JSON schema as far as the description uses it. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly propertyNames?: Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly default?: unknown
}

/** Random choices that a seed repeats. */
export interface Chance {
  /** From 0 to 1. */
  next(): number
  pick<T>(from: readonly T[]): T
  /** Whether something of this likelihood happens. */
  happens(share: number): boolean
}

/** Choices by mulberry32. */
export function chance(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    pick: (from) => {
      const item = from[Math.floor(next() * from.length)]
      if (item === undefined && from.length === 0) throw new Error('nothing to choose from')
      return item as (typeof from)[number]
    },
    happens: (share) => next() < share,
  }
}

/** Values that servers have stumbled over, whatever was expected. */
export const STRANGE: readonly unknown[] = [
  ...[
    '',
    ' ',
    '\0',
    'a\0b',
    '../..',
    '%2e%2e%2f',
    "' OR 1=1 --",
    '\u202etxt.exe',
    '\ud800',
    '🐝'.repeat(40),
    'é'.normalize('NFD'),
  ],
  ...[
    'null',
    'true',
    '__proto__',
    'constructor',
    '#{7*7}',
    '<script>',
    '\r\nX-Injected: 1',
    'a'.repeat(5000),
    '*',
    '%',
    '\\',
  ],
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    2 ** 31,
    2 ** 53,
    -(2 ** 63),
    1e308,
    [],
    {},
    [[]],
    [null],
    { a: { b: { c: [] } } },
  ],
  ...[
    '2026-02-30T00:00:00Z',
    '0000-00-00',
    '9999999999',
    '-0',
    '1e9',
    '0x10',
    'NaN',
    'Infinity',
    'sha256:zz',
    '1.0.0-',
    '01.0.0',
  ],
]

const WORDS = ['acme', 'team', 'limit', 'edge', 'ci', 'stable', 'beta', 'node-1', 'admin', 'nobody']

/** A value that fits a schema, more or less; names are those that were seen where there are some. */
export function valueFor(schema: Schema, at: Chance, resolve: (ref: string) => Schema, depth = 0): unknown {
  if (schema.$ref !== undefined) return valueFor(resolve(schema.$ref), at, resolve, depth + 1)
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return at.pick(schema.enum)
  const among = schema.anyOf ?? schema.oneOf
  if (among !== undefined) return valueFor(at.pick(among), at, resolve, depth + 1)
  if (schema.allOf !== undefined)
    return Object.assign({}, ...schema.allOf.map((part) => valueFor(part, at, resolve, depth + 1)))
  const type = Array.isArray(schema.type) ? at.pick(schema.type) : schema.type
  if (type === 'object') return objectFor(schema, at, resolve, depth)
  if (type === 'array') {
    const count =
      depth > 5 ? (schema.minItems ?? 0) : Math.max(schema.minItems ?? 0, Math.floor(at.next() * 3))
    return Array.from({ length: count }, () => valueFor(schema.items ?? {}, at, resolve, depth + 1))
  }
  if (type === 'integer' || type === 'number') return numberFor(schema, at)
  if (type === 'boolean') return at.happens(0.5)
  if (type === 'null') return null
  if (type === 'string') return textFor(schema, at)
  return at.pick(STRANGE)
}

function objectFor(schema: Schema, at: Chance, resolve: (ref: string) => Schema, depth: number): unknown {
  const value: Record<string, unknown> = {}
  for (const [name, part] of Object.entries(schema.properties ?? {}))
    if (schema.required?.includes(name) === true || (depth < 6 && at.happens(0.6)))
      value[name] = valueFor(part, at, resolve, depth + 1)
  if (typeof schema.additionalProperties === 'object' && at.happens(0.5))
    value[at.pick(WORDS)] = valueFor(schema.additionalProperties, at, resolve, depth + 1)
  return value
}

function numberFor({ minimum = 0, maximum = 1000 }: Schema, at: Chance): number {
  const high = Math.min(maximum, minimum + 10_000)
  return at.pick([minimum, high, Math.floor(minimum + at.next() * (high - minimum))])
}

function textFor({ format, pattern, minLength = 0, maxLength = 40 }: Schema, at: Chance): string {
  const hex = (length: number): string =>
    Array.from({ length }, () => Math.floor(at.next() * 16).toString(16)).join('')
  if (format === 'uuid') return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`
  if (format === 'date-time')
    return new Date(Date.UTC(2026, 0, 1) + Math.floor(at.next() * 1e10)).toISOString()
  if (format === 'date') return '2026-06-01'
  if (pattern?.includes('sha256:') === true) return `sha256:${hex(64)}`
  if (pattern?.includes('base64') === true || format === 'base64')
    return Buffer.from(hex(44), 'hex').toString('base64')
  const known = [
    ...WORDS,
    `${at.pick(WORDS)}/${at.pick(WORDS)}`,
    '1.0.0',
    '1.2.3',
    '5.15',
    '*',
    'acme/*',
    hex(12),
  ]
  if (pattern !== undefined) {
    const fitting = known.filter((text) => new RegExp(pattern, 'u').test(text))
    if (fitting.length > 0) return at.pick(fitting)
  }
  return at.pick(known).slice(0, Math.max(1, maxLength)).padEnd(minLength, 'x')
}

/** The same value with something about it wrong. */
export function spoilt(value: unknown, at: Chance): unknown {
  if (at.happens(0.2)) return at.pick(STRANGE)
  if (Array.isArray(value)) {
    if (at.happens(0.2)) return Array.from({ length: 300 }, () => value[0] ?? null)
    return value.map((item) => (at.happens(0.5) ? spoilt(item, at) : item))
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
    if (at.happens(0.2)) entries.push([String(at.pick(STRANGE)), at.pick(STRANGE)])
    const left = entries.filter(() => !at.happens(0.15))
    return Object.fromEntries(left.map(([name, part]) => [name, at.happens(0.4) ? spoilt(part, at) : part]))
  }
  return at.pick(STRANGE)
}
