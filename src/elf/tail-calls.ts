import { LIMITS } from '../domain/limits.ts'
import type { BpfObject } from './bpf-object.ts'
import { MAP_TYPE_PROG_ARRAY } from './map-types.ts'

/** Programs of an object that the arrays of programs which an entry uses hold from the start. */
export const arrayPrograms = (object: BpfObject, usedMaps: readonly string[]): string[] => [
  ...new Set(
    object.maps
      .filter(({ name, type }) => type === MAP_TYPE_PROG_ARRAY && usedMaps.includes(name))
      .flatMap(({ programs }) => programs.map(({ program }) => program)),
  ),
]

/**
 * How many tail calls a packet may make in a program of an object: those of the longest way through the programs that the
 * arrays hold, each function's once. All that the kernel allows where that way leads back to itself. A function below the
 * entry that makes them in a loop may make more.
 */
export function tailCallsOf(object: BpfObject, entry: string): number {
  let [reached, calls] = [[entry], 0]
  while (calls < LIMITS.bpf_tail_calls) {
    const callers = object.programs.filter(
      ({ name, tailCallers }) => tailCallers > 0 && reached.includes(name),
    )
    const next = callers.flatMap(({ maps }) => arrayPrograms(object, maps))
    if (next.length === 0) return calls
    calls += Math.max(...callers.map(({ tailCallers }) => tailCallers))
    reached = [...new Set(next)]
  }
  return LIMITS.bpf_tail_calls
}
