import { DomainError } from '../domain/errors.ts'
import { variablesOf } from './btf-types.ts'
import { type BpfVariable, readDataSections } from './data-sections.ts'
import { type DebugInfo, readDebugInfo } from './debug-info.ts'
import { type ElfFile, findSection, readElf } from './elf-file.ts'
import { type ElfFunction, readFunctions } from './functions.ts'
import { readLicense } from './license.ts'
import { withPrograms } from './map-programs.ts'
import { type BpfMapDefinition, dataName, readDeclaredMaps, sectionMap } from './maps.ts'
import { type BpfFunction, readPrograms } from './programs.ts'
import { readPointers, readRelocations, type SectionRelocations } from './relocations.ts'
import { type ElfSymbol, readSymbols } from './symbols.ts'

/** What an object holds. The same for the same bytes on any host: nothing is asked of a kernel. */
export interface BpfObject {
  readonly byteOrder: 'little'
  readonly license: string | undefined
  readonly programs: readonly BpfFunction[]
  readonly maps: readonly BpfMapDefinition[]
  readonly variables: readonly BpfVariable[]
  /** Types and bytes of section .BTF, and the section itself, which is a part of the object's buffer. */
  readonly btf: { readonly types: number; readonly bytes: number; readonly raw: Buffer } | undefined
  readonly coreRelocations: number
  /** Kernel functions and variables that the object expects (externs in .ksyms). */
  readonly kernelSymbols: readonly string[]
  /** All functions with their instructions, and the types that go with these. */
  readonly functions: readonly ElfFunction[]
  readonly debug: DebugInfo | undefined
}

/**
 * Reads a BPF object. Any bytes give an object or a DomainError `elf_*` or `btf_malformed`, within bounded time and
 * memory.
 */
export function readObject(bytes: Buffer): BpfObject {
  const file = readElf(bytes)
  if (findSection(file, 'maps') !== undefined)
    throw new DomainError(
      'elf_legacy_maps',
      'the object defines maps in SEC("maps"), which libbpf 1.0 no longer reads',
    )
  const table = readSymbols(file)
  const relocations = readRelocations(file, table)
  const debug = readDebugInfo(file)
  const declared = readDeclaredMaps(file, table.symbols, debug)
  const data = readDataSections(file, table.symbols, debug)
  const functions = readFunctions(file, table.symbols, relocations, (symbol) =>
    dataName(file, symbol, declared.byOffset),
  )
  const programs = readPrograms(functions, debug?.ext)
  return {
    byteOrder: 'little',
    license: readLicense(file),
    programs,
    maps: [...withPrograms(declared.maps, pointersInMaps(file, table), functions), ...data.map(sectionMap)],
    variables: data.flatMap((section) => section.variables),
    btf: debug && { types: debug.btf.types.length - 1, bytes: debug.raw.length, raw: debug.raw },
    coreRelocations: [...(debug?.ext?.coreRelocations.values() ?? [])].flat().length,
    kernelSymbols: kernelSymbols(table.symbols, debug),
    functions,
    debug,
  }
}

function pointersInMaps(file: ElfFile, table: ReturnType<typeof readSymbols>): SectionRelocations {
  const section = findSection(file, '.maps')
  return section === undefined ? new Map() : readPointers(file, table, section)
}

/** Externs, but for settings of the kernel's build (.kconfig), which loaders fill in by themselves. */
function kernelSymbols(symbols: readonly ElfSymbol[], debug: DebugInfo | undefined): string[] {
  const settings = debug && variablesOf(debug.btf, debug.sections.get('.kconfig'))
  const names = symbols
    .filter((symbol) => symbol.external && !settings?.has(symbol.name))
    .map(({ name }) => name)
  return [...new Set(names)].sort()
}
