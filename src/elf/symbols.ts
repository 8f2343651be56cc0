import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { nameAt, u8, u16, u32, u64 } from './byte-view.ts'
import { type ElfFile, SHT } from './elf-file.ts'

/** Symbol types (ELF64_ST_TYPE, elf.h). */
export const STT = { notype: 0, object: 1, func: 2, section: 3, file: 4 } as const

/** A symbol. `section` is the index of the section that defines it; undefined when it is external or absolute. */
export interface ElfSymbol {
  readonly name: string
  readonly type: number
  /** Visible outside its compilation unit (STB_GLOBAL or STB_WEAK); a C `static` is not. */
  readonly global: boolean
  /** Kept from other objects all the same (STV_HIDDEN or STV_INTERNAL). */
  readonly hidden: boolean
  readonly section: number | undefined
  /** Named here, defined elsewhere (SHN_UNDEF): a kernel symbol, kernel function or kernel setting. */
  readonly external: boolean
  /** Byte offset in its section. */
  readonly value: number
  readonly size: number
}

const SYM_BYTES = 24 // Elf64_Sym
const HIDDEN: readonly number[] = [1, 2] // ELF64_ST_VISIBILITY: STV_INTERNAL and STV_HIDDEN
const SHN_LORESERVE = 0xff00
const SHN_ABS = 0xfff1

function malformed(why: string): never {
  throw new DomainError('elf_malformed', why)
}

/**
 * Reads the symbol table in its own order (elf.h Elf64_Sym); every symbol lies inside its section. Throws
 * `elf_malformed` or `elf_too_many`.
 */
export function readSymbols(file: ElfFile): { index: number; symbols: ElfSymbol[] } {
  const tables = file.sections.filter((section) => section.type === SHT.symtab)
  const [table] = tables
  if (table === undefined || tables.length > 1)
    return malformed(`the object has ${tables.length} symbol tables, not one`)
  const strings = file.sections[table.link]
  if (strings?.type !== SHT.strtab) return malformed('the symbol table has no string table')
  if (table.entrySize !== SYM_BYTES || table.size % SYM_BYTES !== 0)
    malformed(`the symbol table has entries of ${table.entrySize} bytes, not ${SYM_BYTES}`)
  const count = table.size / SYM_BYTES
  if (count > LIMITS.elf_symbols)
    throw new DomainError(
      'elf_too_many',
      `the object has ${count} symbols; at most ${LIMITS.elf_symbols} are accepted`,
    )
  const symbols = Array.from({ length: count }, (_, index): ElfSymbol => {
    const at = index * SYM_BYTES
    const info = u8(table.data, at + 4)
    const place = u16(table.data, at + 6)
    const type = info & 15
    const symbol = {
      // a file's name may be any path, and nothing asks for it
      name: type === STT.file ? '' : nameAt(strings.data, u32(table.data, at)),
      type,
      global: info >> 4 === 1 || info >> 4 === 2,
      hidden: HIDDEN.includes(u8(table.data, at + 5) & 3),
      section: place === 0 || place === SHN_ABS ? undefined : place,
      external: place === 0 && index > 0,
      value: u64(table.data, at + 8),
      size: u64(table.data, at + 16),
    }
    checkPlace(file, symbol, index)
    return symbol
  })
  checkUnique(symbols)
  return { index: table.index, symbols }
}

function checkPlace(file: ElfFile, symbol: ElfSymbol, index: number): void {
  if (symbol.section === undefined) return
  const section = symbol.section < SHN_LORESERVE ? file.sections[symbol.section] : undefined
  if (section === undefined) malformed(`symbol ${index} (${symbol.name}) names no section of the file`)
  else if (symbol.value + symbol.size > section.size)
    malformed(`symbol ${index} (${symbol.name}) ends outside of its section ${section.name}`)
}

/** Two global definitions of one name would leave open which of them a manifest means. */
function checkUnique(symbols: readonly ElfSymbol[]): void {
  const seen = new Set<string>()
  for (const { name, global, section } of symbols) {
    if (!global || section === undefined) continue
    if (seen.has(name)) malformed(`the object defines "${name}" twice`)
    seen.add(name)
  }
}
