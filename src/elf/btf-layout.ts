import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ScalarType } from '../domain/scalar.ts'
import {
  type Btf,
  type BtfMember,
  type BtfType,
  btfName,
  intOf,
  membersOf,
  resolve,
  typeOf,
} from './btf-types.ts'
import { u32 } from './byte-view.ts'

function malformed(why: string): never {
  throw new DomainError('btf_malformed', `BTF: ${why}`)
}

const POINTER_BYTES = 8

/** Element type and count of an array (struct btf_array). */
export const arrayOf = (btf: Btf, type: BtfType): { element: number; count: number } => ({
  element: u32(btf.data, type.extra),
  count: u32(btf.data, type.extra + 8),
})

/** Size of a type in bytes. Throws `btf_malformed` for one without a size, above 4 GiB, or nested too deep. */
export function sizeOf(btf: Btf, id: number): number {
  let factor = 1
  let type = resolve(btf, id)
  for (let depth = 0; depth <= LIMITS.btf_depth; depth++) {
    if (type.kind !== 'array') return bounded(factor * flatSize(type), id)
    const { element, count } = arrayOf(btf, type)
    factor = bounded(factor * count, id)
    type = resolve(btf, element)
  }
  return malformed(`type ${id} is nested deeper than ${LIMITS.btf_depth}`)
}

/** A number above 2^32 - 1 would also leave the range in which products of two are exact. */
const bounded = (bytes: number, id: number): number =>
  bytes <= 0xffff_ffff ? bytes : malformed(`type ${id} is larger than 4 GiB`)

function flatSize(type: BtfType): number {
  switch (type.kind) {
    case 'int':
    case 'struct':
    case 'union':
    case 'enum':
    case 'enum64':
    case 'float':
      return type.sizeOrType
    case 'ptr':
      return POINTER_BYTES
    default:
      return malformed(`type ${type.id} (${type.kind}) has no size`)
  }
}

const INT_BITS = [8, 16, 32, 64]

/** The scalar that a type is behind typedefs, qualifiers and enums; undefined for any other type. Throws `btf_malformed`. */
export function scalarOf(btf: Btf, id: number): ScalarType | undefined {
  const type = resolve(btf, id)
  const bits = type.sizeOrType * 8
  if (type.kind === 'int') {
    const int = intOf(btf, type)
    if (int.bits !== bits || !INT_BITS.includes(bits)) return undefined
    return int.bool && bits === 8 ? 'bool' : (`${int.signed ? 'i' : 'u'}${bits}` as ScalarType)
  }
  if ((type.kind === 'enum' || type.kind === 'enum64') && INT_BITS.includes(bits))
    return `${type.signed ? 'i' : 'u'}${bits}` as ScalarType
  return undefined
}

/** Whether a variable of this type is `volatile`, so that the compiler left its value to be read. Throws `btf_malformed`. */
export function isVolatile(btf: Btf, id: number): boolean {
  const end = resolve(btf, id)
  for (let type = typeOf(btf, id); type !== end; type = typeOf(btf, type.sizeOrType))
    if (type.kind === 'volatile') return true
  return false
}

/**
 * Writes layouts of one object: canonical text, in which two types are equal if and only if the same bytes mean the
 * same. Names of types, typedefs and qualifiers are left out; member names, offsets and widths in bits, sizes and
 * signedness are kept: `struct 8 {low@0 u16; high@16 u16; flags@32:3 u32}`, `[3][5]u8`, `ptr`.
 * The text of all calls together is bounded by LIMITS.btf_layout_chars: nested types could repeat each other without end.
 */
export function layoutWriter(btf: Btf): (id: number) => string {
  let room: number = LIMITS.btf_layout_chars
  const spend = (text: string): string => {
    room -= text.length
    return room >= 0
      ? text
      : malformed(`the layouts of the maps need more than ${LIMITS.btf_layout_chars} characters`)
  }
  const member = ({ name, type, offset, bits }: BtfMember, depth: number): string =>
    `${spend(`${btfName(btf, name)}@${offset}${bits > 0 ? `:${bits}` : ''} `)}${write(type, depth)}`
  const write = (id: number, depth: number): string => {
    if (depth > LIMITS.btf_depth) malformed(`type ${id} is nested deeper than ${LIMITS.btf_depth}`)
    const type = resolve(btf, id)
    switch (type.kind) {
      case 'int':
      case 'enum':
      case 'enum64':
        return spend(scalarOf(btf, id) ?? oddInt(btf, type))
      case 'float':
        return spend(`f${type.sizeOrType * 8}`)
      case 'ptr':
        return spend('ptr')
      case 'array':
        return `${spend(`[${arrayOf(btf, type).count}]`)}${write(arrayOf(btf, type).element, depth + 1)}`
      case 'struct':
      case 'union': {
        const members = [...membersOf(btf, type)].map((each) => member(each, depth + 1))
        return `${spend(`${type.kind} ${type.sizeOrType} {}`).slice(0, -1)}${members.join('; ')}}`
      }
      default:
        return malformed(`type ${type.id} (${type.kind}) has no layout`)
    }
  }
  return (id) => {
    sizeOf(btf, id)
    return write(id, 0)
  }
}

function oddInt(btf: Btf, type: BtfType): string {
  if (type.kind !== 'int') return `enum ${type.sizeOrType}`
  const { signed, offset, bits } = intOf(btf, type)
  return `int ${type.sizeOrType} ${signed ? 'signed' : 'unsigned'} ${bits} bits at ${offset}`
}
