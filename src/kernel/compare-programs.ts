import { readFileSync } from 'node:fs'
import { comparableCode } from '../bytecode/verified-code.ts'
import { LIMITS } from '../domain/limits.ts'
import { mapInfo, programInfo, programMaps, verifiedCode } from './bpf-info.ts'
import { keysOf, lookupElement, mapById, PROG_ARRAY } from './bpf-map.ts'
import { programById } from './bpf-program.ts'
import type { Fd } from './fd.ts'

/** What a comparison knows. */
export interface Comparison {
  /** Ids of the maps that were made for it: another takes the place of each, which must hold the same. */
  readonly own: ReadonlySet<number>
  /** What was compared, and the id of which of both runs: arrays of programs lead in circles. */
  readonly seen: Map<string, number>
}

/**
 * Compares a program that runs with one that was loaded for the comparison, and all that its own tail calls lead to, a
 * sentence for each difference: tags; maps, in the order in which instructions first name them; and the instructions that the
 * verifier made of both, which say at what offset in which map each reads. Throws KernelError.
 */
export function comparePrograms(running: Fd, made: Fd, comparison: Comparison): string[] {
  const [{ id, tag }, wanted] = [programInfo(running), programInfo(made)]
  const { seen } = comparison
  const pair = `${id} ${wanted.id}`
  if (seen.has(pair)) return []
  seen.set(pair, id)
  if (tag !== wanted.tag) return [`program ${id} has the tag ${tag}, its entries make ${wanted.tag}`]
  const [used, named] = [programMaps(running, LIMITS.bpf_maps), programMaps(made, LIMITS.bpf_maps) ?? []]
  if (used?.length !== named.length) return [`program ${id} does not use ${named.length} maps`]
  const differences = named.flatMap((map, at) => compareMaps(id, map, used[at] ?? 0, comparison))
  if (differences.length > 0) return differences // constants decide which instructions the verifier leaves
  return readsSame([running, used], [made, named]) ? [] : [`program ${id} ${otherwise()}`]
}

/** A program with the ids of its maps. */
type WithMaps = readonly [program: Fd, maps: readonly number[]]

function readsSame(...programs: readonly [WithMaps, WithMaps]): boolean {
  const [a, b] = programs.map(([program, maps]) => {
    const code = verifiedCode(program)
    return code && comparableCode(code, maps)
  })
  return a !== undefined && b !== undefined && a.equals(b)
}

/** How instructions differ. Of constants that were blinded nothing can be told. */
function otherwise(): string {
  const blinds = readFileSync('/proc/sys/net/core/bpf_jit_harden', 'utf8').trim() === '2'
  return blinds
    ? 'cannot be read: this kernel blinds constants (net.core.bpf_jit_harden is 2)'
    : 'reads other places of its maps, or has other instructions, than its entries make'
}

function compareMaps(programId: number, wanted: number, found: number, comparison: Comparison): string[] {
  if (found === wanted) return []
  if (!comparison.own.has(wanted))
    return [`program ${programId} uses map ${found} where map ${wanted} is pinned`]
  using made = mapById(wanted)
  using actual = mapById(found)
  const [{ id: _, ...shape }, { id: __, ...other }] = [mapInfo(made), mapInfo(actual)]
  const differs = `map ${found} of program ${programId} holds something else`
  if (JSON.stringify(shape) !== JSON.stringify(other)) return [differs]
  const differences: string[] = []
  for (const key of keysOf(made, shape.keyBytes)) {
    const [ours, theirs] = [made, actual].map((map) => lookupElement(map, key, shape.valueBytes))
    if (shape.type === PROG_ARRAY && ours !== undefined && theirs !== undefined) {
      using member = programById(theirs.readUInt32LE(0))
      using madeMember = programById(ours.readUInt32LE(0))
      differences.push(...comparePrograms(member, madeMember, comparison))
    } else if (ours?.toString('hex') !== theirs?.toString('hex')) return [differs]
  }
  return differences
}
