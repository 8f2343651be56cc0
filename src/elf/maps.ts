import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { readMapType } from './btf-maps.ts'
import { variablesOf } from './btf-types.ts'
import { type DataSection, dataKind } from './data-sections.ts'
import type { DebugInfo } from './debug-info.ts'
import { type ElfFile, findSection, type Section } from './elf-file.ts'
import { MAP_TYPE_ARRAY, mapTypeName } from './map-types.ts'
import { type ElfSymbol, STT } from './symbols.ts'
import type { TypeLayout } from './type-layout.ts'

/** A map of an object, or a section of global variables, named as the section is. Sizes in bytes. */
export interface BpfMapDefinition {
  readonly name: string
  readonly kind: 'map' | 'rodata' | 'data' | 'bss'
  /** enum bpf_map_type. */
  readonly type: number
  readonly typeName: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  /** Map flags (BPF_F_*) that the source asks for. */
  readonly flags: number
  /** Whether the source asks for a pin of the map's own name. */
  readonly pinned: boolean
  /** Canonical text: content can be carried from one map to another if and only if these are equal. */
  readonly layout: string
  /** What keys and values are made of; undefined where the source gives only a size, and for sections. */
  readonly key: TypeLayout | undefined
  readonly value: TypeLayout | undefined
  /** Programs of the object that the source puts into it, by slot; only a prog_array has any. */
  readonly programs: readonly InitialProgram[]
}

/** A program that a loader puts into a prog_array, by its entry's name. */
export interface InitialProgram {
  readonly slot: number
  readonly program: string
}

/**
 * Text of all that must be equal for content to be carried from one map to another: type, sizes, entries, flags and layout.
 */
export const mapShape = ({
  type,
  keySize,
  valueSize,
  maxEntries,
  flags,
  layout,
}: Omit<BpfMapDefinition, 'key' | 'value'>): string =>
  JSON.stringify([type, keySize, valueSize, maxEntries, flags, layout])

const BPF_F_RDONLY_PROG = 0x80 // linux/bpf.h

/** A map of section .maps. Byte offsets in it: `valuesAt` is where the pointers to its first content are. */
export interface PlacedMap {
  readonly definition: Omit<BpfMapDefinition, 'programs'>
  readonly start: number
  readonly end: number
  readonly valuesAt: number | undefined
}

/** The maps of section .maps, and their names by their byte offset in it. */
interface DeclaredMaps {
  readonly maps: readonly PlacedMap[]
  readonly byOffset: ReadonlyMap<number, string>
}

/**
 * Reads the maps of section .maps: places from the symbol table, definitions from BTF. Throws `elf_malformed`,
 * `elf_too_many` or `btf_malformed`.
 */
export function readDeclaredMaps(
  file: ElfFile,
  symbols: readonly ElfSymbol[],
  debug: DebugInfo | undefined,
): DeclaredMaps {
  const section = findSection(file, '.maps')
  if (section === undefined) return { maps: [], byOffset: new Map() }
  if (debug === undefined) throw new DomainError('btf_malformed', 'the object has maps, but no BTF')
  const types = variablesOf(debug.btf, debug.sections.get('.maps'))
  const placed = symbols.filter((symbol) => symbol.type === STT.object && symbol.section === section.index)
  if (placed.length > LIMITS.elf_maps)
    throw new DomainError(
      'elf_too_many',
      `the object has ${placed.length} maps; at most ${LIMITS.elf_maps} are accepted`,
    )
  const byOffset = new Map<number, string>()
  const maps = placed.map(({ name, value, size }): PlacedMap => {
    const id = types.get(name)
    if (id === undefined) throw new DomainError('btf_malformed', `map ${name} has no type in BTF`)
    if (byOffset.has(value) || !types.delete(name))
      throw new DomainError('elf_malformed', `map ${name} has the place of another map`)
    byOffset.set(value, name)
    const { valuesAt, ...map } = readMapType(debug.btf, id, name, debug)
    return {
      definition: { name, kind: 'map', typeName: mapTypeName(map.type), ...map },
      start: value,
      end: value + size,
      valuesAt: valuesAt === undefined ? undefined : value + valuesAt,
    }
  })
  const [left] = types.keys()
  if (left !== undefined) throw new DomainError('btf_malformed', `map ${left} is not in the symbol table`)
  return { maps: maps.sort((a, b) => (a.definition.name < b.definition.name ? -1 : 1)), byOffset }
}

/** The map that a loader makes of a section of variables. */
export const sectionMap = ({ section, kind, layout }: DataSection): BpfMapDefinition => ({
  name: section.name,
  kind,
  type: MAP_TYPE_ARRAY,
  typeName: mapTypeName(MAP_TYPE_ARRAY),
  keySize: 4,
  valueSize: section.size,
  maxEntries: 1,
  flags: kind === 'rodata' ? BPF_F_RDONLY_PROG : 0,
  pinned: false,
  layout,
  key: undefined,
  value: undefined,
  programs: [],
})

/**
 * The map or data section whose address an instruction loads; loaders too find a map by the exact place of its symbol.
 * Throws `elf_malformed` when it is neither.
 */
export function dataName(file: ElfFile, symbol: ElfSymbol, maps: ReadonlyMap<number, string>): string {
  const section: Section | undefined =
    symbol.section === undefined ? undefined : file.sections[symbol.section]
  if (section?.name === '.maps') {
    const name = symbol.type === STT.section ? undefined : maps.get(symbol.value)
    if (name !== undefined) return name
  } else if (section !== undefined && dataKind(section) !== undefined) return section.name
  throw new DomainError(
    'elf_malformed',
    `an instruction loads the address of "${symbol.name}" in section ${section?.name ?? 'none'}, which is no map or variable`,
  )
}
