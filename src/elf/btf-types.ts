import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ByteView, i32, nameAt, part, u8, u16, u32 } from './byte-view.ts'

/** Kinds of BTF types by number (BTF_KIND_*, linux/btf.h). */
const BTF_KINDS = [
  'void',
  'int',
  'ptr',
  'array',
  'struct',
  'union',
  'enum',
  'fwd',
  'typedef',
  'volatile',
  'const',
  'restrict',
  'func',
  'func_proto',
  'var',
  'datasec',
  'float',
  'decl_tag',
  'type_tag',
  'enum64',
] as const
type BtfKind = (typeof BTF_KINDS)[number]

/** One type. `extra` is the offset in {@link Btf.data} of what follows the 12 bytes of struct btf_type. */
export interface BtfType {
  readonly id: number
  readonly kind: BtfKind
  /** Offset in {@link Btf.strings}. */
  readonly name: number
  /** Members, enumerators, parameters or variables. */
  readonly count: number
  /** kind_flag of a struct or union: its member offsets hold bit-field widths. */
  readonly flag: boolean
  /** Whether the values of an enum are signed. */
  readonly signed: boolean
  /** Size in bytes of int, enum, struct, union, datasec, float; type id of the others. */
  readonly sizeOrType: number
  readonly extra: number
}

/** BTF whose records, references and sizes hold; `types[0]` is void. Names are read when asked for. */
export interface Btf {
  readonly types: readonly BtfType[]
  readonly data: ByteView
  readonly strings: ByteView
}

/** A member of a struct or union, or a variable of a section. */
export interface BtfMember {
  readonly name: number
  readonly type: number
  /** Offset in bits. */
  readonly offset: number
  /** Width in bits of a bit-field, 0 for any other member. */
  readonly bits: number
}

const VOID: BtfType = {
  id: 0,
  kind: 'void',
  name: 0,
  count: 0,
  flag: false,
  signed: false,
  sizeOrType: 0,
  extra: 0,
}
const HEADER_BYTES = 24 // struct btf_header
const TYPE_BYTES = 12 // struct btf_type
const MAGIC = 0xeb9f
/** Bytes behind struct btf_type: fixed, or for each of `count`. */
const EXTRA_BYTES: Partial<Record<BtfKind, number>> = { int: 4, array: 12, var: 4, decl_tag: 4 }
const EACH_BYTES: Partial<Record<BtfKind, number>> = {
  struct: 12,
  union: 12,
  enum: 8,
  func_proto: 8,
  datasec: 12,
  enum64: 12,
}
/** Kinds that add nothing to the bytes of the type they name. */
const STANDS_FOR = new Set<BtfKind>(['typedef', 'volatile', 'const', 'restrict', 'type_tag'])
const TAKES_TYPE = new Set<BtfKind>([
  ...(['ptr', 'typedef', 'volatile', 'const', 'restrict', 'func', 'func_proto', 'var'] as const),
  ...(['decl_tag', 'type_tag'] as const),
])

function malformed(why: string): never {
  throw new DomainError('btf_malformed', `BTF: ${why}`)
}

/**
 * Reads a .BTF section (Documentation/bpf/btf.rst; linux/btf.h). Each record fits, each reference names a type, each
 * member starts inside its struct. Throws `btf_malformed` or `elf_too_many`.
 */
export function readBtf(bytes: Buffer): Btf {
  const whole: ByteView = { bytes, what: 'BTF', code: 'btf_malformed' }
  if (u16(whole, 0) !== MAGIC) malformed('no magic number, or the other byte order')
  if (u8(whole, 2) !== 1 || u8(whole, 3) !== 0) malformed('the version is not 1, or flags are set')
  const header = u32(whole, 4)
  if (header < HEADER_BYTES) malformed(`a header of ${header} bytes`)
  const [typesAt, typesSize, stringsAt, stringsSize] = [8, 12, 16, 20].map((at) => u32(whole, at)) as [
    number,
    number,
    number,
    number,
  ]
  if (typesAt % 4 !== 0) malformed('types are not aligned')
  if (typesAt + typesSize > stringsAt) malformed('types and strings overlap')
  const strings = part(whole, header + stringsAt, stringsSize, 'BTF strings')
  if (u8(strings, 0) !== 0 || u8(strings, stringsSize - 1) !== 0)
    malformed('strings do not start and end with NUL')
  const data = part(whole, header + typesAt, typesSize, 'BTF types')
  const btf = { types: readTypes(data), data, strings }
  for (const type of btf.types) checkType(btf, type)
  return btf
}

function readTypes(data: ByteView): BtfType[] {
  const types: BtfType[] = [VOID]
  let at = 0
  while (at < data.bytes.length) {
    if (types.length > LIMITS.btf_types)
      throw new DomainError('elf_too_many', `BTF has more than ${LIMITS.btf_types} types`)
    const info = u32(data, at + 4)
    const number = (info >>> 24) & 31
    const kind = BTF_KINDS[number]
    if (kind === undefined || kind === 'void') return malformed(`type ${types.length} has kind ${number}`)
    const count = info & 0xffff
    const flag = info >>> 31 === 1
    const extra = at + TYPE_BYTES
    const end = at + recordBytes({ kind, count })
    if (end > data.bytes.length) malformed(`type ${types.length} ends outside of the types`)
    types.push({
      id: types.length,
      kind,
      name: u32(data, at),
      count,
      flag,
      signed: flag || (kind === 'enum' && hasNegative(data, extra, count)),
      sizeOrType: u32(data, at + 8),
      extra,
    })
    at = end
  }
  return types
}

/** Bytes of a type's record: struct btf_type and what follows it. */
export const recordBytes = ({ kind, count }: Pick<BtfType, 'kind' | 'count'>): number =>
  TYPE_BYTES + (EXTRA_BYTES[kind] ?? 0) + (EACH_BYTES[kind] ?? 0) * count

/** Where a type's record holds what: byte offsets from its start of names, and of ids of other types. */
export function recordPlaces({ kind, count }: BtfType): { names: number[]; types: number[] } {
  const each = (offset: number): number[] =>
    Array.from({ length: count }, (_, index) => TYPE_BYTES + index * (EACH_BYTES[kind] ?? 0) + offset)
  switch (kind) {
    case 'array':
      return { names: [0], types: [12, 16] }
    case 'struct':
    case 'union':
      return { names: [0, ...each(0)], types: each(4) }
    case 'enum':
    case 'enum64':
      return { names: [0, ...each(0)], types: [] }
    case 'func_proto':
      return { names: [0, ...each(0)], types: [8, ...each(4)] }
    case 'datasec':
      return { names: [0], types: each(0) }
    default:
      return { names: [0], types: TAKES_TYPE.has(kind) ? [8] : [] }
  }
}

/** Compilers of before 2022 (clang 14) leave kind_flag of an enum 0: only its values (struct btf_enum) tell that it is signed. */
function hasNegative(data: ByteView, extra: number, count: number): boolean {
  for (let index = 0; index < count; index++) if (i32(data, extra + index * 8 + 4) < 0) return true
  return false
}

/** References and offsets of one type; loops among types are found by whoever follows them, by depth. */
function checkType(btf: Btf, type: BtfType): void {
  const refers = (id: number): void => {
    if (id >= btf.types.length)
      malformed(`type ${type.id} (${type.kind}) names type ${id}, which is not there`)
  }
  const named = (offset: number): void => {
    if (offset >= btf.strings.bytes.length) malformed(`type ${type.id} (${type.kind}) has a name outside`)
  }
  named(type.name)
  if (TAKES_TYPE.has(type.kind)) refers(type.sizeOrType)
  if (type.kind === 'array') {
    refers(u32(btf.data, type.extra))
    refers(u32(btf.data, type.extra + 4))
  }
  if (type.kind === 'int') checkInt(btf, type)
  if (type.kind === 'func_proto')
    for (let at = 0; at < type.count; at++) {
      named(u32(btf.data, type.extra + at * 8))
      refers(u32(btf.data, type.extra + at * 8 + 4))
    }
  if (type.kind === 'struct' || type.kind === 'union' || type.kind === 'datasec')
    for (const member of membersOf(btf, type)) {
      named(member.name)
      refers(member.type)
      // clang leaves the size of a DATASEC 0 for the loader to fill in
      if (type.kind !== 'datasec' && member.offset + member.bits > type.sizeOrType * 8)
        malformed(`a member of type ${type.id} (${type.kind}) lies outside of it`)
    }
}

/** encoding, offset and bits in one word: BTF_INT_ENCODING, BTF_INT_OFFSET, BTF_INT_BITS. */
function checkInt(btf: Btf, type: BtfType): void {
  const { bits, offset } = intOf(btf, type)
  if (![1, 2, 4, 8, 16].includes(type.sizeOrType) || bits === 0 || offset + bits > type.sizeOrType * 8)
    malformed(`type ${type.id} (int) has ${bits} bits at ${offset} in ${type.sizeOrType} bytes`)
}

/** Encoding of an int type: signed, bool, first bit, and bits. */
export function intOf(
  btf: Btf,
  type: BtfType,
): { signed: boolean; bool: boolean; offset: number; bits: number } {
  const word = u32(btf.data, type.extra)
  return {
    signed: ((word >>> 24) & 1) !== 0,
    bool: ((word >>> 24) & 4) !== 0,
    offset: (word >>> 16) & 255,
    bits: word & 255,
  }
}

/** Members of a struct or union (struct btf_member), or variables of a section (struct btf_var_secinfo), in their order. */
export function* membersOf(btf: Btf, type: BtfType): Generator<BtfMember> {
  for (let index = 0; index < type.count; index++) {
    const at = type.extra + index * 12
    if (type.kind === 'datasec') {
      yield { name: 0, type: u32(btf.data, at), offset: u32(btf.data, at + 4) * 8, bits: 0 }
      continue
    }
    const offset = u32(btf.data, at + 8)
    yield {
      name: u32(btf.data, at),
      type: u32(btf.data, at + 4),
      offset: type.flag ? offset & 0xffffff : offset,
      bits: type.flag ? offset >>> 24 : 0,
    }
  }
}

/** The name of a type or member. Throws `btf_malformed` when it is not printable or has no end. */
export const btfName = (btf: Btf, offset: number): string => nameAt(btf.strings, offset)

/** The type with an id. Throws `btf_malformed` when it is not there. */
export const typeOf = (btf: Btf, id: number): BtfType => btf.types[id] ?? malformed(`there is no type ${id}`)

/** The type behind typedefs, qualifiers and tags. Throws `btf_malformed` when they go round in a circle. */
export function resolve(btf: Btf, id: number): BtfType {
  let type = typeOf(btf, id)
  for (let depth = 0; depth <= LIMITS.btf_depth; depth++) {
    if (!STANDS_FOR.has(type.kind)) return type
    type = typeOf(btf, type.sizeOrType)
  }
  return malformed(`type ${id} has more than ${LIMITS.btf_depth} typedefs and qualifiers`)
}

/** The DATASEC types by the name of the section they describe. Throws `btf_malformed` when two describe one. */
export function dataSections(btf: Btf): Map<string, BtfType> {
  const found = new Map<string, BtfType>()
  for (const type of btf.types) {
    if (type.kind !== 'datasec') continue
    const name = btfName(btf, type.name)
    if (found.has(name)) malformed(`section ${name} is described twice`)
    found.set(name, type)
  }
  return found
}

/** The variables of a DATASEC by name, with their type ids; its functions are left out. Throws `btf_malformed`. */
export function variablesOf(btf: Btf, section: BtfType | undefined): Map<string, number> {
  const found = new Map<string, number>()
  if (section === undefined) return found
  for (const member of membersOf(btf, section)) {
    const variable = typeOf(btf, member.type)
    if (variable.kind === 'func') continue // a kernel function, in .ksyms
    if (variable.kind !== 'var') malformed(`a section holds type ${variable.id} (${variable.kind})`)
    const name = btfName(btf, variable.name)
    if (found.has(name)) malformed(`a section holds "${name}" twice`)
    found.set(name, variable.sizeOrType)
  }
  return found
}
