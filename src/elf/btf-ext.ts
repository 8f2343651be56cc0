import { DomainError } from '../domain/errors.ts'
import { type Btf, typeOf } from './btf-types.ts'
import { type ByteView, nameAt, part, u8, u16, u32 } from './byte-view.ts'

/** What .BTF.ext says of the instructions of the sections that it names. */
export interface BtfExt {
  /** Byte offsets of the instructions that CO-RE rewrites when the object is loaded, by section name. */
  readonly coreRelocations: ReadonlyMap<string, readonly number[]>
  /** Type ids of functions (BTF_KIND_FUNC) by the byte offset of their first instruction, by section name. */
  readonly functionTypes: ReadonlyMap<string, ReadonlyMap<number, number>>
  readonly lineRecords: number
  /**
   * Lines of source, by section name: byte offset of an instruction, offset of the file's name in the strings, and line
   * number, one after the other.
   */
  readonly lines: ReadonlyMap<string, Uint32Array>
}

const MAGIC = 0xeb9f
/** struct btf_ext_header up to line_info_len; with core_relo_off and core_relo_len it has 32 bytes. */
const HEADER_BYTES = 24
const CORE_HEADER_BYTES = 32
/** Least bytes of a record: struct bpf_func_info, bpf_line_info, bpf_core_relo (linux/bpf.h). */
const RECORD_BYTES = { func_info: 8, line_info: 16, core_relo: 16 } as const

function malformed(why: string): never {
  throw new DomainError('btf_malformed', `BTF.ext: ${why}`)
}

type Visit = (section: string, record: ByteView) => void

/**
 * Reads a .BTF.ext section (Documentation/bpf/btf.rst). Records refer to types and strings of `btf`. Throws
 * `btf_malformed`.
 */
export function readBtfExt(bytes: Buffer, btf: Btf): BtfExt {
  const whole: ByteView = { bytes, what: 'BTF.ext', code: 'btf_malformed' }
  if (u16(whole, 0) !== MAGIC) malformed('no magic number, or the other byte order')
  if (u8(whole, 2) !== 1 || u8(whole, 3) !== 0) malformed('the version is not 1, or flags are set')
  const header = u32(whole, 4)
  if (header < HEADER_BYTES) malformed(`a header of ${header} bytes`)
  const table = (at: number, what: keyof typeof RECORD_BYTES, visit: Visit): void => {
    const size = u32(whole, at + 4)
    if (size === 0) return
    const start = header + u32(whole, at)
    if (start % 4 !== 0) malformed(`${what} is not aligned`)
    readTable(part(whole, start, size, `BTF.ext ${what}`), what, btf, visit)
  }
  let lineRecords = 0
  const functionTypes = new Map<string, Map<number, number>>()
  const coreRelocations = new Map<string, number[]>()
  table(8, 'func_info', (section, record) => {
    const type = typeOf(btf, u32(record, 4))
    if (type.kind !== 'func') malformed(`a function of section ${section} has type ${type.id} (${type.kind})`)
    const types = functionTypes.get(section) ?? new Map<number, number>()
    if (types.has(u32(record, 0)))
      malformed(`two functions of section ${section} start at byte ${u32(record, 0)}`)
    functionTypes.set(section, types.set(u32(record, 0), type.id))
  })
  const lines = new Map<string, number[]>()
  table(16, 'line_info', (section, record) => {
    insideStrings(btf, u32(record, 4)) // file_name_off
    insideStrings(btf, u32(record, 8)) // line_off
    const ofSection = lines.get(section) ?? []
    if (ofSection.length === 0) lines.set(section, ofSection)
    ofSection.push(u32(record, 0), u32(record, 4), u32(record, 12) >>> 10) // BPF_LINE_INFO_LINE_NUM
    lineRecords++
  })
  if (header >= CORE_HEADER_BYTES)
    table(24, 'core_relo', (section, record) => {
      typeOf(btf, u32(record, 4))
      insideStrings(btf, u32(record, 8)) // access_str_off
      const offsets = coreRelocations.get(section) ?? []
      offsets.push(u32(record, 0))
      coreRelocations.set(section, offsets)
    })
  return {
    coreRelocations,
    functionTypes,
    lineRecords,
    lines: new Map([...lines].map(([section, numbers]) => [section, Uint32Array.from(numbers)])),
  }
}

function insideStrings(btf: Btf, offset: number): void {
  if (offset >= btf.strings.bytes.length) malformed('a record has text outside of the strings')
}

/** A table: the size of its records, then for each section (struct btf_ext_info_sec) a count and that many records. */
function readTable(view: ByteView, what: keyof typeof RECORD_BYTES, btf: Btf, visit: Visit): void {
  const size = u32(view, 0)
  if (size < RECORD_BYTES[what] || size % 4 !== 0) malformed(`${what} has records of ${size} bytes`)
  const sections = new Set<string>()
  for (let at = 4; at < view.bytes.length; ) {
    const section = nameAt(btf.strings, u32(view, at))
    if (sections.has(section)) malformed(`${what} names section ${section} twice`)
    sections.add(section)
    const count = u32(view, at + 4)
    if (count === 0) malformed(`${what} of section ${section} is empty`)
    const records = part(view, at + 8, count * size, view.what)
    for (let index = 0; index < count; index++) {
      const record = part(records, index * size, size, view.what)
      if (u32(record, 0) % 8 !== 0) malformed(`${what} of section ${section} is off an instruction`)
      visit(section, record)
    }
    at += 8 + count * size
  }
}
