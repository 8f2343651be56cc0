import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ByteView, nameAt, part, u8, u16, u32, u64 } from './byte-view.ts'

/** Section types (sh_type, elf.h). */
export const SHT = { null: 0, progbits: 1, symtab: 2, strtab: 3, rela: 4, nobits: 8, rel: 9 } as const
/** Section flags (sh_flags, elf.h). */
const SHF = { alloc: 0x2, exec: 0x4 } as const

/** A section of an object. `size` is in memory; a NOBITS section has no `data`. */
export interface Section {
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly size: number
  readonly link: number
  readonly info: number
  readonly entrySize: number
  readonly data: ByteView
}

/** A file whose headers hold: every section is inside the file, and none overlaps another. */
export interface ElfFile {
  readonly sections: readonly Section[]
}

const EHDR_BYTES = 64 // Elf64_Ehdr
const SHDR_BYTES = 64 // Elf64_Shdr
const ET_REL = 1
const EM_BPF = 247

function malformed(why: string): never {
  throw new DomainError('elf_malformed', why)
}

/**
 * Reads the headers of a relocatable little-endian 64-bit BPF object (System V ABI chapter 4; elf.h). Throws
 * `elf_too_large`, `elf_not_elf`, `elf_wrong_class`, `elf_wrong_endian`, `elf_not_bpf`, `elf_truncated`,
 * `elf_too_many` or `elf_malformed`.
 */
export function readElf(bytes: Buffer): ElfFile {
  if (bytes.length > LIMITS.file_bytes)
    throw new DomainError(
      'elf_too_large',
      `the object has ${bytes.length} bytes; at most ${LIMITS.file_bytes} are accepted`,
    )
  const file: ByteView = { bytes, what: 'ELF header', code: 'elf_malformed' }
  checkIdentity(file)
  const table = u64(file, 40) // e_shoff
  const count = u16(file, 60) // e_shnum; 0 would mean more than 65,279 sections
  const names = u16(file, 62) // e_shstrndx
  if (count > LIMITS.elf_sections)
    throw new DomainError(
      'elf_too_many',
      `the object has ${count} sections; at most ${LIMITS.elf_sections} are accepted`,
    )
  if (u16(file, 52) !== EHDR_BYTES || u16(file, 58) !== SHDR_BYTES)
    malformed('ELF header: e_ehsize or e_shentsize is not 64')
  if (count === 0 || names === 0 || names >= count) malformed('ELF header: no section names')
  if (table < EHDR_BYTES) malformed('ELF header: the section headers overlap it')
  insideFile(bytes, table, count * SHDR_BYTES, 'the section headers')
  const headers = part(file, table, count * SHDR_BYTES, 'section headers')
  const raw = Array.from({ length: count }, (_, index) => readSection(file, headers, index))
  checkOverlaps(raw, table, count)
  const strings = raw[names]
  if (strings === undefined || strings.type !== SHT.strtab)
    return malformed('ELF header: e_shstrndx is not a string table')
  const sections = raw.map(({ offset: _, name, ...rest }) => ({ ...rest, name: nameAt(strings.data, name) }))
  checkNames(sections)
  return { sections }
}

/** Magic, class, byte order, machine and kind, in the order in which each makes the next readable. */
function checkIdentity(file: ByteView): void {
  const { bytes } = file
  const refuse = (
    code: 'elf_not_elf' | 'elf_truncated' | 'elf_wrong_class' | 'elf_wrong_endian' | 'elf_not_bpf',
    why: string,
  ): never => {
    throw new DomainError(code, why)
  }
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== 0x7f454c46)
    refuse('elf_not_elf', 'the file does not start with the ELF magic number')
  if (bytes.length < EHDR_BYTES) refuse('elf_truncated', `the file ends after ${bytes.length} bytes`)
  const kind = u8(file, 4) // EI_CLASS
  if (kind === 1) refuse('elf_wrong_class', 'the file is a 32-bit ELF file')
  if (kind !== 2) malformed(`ELF header: there is no class ${kind}`)
  const order = u8(file, 5) // EI_DATA
  if (order === 2) refuse('elf_wrong_endian', 'the object is big-endian')
  if (order !== 1) malformed(`ELF header: there is no byte order ${order}`)
  if (u8(file, 6) !== 1 || u32(file, 20) !== 1) malformed('ELF header: the version is not 1')
  const machine = u16(file, 18)
  if (machine !== EM_BPF) refuse('elf_not_bpf', `the file is for machine ${machine}, not for BPF (${EM_BPF})`)
  const type = u16(file, 16)
  if (type !== ET_REL) refuse('elf_not_bpf', `the file has ELF type ${type}: it is not a relocatable object`)
}

function insideFile(bytes: Buffer, offset: number, size: number, what: string): void {
  if (offset + size > bytes.length)
    throw new DomainError(
      'elf_truncated',
      `the file ends at byte ${bytes.length}; ${what} would end at byte ${offset + size}`,
    )
}

type RawSection = Omit<Section, 'name'> & { readonly name: number; readonly offset: number }

function readSection(file: ByteView, headers: ByteView, index: number): RawSection {
  const at = index * SHDR_BYTES
  const what = `section ${index}`
  const type = u32(headers, at + 4)
  // flags: the top byte is the processor's and may be set; only alloc and exec matter here
  const flags = u32(headers, at + 8)
  const offset = u64(headers, at + 24)
  const size = u64(headers, at + 32)
  if (type === SHT.null && size > 0) malformed(`${what}: an unused section has ${size} bytes`)
  const stored = type === SHT.nobits || type === SHT.null ? 0 : size
  if (stored > 0) insideFile(file.bytes, offset, stored, what)
  return {
    index,
    name: u32(headers, at),
    type,
    flags,
    offset,
    size,
    link: u32(headers, at + 40),
    info: u32(headers, at + 44),
    entrySize: u64(headers, at + 56),
    data: part(file, stored > 0 ? offset : 0, stored, what),
  }
}

/** Readers that differ in which of two overlapping parts they believe would see different programs in one file. */
function checkOverlaps(sections: readonly RawSection[], table: number, count: number): void {
  const parts = sections
    .filter((section) => section.data.bytes.length > 0)
    .map((section) => ({
      from: section.offset,
      to: section.offset + section.data.bytes.length,
      what: section.data.what,
    }))
  parts.push({ from: 0, to: EHDR_BYTES, what: 'the ELF header' })
  parts.push({ from: table, to: table + count * SHDR_BYTES, what: 'the section headers' })
  parts.sort((a, b) => a.from - b.from)
  parts.forEach((next, at) => {
    const last = parts[at - 1]
    if (last !== undefined && next.from < last.to) malformed(`${last.what} and ${next.what} overlap`)
  })
}

/** Loaders differ in which of two sections of one name wins. */
function checkNames(sections: readonly Section[]): void {
  const seen = new Set<string>()
  for (const { type, name } of sections) {
    if (type === SHT.null) continue
    if (seen.has(name)) malformed(`the object has two sections named ${name}`)
    seen.add(name)
  }
}

/** The section of that name, or undefined. */
export const findSection = (file: ElfFile, name: string): Section | undefined =>
  file.sections.find((section) => section.name === name && section.type !== SHT.null)

/** Whether a section holds BPF instructions. */
export const isExecutable = (section: Section): boolean =>
  section.type === SHT.progbits && (section.flags & SHF.exec) !== 0 && section.size > 0
