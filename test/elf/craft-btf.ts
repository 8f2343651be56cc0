import { stringTable } from './craft-elf.ts'

/** Kinds by name (BTF_KIND_*, linux/btf.h). */
export const KIND = {
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  fwd: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  func: 12,
  func_proto: 13,
  var: 14,
  datasec: 15,
  decl_tag: 17,
  enum64: 19,
} as const

/** A type to be written: `extra` are the words behind struct btf_type; in them a text stands for its string offset. */
export interface CraftedType {
  readonly kind: number
  readonly name?: string
  readonly count?: number
  readonly flag?: boolean
  readonly sizeOrType?: number
  readonly extra?: readonly (number | string)[]
}

export const int = (size: number, encoding = 0, bits = size * 8): CraftedType => ({
  kind: KIND.int,
  name: 'int',
  sizeOrType: size,
  extra: [(encoding << 24) | bits],
})
export const pointer = (to: number): CraftedType => ({ kind: KIND.ptr, sizeOrType: to })
export const array = (element: number, count: number): CraftedType => ({
  kind: KIND.array,
  extra: [element, 1, count],
})
export const struct = (
  size: number,
  members: readonly (readonly [name: string, type: number, bit: number])[],
): CraftedType => ({ kind: KIND.struct, sizeOrType: size, count: members.length, extra: members.flat() })
export const variable = (name: string, type: number): CraftedType => ({
  kind: KIND.var,
  name,
  sizeOrType: type,
  extra: [1],
})
export const dataSection = (name: string, variables: readonly number[]): CraftedType => ({
  kind: KIND.datasec,
  name,
  count: variables.length,
  extra: variables.flatMap((id) => [id, 0, 0]),
})

/** Fields of the header that are to differ from the truth. */
interface HeaderChange {
  readonly headerBytes?: number
  readonly typesAt?: number
  readonly typesBytes?: number
  readonly stringsAt?: number
  readonly stringsBytes?: number
  readonly strings?: Buffer
}

/** Writes a .BTF section; the first type has id 1. */
export function craftBtf(types: readonly CraftedType[], change: HeaderChange = {}): Buffer {
  const strings = stringTable()
  const body = Buffer.concat(
    types.map(({ kind, name = '', count = 0, flag = false, sizeOrType = 0, extra = [] }) => {
      const info = ((flag ? 0x80000000 : 0) | (kind << 24) | count) >>> 0
      return words([strings.at(name), info, sizeOrType, ...extra.map((each) => place(each, strings.at))])
    }),
  )
  const text = change.strings ?? strings.bytes()
  const header = words([
    0x0001eb9f,
    change.headerBytes ?? 24,
    change.typesAt ?? 0,
    change.typesBytes ?? body.length,
    change.stringsAt ?? body.length,
    change.stringsBytes ?? text.length,
  ])
  return Buffer.concat([header, body, text])
}

const place = (value: number | string, at: (text: string) => number): number =>
  typeof value === 'string' ? at(value) : value

/** Little-endian 32-bit numbers. */
export function words(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  numbers.forEach((number, at) => {
    bytes.writeUInt32LE(number >>> 0, at * 4)
  })
  return bytes
}
