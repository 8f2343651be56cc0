import { DomainError } from '../domain/errors.ts'
import type { ElfFunction } from './functions.ts'
import { MAP_TYPE_PROG_ARRAY } from './map-types.ts'
import type { BpfMapDefinition, InitialProgram, PlacedMap } from './maps.ts'
import { isProgram } from './programs.ts'
import type { Relocation, SectionRelocations } from './relocations.ts'

const POINTER_BYTES = 8

/**
 * The maps with the programs that the source puts into their slots: `.values = { [1] = &second }` is a pointer in the
 * map's place that is relocated against the program. Only a prog_array can hold programs; the pointers of other maps
 * are left to the loader. Throws `elf_malformed` for a pointer that is outside of `values` or to no program.
 */
export function withPrograms(
  maps: readonly PlacedMap[],
  pointers: SectionRelocations,
  functions: readonly ElfFunction[],
): BpfMapDefinition[] {
  const byPlace = new Map(
    functions.filter(isProgram).map((each) => [placeOf(each.section.index, each.start), each]),
  )
  const inOrder = [...maps].sort((a, b) => a.start - b.start)
  const found = new Map<PlacedMap, InitialProgram[]>()
  let index = 0
  for (const [at, relocation] of [...pointers].sort(([a], [b]) => a - b)) {
    while ((inOrder[index + 1]?.start ?? Number.POSITIVE_INFINITY) <= at) index++
    const map = inOrder[index]
    if (map?.definition.type !== MAP_TYPE_PROG_ARRAY || at < map.start || at >= map.end) continue
    const list = found.get(map) ?? []
    found.set(map, list)
    list.push(initialProgram(map, at, relocation, byPlace))
  }
  return maps.map((map) => ({ ...map.definition, programs: found.get(map) ?? [] }))
}

const placeOf = (section: number, offset: number): string => `${section} ${offset}`

function initialProgram(
  map: PlacedMap,
  at: number,
  { symbol }: Relocation,
  programs: ReadonlyMap<string, ElfFunction>,
): InitialProgram {
  const refuse = (why: string): never => {
    throw new DomainError(
      'elf_malformed',
      `map ${map.definition.name}: the pointer at byte ${at - map.start} ${why}`,
    )
  }
  const slot = (at - (map.valuesAt ?? Number.POSITIVE_INFINITY)) / POINTER_BYTES
  if (!(slot >= 0 && Number.isInteger(slot))) refuse('is not in its values')
  const program =
    symbol.section === undefined ? undefined : programs.get(placeOf(symbol.section, symbol.value))
  if (program === undefined || program.name !== symbol.name)
    return refuse(`is to "${symbol.name}", which is no program`)
  return { slot, program: program.name }
}
