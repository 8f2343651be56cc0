import { DomainError } from '../domain/errors.ts'
import { type FieldType, fieldSizes, fieldText } from '../domain/field.ts'
import type { ListConfig } from '../domain/list-config.ts'
import { scalarRange } from '../domain/scalar.ts'
import type { BpfMapDefinition } from './maps.ts'
import { type FoundMember, findMember, isBytes, memberNames, type TypeLayout } from './type-layout.ts'

/** Where a field of an item lies in its key or value, in bytes. */
export interface FieldPlace {
  readonly member: string
  readonly type: FieldType
  readonly offset: number
  readonly size: number
}

/** Where the fields of a list's items lie. */
export interface ListLayout {
  readonly key: readonly FieldPlace[]
  readonly value: readonly FieldPlace[]
}

/** Types of maps that a list can fill (linux/bpf.h): those whose elements are user space's to write, one value each. */
const FILLABLE = ['hash', 'lru_hash', 'lpm_trie', 'array']
const BPF_F_RDONLY = 0x08 // linux/bpf.h: user space may not write
/** What may be a struct as a whole, such as struct in6_addr. */
const ADDRESSES: readonly FieldType[] = ['cidr', 'ipv4', 'ipv6', 'ip', 'mac']
const PREFIXLEN_BYTES = 4

/**
 * Finds the members that a list names in the BTF types of its map, and checks that the list can fill it. Throws
 * `object_mismatch`.
 */
export function listLayout(list: ListConfig, map: BpfMapDefinition): ListLayout {
  const what = `configuration "${list.name}": map ${map.name}`
  if (!FILLABLE.includes(map.typeName))
    mismatch(`${what} is of type ${map.typeName}; a list fills ${FILLABLE.join(', ')}`)
  if ((map.flags & BPF_F_RDONLY) !== 0) mismatch(`${what} has BPF_F_RDONLY: nobody could fill it`)
  if (list.maxItems > map.maxEntries)
    mismatch(`${what} holds ${map.maxEntries} entries, fewer than maxItems ${list.maxItems}`)
  const key = placesOf(list.key, map.key, `${what}: key`)
  const value = list.value === undefined ? [] : placesOf(list.value, map.value, `${what}: value`)
  const [only] = key
  const whole = key.length === 1 && only?.offset === 0 && only.size === map.keySize
  if (map.typeName === 'lpm_trie' && !(whole && only.type === 'cidr'))
    mismatch(`${what} is an LPM trie: its whole key is one cidr`)
  if (map.typeName === 'array' && !(whole && (only.type === 'u32' || typeof only.type === 'object')))
    mismatch(`${what} is an array: its key is one u32 or enum`)
  return { key, value }
}

function mismatch(why: string): never {
  throw new DomainError('object_mismatch', why)
}

function placesOf(
  fields: Readonly<Record<string, FieldType>>,
  whole: TypeLayout | undefined,
  what: string,
): FieldPlace[] {
  if (whole === undefined) return mismatch(`${what} has no type; declare it with __type, not as a size`)
  const entries = Object.entries(fields)
  const places = entries.map(([member, type]): FieldPlace => {
    const found = entries.length === 1 ? alone(member, type, whole) : findMember(whole, member)
    if (found === undefined) {
      const names = memberNames(whole).join(', ')
      return mismatch(
        `${what} has no member ${member}${names === '' ? ': it is one value' : `; it has: ${names}`}`,
      )
    }
    const why = found.bitField ? 'is a bit-field' : whyNot(type, found.type)
    if (why !== undefined) mismatch(`${what}: ${member} ${why}`)
    return { member, type, offset: found.offset, size: found.type.size }
  })
  const inOrder = places.toSorted((a, b) => a.offset - b.offset)
  for (const [at, place] of inOrder.entries()) {
    const before = inOrder[at - 1]
    if (before !== undefined && place.offset < before.offset + before.size)
      mismatch(`${what}: ${before.member} and ${place.member} are the same bytes`)
  }
  return places
}

/**
 * The place of the only field. An address that the whole key or value is, such as a trie's prefix or struct in6_addr, goes by
 * whatever name the manifest gives it; so does what is no struct.
 */
function alone(member: string, type: FieldType, whole: TypeLayout): FoundMember | undefined {
  const itself: FoundMember = { offset: 0, type: whole, bitField: false }
  if (ADDRESSES.includes(type) && whyNot(type, whole) === undefined) return itself
  return findMember(whole, member) ?? (whole.kind === 'struct' ? undefined : itself)
}

/** Why a field cannot be written into a type, or undefined when it can. */
function whyNot(type: FieldType, layout: TypeLayout): string | undefined {
  const sizes = fieldSizes(type)
  const name = fieldText(type)
  if (sizes !== undefined && !sizes.includes(layout.size))
    return `has ${layout.size} bytes, ${name} has ${sizes.join(' or ')}`
  if (typeof type === 'object') return whyNoEnum(type.enum, layout)
  if (fits(type, layout)) return undefined
  return `is ${layout.scalar ?? KIND_TEXT[layout.kind]}, not ${name}`
}
const KIND_TEXT = {
  scalar: 'a number',
  array: 'an array',
  struct: 'a struct',
  other: 'no plain value',
} as const

function whyNoEnum(names: Readonly<Record<string, number>>, { scalar }: TypeLayout): string | undefined {
  if (scalar === undefined || scalar === 'bool') return 'is no integer or enum'
  const { low, high } = scalarRange(scalar)
  const outside = Object.entries(names).find(([, value]) => BigInt(value) < low || BigInt(value) > high)
  return outside && `is ${scalar}, which does not hold ${outside[0]}: ${outside[1]}`
}

/** The size is known to fit. */
function fits(type: Exclude<FieldType, object>, layout: TypeLayout): boolean {
  const { kind, scalar } = layout
  switch (type) {
    case 'cidr':
      return kind === 'struct' && leadsWithLength(layout) && endsWithAddress(layout)
    case 'ipv4':
      return scalar === 'u32' || isBytes(layout) || kind === 'struct'
    case 'ipv6':
    case 'ip':
      return kind === 'array' || kind === 'struct'
    case 'mac':
      return isBytes(layout) || kind === 'struct'
    case 'string':
      return kind === 'array' && isBytes(layout)
    case 'port':
    case 'be16':
      return scalar === 'u16'
    case 'be32':
      return scalar === 'u32'
    case 'bool':
      return scalar === 'bool' || scalar === 'u8'
    default:
      return scalar === type
  }
}

/** struct bpf_lpm_trie_key begins with the number of bits that count. */
function leadsWithLength({ scalar, size, members }: TypeLayout): boolean {
  const [first] = members
  return first === undefined ? scalar === 'u32' && size === PREFIXLEN_BYTES : leadsWithLength(first.type)
}

function endsWithAddress({ members, size }: TypeLayout): boolean {
  const room = size - PREFIXLEN_BYTES
  return members.some(
    ({ offset, type }) =>
      offset === PREFIXLEN_BYTES && type.size === room && fits(room === 4 ? 'ipv4' : 'ipv6', type),
  )
}
