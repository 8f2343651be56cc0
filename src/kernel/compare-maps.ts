import { mapsNamed } from '../bytecode/body.ts'
import { LIMITS } from '../domain/limits.ts'
import { mapInfo, programInfo, programMaps } from './bpf-info.ts'
import { keysOf, lookupElement, mapById, PROG_ARRAY } from './bpf-map.ts'
import { programById } from './bpf-program.ts'
import type { Fd } from './fd.ts'

/**
 * Compares the maps that a program uses with those that it should, a sentence for each that is not the right one. `code` is
 * the program as its entries make it: the kernel lists maps in the order in which instructions first name them. A map of
 * `own` was made for the comparison: another takes its place, which must hold the same. Throws KernelError.
 */
export function compareMaps(programId: number, code: Buffer, own: ReadonlySet<number>): string[] {
  using program = programById(programId)
  const wanted = mapsNamed(code)
  const used = programMaps(program, LIMITS.bpf_maps)
  if (used?.length !== wanted.length) return [`program ${programId} does not use ${wanted.length} maps`]
  return wanted.flatMap((id, at) => {
    const found = used[at] ?? 0
    if (found === id) return []
    if (!own.has(id)) return [`program ${programId} uses map ${found} where map ${id} is pinned`]
    using made = mapById(id)
    using actual = mapById(found)
    return holdsSame(made, actual) ? [] : [`map ${found} of program ${programId} holds something else`]
  })
}

/** Whether two maps have one shape and hold the same; programs are told by their tags. */
function holdsSame(made: Fd, actual: Fd): boolean {
  const [{ id: _, ...shape }, { id: __, ...other }] = [mapInfo(made), mapInfo(actual)]
  if (JSON.stringify(shape) !== JSON.stringify(other)) return false
  const { type, keyBytes, valueBytes } = shape
  const contentOf = (map: Fd, key: Buffer): string => {
    const value = lookupElement(map, key, valueBytes)
    if (value === undefined) return ''
    return type === PROG_ARRAY ? tagOf(value.readUInt32LE(0)) : value.toString('hex')
  }
  return [...keysOf(made, keyBytes)].every((key) => contentOf(made, key) === contentOf(actual, key))
}

function tagOf(programId: number): string {
  using program = programById(programId)
  return programInfo(program).tag
}
