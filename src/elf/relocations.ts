import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { u32, u64 } from './byte-view.ts'
import { type ElfFile, isExecutable, type Section, SHT } from './elf-file.ts'
import type { ElfSymbol } from './symbols.ts'

type Refuse = (why: string) => never

/** Relocation types (Documentation/bpf/llvm_reloc.rst): an address load, an address in data, and a call. */
export const R_BPF = { load: 1, address: 2, call: 10 } as const
const OF_CODE: readonly number[] = [R_BPF.load, R_BPF.call]
/** Before clang 13 an address in data had the type of a load. */
const OF_DATA: readonly number[] = [R_BPF.address, R_BPF.load]

/** An instruction whose operand is a symbol, or a pointer to one in data. */
export interface Relocation {
  readonly type: number
  readonly symbol: ElfSymbol
}

/** Relocations of one section by byte offset. */
export type SectionRelocations = ReadonlyMap<number, Relocation>

const REL_BYTES = 16 // Elf64_Rel

/** The symbol table that relocations refer to. */
interface SymbolTable {
  readonly index: number
  readonly symbols: readonly ElfSymbol[]
}

/**
 * The relocations of each executable section, by section index. Throws `elf_malformed` for one outside of its section,
 * off an instruction's start, of another type, or for the same instruction as another; or `elf_too_many`.
 */
export const readRelocations = (file: ElfFile, table: SymbolTable): Map<number, SectionRelocations> =>
  readTables(file, table, isExecutable, OF_CODE)

/** The pointers in one section of data. Throws as {@link readRelocations} does. */
export const readPointers = (file: ElfFile, table: SymbolTable, of: Section): SectionRelocations =>
  readTables(file, table, (section) => section === of, OF_DATA).get(of.index) ?? new Map()

function readTables(
  file: ElfFile,
  table: SymbolTable,
  isWanted: (section: Section) => boolean,
  types: readonly number[],
): Map<number, SectionRelocations> {
  const all = new Map<number, Map<number, Relocation>>()
  let count = 0
  for (const section of file.sections) {
    if (section.type !== SHT.rel && section.type !== SHT.rela) continue
    const target = file.sections[section.info]
    if (target === undefined || section.info === 0)
      throw new DomainError('elf_malformed', `${section.name}: relocates no section of the file`)
    if (!isWanted(target)) continue
    count += checkTable(section, target, table.index)
    if (count > LIMITS.elf_relocations)
      throw new DomainError('elf_too_many', `the object has more than ${LIMITS.elf_relocations} relocations`)
    const found = all.get(target.index) ?? new Map<number, Relocation>()
    all.set(target.index, found)
    readTable(section, target, table.symbols, types, found)
  }
  return all
}

function checkTable(section: Section, target: Section, symtab: number): number {
  const malformed: Refuse = (why) => {
    throw new DomainError('elf_malformed', `${section.name}: ${why}`)
  }
  if (section.type === SHT.rela)
    malformed(`relocations of ${target.name} have addends, which BPF does not use`)
  if (section.link !== symtab) malformed('its symbols are not those of the symbol table')
  if (section.entrySize !== REL_BYTES || section.size % REL_BYTES !== 0)
    malformed(`entries have ${section.entrySize} bytes, not ${REL_BYTES}`)
  return section.size / REL_BYTES
}

function readTable(
  section: Section,
  target: Section,
  symbols: readonly ElfSymbol[],
  types: readonly number[],
  found: Map<number, Relocation>,
): void {
  for (let at = 0; at < section.size; at += REL_BYTES) {
    const offset = u64(section.data, at)
    const type = u32(section.data, at + 8) // ELF64_R_TYPE: the low half of r_info
    const symbol = symbols[u32(section.data, at + 12)] // ELF64_R_SYM: the high half
    const malformed: Refuse = (why) => {
      throw new DomainError('elf_malformed', `${section.name}: relocation of byte ${offset} ${why}`)
    }
    if (symbol === undefined) malformed('names no symbol')
    if (offset % 8 !== 0 || offset + 8 > target.size)
      malformed(`is not an instruction or pointer of ${target.name}`)
    if (!types.includes(type)) malformed(`has the unknown type ${type}`)
    if (found.has(offset)) malformed('occurs twice')
    found.set(offset, { type, symbol })
  }
}
