import { z } from 'zod'
import { addressBytes, hasHostBits, mappedAddress, parsePrefix } from './address.ts'
import { littleEndian, SCALAR_BYTES, ScalarType, scalarRange } from './scalar.ts'

const NamedType = z.enum([
  ...ScalarType.options,
  ...(['cidr', 'ipv4', 'ipv6', 'ip', 'mac', 'port', 'be16', 'be32', 'string'] as const),
])
/** Names for numbers, such as `{ allow: 0, deny: 1 }`. */
const EnumType = z.strictObject({
  enum: z
    .record(z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, 'a word'), z.int())
    .refine((names) => Object.keys(names).length > 0, 'names at least one value')
    .refine(
      (names) => new Set(Object.values(names)).size === Object.keys(names).length,
      'two names are one value',
    ),
})

/** Type of a field in an item of a list: how it is written, and how its bytes are made. */
export const FieldType = z.union([NamedType, EnumType])
export type FieldType = z.infer<typeof FieldType>

/** What a field of an item may be written as. */
export type FieldValue = boolean | number | string

/** Bytes that a field can have; undefined where its member decides. A cidr is a u32 with its bits before the address. */
export function fieldSizes(type: FieldType): readonly number[] | undefined {
  if (typeof type === 'object') return [1, 2, 4, 8]
  switch (type) {
    case 'cidr':
      return [8, 20]
    case 'ipv6':
    case 'ip':
      return [16]
    case 'mac':
      return [6]
    case 'ipv4':
    case 'be32':
      return [4]
    case 'port':
    case 'be16':
      return [2]
    case 'string':
      return undefined
    default:
      return [SCALAR_BYTES[type]]
  }
}

/** A field's type in a line: `u32`, `allow | deny`. */
export const fieldText = (type: FieldType): string =>
  typeof type === 'object' ? Object.keys(type.enum).join(' | ') : type

/**
 * The bytes of a field's value in a member of `size` bytes, which is one of {@link fieldSizes}. `refuse` is called with
 * the reason when the value does not fit.
 */
export function encodeField(
  type: FieldType,
  value: FieldValue,
  size: number,
  refuse: (why: string) => never,
): Buffer {
  if (typeof type === 'object') return encodeEnum(type.enum, value, size, refuse)
  switch (type) {
    case 'cidr':
      return encodeCidr(textIn(value, 'an address prefix such as 10.0.0.0/8', refuse), size, refuse)
    case 'ipv4':
    case 'ipv6':
    case 'ip':
      return encodeAddress(type, textIn(value, 'an address', refuse), refuse)
    case 'mac':
      return encodeMac(textIn(value, 'a MAC address', refuse), refuse)
    case 'string':
      return encodeText(textIn(value, 'text', refuse), size, refuse)
    case 'port':
    case 'be16':
    case 'be32':
      return littleEndian(numberIn(value, size === 2 ? 'u16' : 'u32', type, refuse), size).reverse()
    case 'bool':
      if (typeof value !== 'boolean') return refuse('is neither true nor false')
      return Buffer.from([value ? 1 : 0])
    default:
      return littleEndian(numberIn(value, type, type, refuse), size)
  }
}

type Refuse = (why: string) => never

const textIn = (value: FieldValue, what: string, refuse: Refuse): string =>
  typeof value === 'string' ? value : refuse(`is not ${what}; write it in quotes if it is`)

function numberIn(value: FieldValue, type: ScalarType, what: string, refuse: Refuse): bigint {
  if (typeof value === 'boolean' || (typeof value === 'string' && !/^-?[0-9]{1,20}$/.test(value)))
    return refuse('is not a whole number')
  const number = BigInt(value)
  const { low, high } = scalarRange(type)
  return number >= low && number <= high ? number : refuse(`does not fit ${what}, ${low} to ${high}`)
}

function encodeEnum(
  names: Readonly<Record<string, number>>,
  value: FieldValue,
  size: number,
  refuse: Refuse,
): Buffer {
  const number = typeof value === 'string' && Object.hasOwn(names, value) ? names[value] : undefined
  if (number === undefined) return refuse(`is none of ${Object.keys(names).join(', ')}`)
  return littleEndian(BigInt(number), size)
}

/** struct bpf_lpm_trie_key, linux/bpf.h: u32 prefixlen in the machine's order, then the address as packets have it. */
function encodeCidr(text: string, size: number, refuse: Refuse): Buffer {
  const PREFIXLEN_BYTES = 4
  const prefix = parsePrefix(text)
  if (prefix === undefined) return refuse('is not an address prefix such as 10.0.0.0/8')
  const room = size - PREFIXLEN_BYTES
  if (prefix.bytes.length !== room)
    return refuse(room === 4 ? 'is not IPv4' : 'is not IPv6; IPv4 is written ::ffff:10.0.0.0/104 there')
  if (hasHostBits(prefix)) return refuse(`has bits beyond its first ${prefix.bits}`)
  const bytes = Buffer.allocUnsafe(size)
  bytes.writeUInt32LE(prefix.bits)
  prefix.bytes.copy(bytes, PREFIXLEN_BYTES)
  return bytes
}

function encodeAddress(type: 'ipv4' | 'ipv6' | 'ip', text: string, refuse: Refuse): Buffer {
  const bytes = addressBytes(text)
  if (type === 'ip' && bytes?.length === 4) return mappedAddress(bytes)
  if (bytes === undefined || (type === 'ipv4') !== (bytes.length === 4))
    return refuse(`is no ${{ ipv4: 'IPv4', ipv6: 'IPv6', ip: 'IP' }[type]} address`)
  return bytes
}

function encodeMac(text: string, refuse: Refuse): Buffer {
  if (!/^[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(\1[0-9A-Fa-f]{2}){4}$/.test(text))
    return refuse('is not a MAC address such as 02:00:00:00:00:01')
  return Buffer.from(text.replace(/[:-]/g, ''), 'hex')
}

/** UTF-8 behind which there is at least one NUL: C reads to it. */
function encodeText(text: string, size: number, refuse: Refuse): Buffer {
  const bytes = Buffer.alloc(size)
  const length = Buffer.byteLength(text)
  if (length >= size) return refuse(`has ${length} bytes; there is room for ${size - 1}`)
  if (!text.isWellFormed() || text.includes('\0')) return refuse('holds what text cannot hold')
  bytes.write(text)
  return bytes
}
