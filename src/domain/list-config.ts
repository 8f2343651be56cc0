import { z } from 'zod'
import { DomainError } from './errors.ts'
import { encodeField, FieldType, type FieldValue, fieldSizes, fieldText } from './field.ts'
import { LIMITS } from './limits.ts'

/** A member of a C struct; with dots, one of a struct in it. */
const MemberName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/, 'a member, or member.member')
  .max(128)

/** Types of members by their names. */
const Fields = z
  .record(MemberName, FieldType)
  .refine((fields) => Object.keys(fields).length > 0, 'names no member')
  .refine(
    (fields) => Object.keys(fields).length <= LIMITS.list_fields,
    `at most ${LIMITS.list_fields} members`,
  )

/** An item of a list: the values of its members by their names. */
export type ListItem = Readonly<Record<string, FieldValue>>

const isFieldValue = (value: unknown): value is FieldValue =>
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isSafeInteger(value)) ||
  (typeof value === 'string' && value.length <= LIMITS.list_text_chars && !value.includes('\0'))

const isItem = (value: unknown): value is ListItem =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every(isFieldValue)

/** The items of a list. Checked in one walk: there may be a hundred thousand. */
export const ListItems = z.array(z.custom<ListItem>()).superRefine((items, context) => {
  if (items.length > LIMITS.list_items)
    return context.addIssue({ code: 'custom', message: `more than ${LIMITS.list_items} items` })
  const at = items.findIndex((item) => !isItem(item))
  if (at >= 0)
    context.addIssue({
      code: 'custom',
      path: [at],
      message: `must be members with values, such as { prefix: 10.0.0.0/8 }: whole numbers, true, false or text of at most ${LIMITS.list_text_chars} characters`,
    })
})

/** A list that fills a map: which members of its keys and values an item has. */
export const ListConfig = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
    map: z.string().regex(/^[A-Za-z_][A-Za-z0-9_.]{0,127}$/, 'a C identifier'),
    maxItems: z.int().min(1).max(LIMITS.list_items),
    key: Fields,
    value: Fields.optional(),
    default: ListItems.optional(),
    help: z.string().max(400).optional(),
  })
  .superRefine(({ key, value = {}, default: items = [], maxItems }, context) => {
    const twice = Object.keys(value).find((member) => Object.hasOwn(key, member))
    if (twice !== undefined)
      context.addIssue({ code: 'custom', path: ['value', twice], message: 'is a member of the key too' })
    if (items.length > maxItems)
      context.addIssue({ code: 'custom', path: ['default'], message: `more than ${maxItems} items` })
  })
export type ListConfig = z.infer<typeof ListConfig>

/**
 * Refuses an item that lacks a member or has one that nobody knows. `what` names list and item. Throws
 * `invalid_config`.
 */
export function requireMembers({ key, value = {} }: ListConfig, item: ListItem, what: string): void {
  const known = [...Object.keys(key), ...Object.keys(value)]
  const missing = known.find((member) => !Object.hasOwn(item, member))
  const unknown = Object.keys(item).find((member) => !known.includes(member))
  if (unknown !== undefined)
    throw new DomainError(
      'invalid_config',
      `${what} has a member ${JSON.stringify(unknown)}; it may have: ${known.join(', ')}`,
    )
  if (missing !== undefined) throw new DomainError('invalid_config', `${what} has no ${missing}`)
}

/**
 * Checks items as far as their list alone tells, before anything is signed: members and their values. What only the map
 * knows, the width of an address or text, is for the node. `what` names the list. Throws `invalid_config` with the index.
 */
export function requireItems(list: ListConfig, items: readonly ListItem[], what: string): void {
  const fields = Object.entries({ ...list.key, ...list.value })
  for (const [at, item] of items.entries()) {
    requireMembers(list, item, `${what}[${at}]`)
    for (const [member, type] of fields) {
      const value = item[member]
      if (value !== undefined)
        encodeField(type, value, roomFor(type, value), (why) => {
          throw new DomainError(
            'invalid_config',
            `${what}[${at}]: ${member} = ${JSON.stringify(value)} ${why}`,
          )
        })
    }
  }
}

/** The most bytes that a field's value may be given: those of its family, or of any text. */
function roomFor(type: FieldType, value: FieldValue): number {
  const sizes = fieldSizes(type)
  if (sizes === undefined) return 4 * LIMITS.list_text_chars + 1
  return Math[String(value).includes(':') ? 'max' : 'min'](...sizes)
}

/** What an item looks like, in a line: `{ prefix: cidr, action: allow | deny }`. */
export const itemText = ({ key, value = {} }: ListConfig): string =>
  `{ ${Object.entries({ ...key, ...value })
    .map(([member, type]) => `${member}: ${fieldText(type)}`)
    .join(', ')} }`
