import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ElfFunction } from './functions.ts'

/** Everything that can run once an entry is called; the entry itself is the first of `functions`. */
export interface Reach {
  readonly functions: ReadonlySet<ElfFunction>
  readonly helpers: ReadonlySet<number>
  readonly kernelFunctions: ReadonlySet<string>
  readonly maps: ReadonlySet<string>
  readonly callbacks: boolean
}

/**
 * Follows the calls and callbacks of entries. What all calls of the result find is bounded together by
 * LIMITS.elf_reach_items: a thousand entries that each reach a thousand functions would be a million finds. Throws `elf_too_many`.
 */
export function reachFinder(): (entry: ElfFunction) => Reach {
  let room: number = LIMITS.elf_reach_items
  return (entry) => {
    const functions = new Set([entry])
    const helpers = new Set<number>()
    const kernelFunctions = new Set<string>()
    const maps = new Set<string>()
    let callbacks = false
    // a Set is walked in the order of insertion, what is added on the way included
    for (const each of functions) {
      room -=
        1 +
        each.callees.size +
        each.callbacks.size +
        each.helpers.size +
        each.kernelFunctions.size +
        each.maps.size
      if (room < 0)
        throw new DomainError(
          'elf_too_many',
          `the programs together reach more than ${LIMITS.elf_reach_items} functions, helpers and maps`,
        )
      for (const callee of each.callees) functions.add(callee)
      for (const callback of each.callbacks) functions.add(callback)
      for (const helper of each.helpers) helpers.add(helper)
      for (const name of each.kernelFunctions) kernelFunctions.add(name)
      for (const name of each.maps) maps.add(name)
      callbacks ||= each.callbacks.size > 0
    }
    return { functions, helpers, kernelFunctions, maps, callbacks }
  }
}
