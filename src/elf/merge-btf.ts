import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Btf, type BtfType, readBtf, recordBytes, recordPlaces, typeOf } from './btf-types.ts'
import { u32 } from './byte-view.ts'

/** A function whose type the merged BTF is to hold. */
interface WantedFunction {
  /** The whole .BTF section of its object. */
  readonly btf: Buffer
  /** Its BTF_KIND_FUNC there. */
  readonly typeId: number
  /** Whether its linkage becomes static, so that the kernel verifies it with its callers. */
  readonly makeStatic: boolean
}

/** One BTF blob, and the id in it of each function that was wanted, in their order. */
interface MergedBtf {
  readonly btf: Buffer
  readonly typeIds: readonly number[]
}

const MAGIC_AND_VERSION = 0x0001eb9f // struct btf_header: magic, version 1, no flags
const HEADER_BYTES = 24
const [INFO_AT, TYPE_AT] = [4, 8] as const // struct btf_type
/** Kinds that no other type may name: they stand for functions and variables. */
const NOT_NAMED = new Set<BtfType['kind']>(['func', 'var', 'datasec', 'decl_tag'])

/** The BTF of one object, the ids that its types get, and the tags of its functions. */
interface Input {
  readonly btf: Btf
  readonly ids: Map<number, number>
  readonly tags: ReadonlyMap<number, readonly BtfType[]>
}

/** A type to be written: its record, and the new ids of the types that it names. */
interface Copy {
  readonly input: Input
  readonly type: BtfType
  readonly idOf: (id: number) => number
  readonly makeStatic: boolean
}

function malformed(why: string): never {
  throw new DomainError('btf_malformed', `BTF: ${why}`)
}

/**
 * One BTF blob (Documentation/bpf/btf.rst) with the types of functions of several objects: the functions, all that
 * their types name in turn, and the tags on the functions and their arguments (BTF_KIND_DECL_TAG); nothing else. The
 * types of each object are copied once and keep to themselves: types of two objects may have one name. The same input
 * gives the same bytes. Throws `btf_malformed`, or `elf_too_many` when the result is too large for a kernel.
 */
export function mergeFunctionTypes(wanted: readonly WantedFunction[]): MergedBtf {
  const inputOf = inputFinder()
  const copies: Copy[] = []
  const known = new Map<Input, Map<string, number>>()
  const typeIds = wanted.map(({ btf, typeId, makeStatic }) => {
    const input = inputOf(btf)
    const functions = known.get(input) ?? new Map<string, number>()
    known.set(input, functions)
    const key = `${typeId} ${makeStatic}`
    const id = functions.get(key) ?? addFunction(copies, input, typeId, makeStatic)
    functions.set(key, id)
    return id
  })
  return { btf: write(copies), typeIds }
}

/** Reads each blob once, whether it comes as the same buffer or with the same content. */
function inputFinder(): (bytes: Buffer) => Input {
  const inputs: { bytes: Buffer; input: Input }[] = []
  return (bytes) => {
    const found =
      inputs.find((each) => each.bytes === bytes) ?? inputs.find((each) => each.bytes.equals(bytes))
    if (found !== undefined) return found.input
    const btf = readBtf(bytes)
    const tags = Map.groupBy(
      btf.types.filter(({ kind }) => kind === 'decl_tag'),
      (tag) => tag.sizeOrType,
    )
    const input = { btf, ids: new Map([[0, 0]]), tags }
    inputs.push({ bytes, input })
    return input
  }
}

/** Adds a function, its tags and whatever they name, and gives the function's id. */
function addFunction(copies: Copy[], input: Input, typeId: number, makeStatic: boolean): number {
  const type = typeOf(input.btf, typeId)
  if (type.kind !== 'func') return malformed(`type ${typeId} (${type.kind}) is wanted as a function`)
  const next = copies.length
  const idOf = (old: number): number => input.ids.get(old) ?? malformed(`type ${old} was not copied`)
  const id = push(copies, { input, type, idOf, makeStatic })
  for (const tag of input.tags.get(typeId) ?? [])
    push(copies, { input, type: tag, idOf: () => id, makeStatic: false })
  // what is added on the way is walked too; a tag names its function alone
  for (let at = next; at < copies.length; at++) {
    const copy = copies[at]
    if (copy === undefined || copy.type.kind === 'decl_tag') continue
    for (const named of namedBy(copy)) {
      if (input.ids.has(named)) continue
      const target = typeOf(input.btf, named)
      if (NOT_NAMED.has(target.kind))
        malformed(`type ${copy.type.id} (${copy.type.kind}) names type ${named} (${target.kind})`)
      input.ids.set(named, push(copies, { input, type: target, idOf, makeStatic: false }))
    }
  }
  return id
}

/** Adds a type; its id counts from 1. */
function push(copies: Copy[], copy: Copy): number {
  if (copies.length >= LIMITS.btf_types) tooMany(`more than ${LIMITS.btf_types} types`)
  return copies.push(copy)
}

function tooMany(what: string): never {
  throw new DomainError('elf_too_many', `the functions have ${what} of BTF together`)
}

/** Offset in the types of the object where a record starts: void, which has none, is never copied. */
const startOf = (type: BtfType): number => type.extra - (TYPE_AT + 4)

const namedBy = ({ input, type }: Copy): number[] =>
  recordPlaces(type).types.map((place) => u32(input.btf.data, startOf(type) + place))

function write(copies: readonly Copy[]): Buffer {
  const strings = stringWriter()
  let room: number = LIMITS.btf_bytes
  const records = copies.map(({ input, type, idOf, makeStatic }) => {
    const start = startOf(type)
    const record = Buffer.from(input.btf.data.bytes.subarray(start, start + recordBytes(type)))
    room -= record.length
    if (room < 0) tooMany(`more than ${LIMITS.btf_bytes} bytes`)
    const places = recordPlaces(type)
    for (const place of places.names)
      record.writeUInt32LE(strings.add(textAt(input.btf, record.readUInt32LE(place))), place)
    for (const place of places.types) record.writeUInt32LE(idOf(record.readUInt32LE(place)), place)
    // the linkage of a function stands where others have their count: BTF_FUNC_STATIC is 0
    if (makeStatic) record.writeUInt32LE((record.readUInt32LE(INFO_AT) & 0xffff0000) >>> 0, INFO_AT)
    return record
  })
  const types = Buffer.concat(records)
  const text = strings.bytes()
  if (HEADER_BYTES + types.length + text.length > LIMITS.btf_bytes)
    tooMany(`more than ${LIMITS.btf_bytes} bytes`)
  const header = Buffer.alloc(HEADER_BYTES) // hdr_len, type_off, type_len, str_off, str_len
  const fields = [MAGIC_AND_VERSION, HEADER_BYTES, 0, types.length, types.length, text.length]
  for (const [index, field] of fields.entries()) header.writeUInt32LE(field, index * 4)
  return Buffer.concat([header, types, text])
}

/** The bytes of a name or tag, one character each: a tag may be any text. Bounded, as {@link btfName} is. */
function textAt({ strings }: Btf, offset: number): string {
  const room = strings.bytes.subarray(offset, offset + LIMITS.elf_name_bytes + 1)
  const length = room.indexOf(0)
  if (length < 0)
    malformed(`the text at byte ${offset} of the strings has no end within ${LIMITS.elf_name_bytes} bytes`)
  return room.toString('latin1', 0, length)
}

/** Strings that are kept once each, the empty one first. */
function stringWriter(): { add: (text: string) => number; bytes: () => Buffer } {
  const offsets = new Map<string, number>()
  let size = 0
  const add = (text: string): number => {
    const known = offsets.get(text)
    if (known !== undefined) return known
    const offset = size
    size += text.length + 1
    if (size > LIMITS.btf_bytes) tooMany(`more than ${LIMITS.btf_bytes} bytes`)
    offsets.set(text, offset)
    return offset
  }
  add('')
  return {
    add,
    bytes: () => Buffer.from([...offsets.keys()].map((text) => `${text}\0`).join(''), 'latin1'),
  }
}
