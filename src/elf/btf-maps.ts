import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { arrayOf, sizeOf } from './btf-layout.ts'
import { type Btf, type BtfMember, btfName, membersOf, resolve } from './btf-types.ts'
import { mapTypeName } from './map-types.ts'
import type { TypeLayout } from './type-layout.ts'

/** What the source says of a map in SEC(".maps"), sizes in bytes. */
export interface DeclaredMap {
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly pinned: boolean
  /** Canonical text of what keys and values hold; of inner maps too. */
  readonly layout: string
  /** What keys and values are made of; undefined where the source gives only a size. */
  readonly key: TypeLayout | undefined
  readonly value: TypeLayout | undefined
  /** Byte offset of `values` in the map's symbol: pointers to what the map holds at first. */
  readonly valuesAt: number | undefined
}

/** What is asked of the types of an object. */
export interface TypeReader {
  /** Canonical text of a type. */
  readonly layoutOf: (id: number) => string
  /** What a type is made of, once its text could be written. */
  readonly shapeOf: (id: number) => TypeLayout
}

/** Attributes that are numbers, as __uint(name, value) writes them: a pointer to an array of `value` elements. */
const NUMBERS = new Set([
  'type',
  'max_entries',
  'map_flags',
  'key_size',
  'value_size',
  'pinning',
  'numa_node',
  'map_extra',
])
/** Attributes that are types, as __type(name, type) writes them: a pointer to the type. */
const TYPES = new Set(['key', 'value'])
/** Size of a map or program in the map that holds it: its file descriptor (linux/bpf.h, BPF_MAP_TYPE_ARRAY_OF_MAPS). */
const DESCRIPTOR_BYTES = 4

/**
 * Reads the struct type `id` that declares the map `name` (libbpf's bpf_helpers.h: __uint, __type, __array).
 * Throws `btf_malformed`.
 */
export function readMapType(btf: Btf, id: number, name: string, types: TypeReader, depth = 0): DeclaredMap {
  const malformed: Refuse = (why) => {
    throw new DomainError('btf_malformed', `map ${name}: ${why}`)
  }
  if (depth > LIMITS.btf_depth) malformed('its inner maps have inner maps without end')
  const struct = resolve(btf, id)
  if (struct.kind !== 'struct') return malformed(`its type is a ${struct.kind}, not a struct`)
  const numbers = new Map<string, number>()
  const typeIds = new Map<string, number>()
  let inner: string | undefined
  let valuesAt: number | undefined
  for (const member of membersOf(btf, struct)) {
    const attribute = btfName(btf, member.name)
    if (numbers.has(attribute) || typeIds.has(attribute)) malformed(`names ${attribute} twice`)
    if (NUMBERS.has(attribute)) numbers.set(attribute, numberOf(btf, member, malformed))
    else if (TYPES.has(attribute)) typeIds.set(attribute, pointee(btf, member.type, malformed))
    else if (attribute === 'values' && inner === undefined) {
      inner = innerText(btf, member, `${name}.values`, types, depth, malformed)
      valuesAt = member.offset / 8
    } else malformed(`has the attribute "${attribute}", which is unknown or occurs twice`)
  }
  const type = numbers.get('type')
  if (type === undefined) return malformed('has no type')
  const key = sized(btf, typeIds.get('key'), numbers.get('key_size'), 'key', types, malformed)
  const value =
    inner === undefined
      ? sized(btf, typeIds.get('value'), numbers.get('value_size'), 'value', types, malformed)
      : { size: numbers.get('value_size') ?? DESCRIPTOR_BYTES, layout: inner, shape: undefined }
  return {
    type,
    keySize: key.size,
    valueSize: value.size,
    maxEntries: numbers.get('max_entries') ?? 0,
    flags: numbers.get('map_flags') ?? 0,
    pinned: (numbers.get('pinning') ?? 0) !== 0,
    layout: `key ${key.layout} value ${value.layout}`,
    key: key.shape,
    value: value.shape,
    valuesAt,
  }
}

type Refuse = (why: string) => never

function pointee(btf: Btf, id: number, malformed: Refuse): number {
  const type = resolve(btf, id)
  return type.kind === 'ptr' ? type.sizeOrType : malformed(`an attribute is a ${type.kind}, not a pointer`)
}

function numberOf(btf: Btf, member: BtfMember, malformed: Refuse): number {
  const type = resolve(btf, pointee(btf, member.type, malformed))
  return type.kind === 'array'
    ? arrayOf(btf, type).count
    : malformed(`${btfName(btf, member.name)} is no number, as __uint makes one`)
}

function sized(
  btf: Btf,
  id: number | undefined,
  declared: number | undefined,
  what: string,
  { layoutOf, shapeOf }: TypeReader,
  malformed: Refuse,
): { size: number; layout: string; shape: TypeLayout | undefined } {
  if (id === undefined) return { size: declared ?? 0, layout: `${declared ?? 0} bytes`, shape: undefined }
  const size = sizeOf(btf, id)
  if (declared !== undefined && declared !== size)
    malformed(`${what}_size is ${declared}, but its type has ${size} bytes`)
  return { size, layout: layoutOf(id), shape: shapeOf(id) } // the text first: it bounds what follows
}

/** What the elements of `values` are: `__array(values, struct inner)` is an array of pointers to it. */
function innerText(
  btf: Btf,
  member: BtfMember,
  name: string,
  types: TypeReader,
  depth: number,
  malformed: Refuse,
): string {
  const array = resolve(btf, member.type)
  if (array.kind !== 'array') return malformed('values is not an array of pointers')
  const target = pointee(btf, arrayOf(btf, array).element, malformed)
  const type = resolve(btf, target)
  if (type.kind === 'func_proto') return 'program'
  const inner = readMapType(btf, target, name, types, depth + 1)
  return `map {${mapTypeName(inner.type)} ${inner.maxEntries} flags ${inner.flags} ${inner.layout}}`
}
