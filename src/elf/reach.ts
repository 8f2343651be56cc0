import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ElfFunction } from './functions.ts'

/** Everything that can run once an entry is called; `functions` in the order of linking, the entry itself first. */
export interface Reach {
  readonly functions: ReadonlySet<ElfFunction>
  readonly helpers: ReadonlySet<number>
  readonly kernelFunctions: ReadonlySet<string>
  readonly maps: ReadonlySet<string>
  readonly callbacks: boolean
}

/**
 * Follows the calls and callbacks of entries, in the order in which libbpf lays functions one behind the other
 * (bpf_object__reloc_code): a function that is not there yet is appended where it is first named, and followed at once.
 * What all calls of the result find is bounded together by LIMITS.elf_reach_items: a thousand entries that each reach
 * a thousand functions would be a million finds. Throws `elf_too_many`.
 */
export function reachFinder(): (entry: ElfFunction) => Reach {
  let room: number = LIMITS.elf_reach_items
  return (entry) => {
    const functions = new Set<ElfFunction>()
    const helpers = new Set<number>()
    const kernelFunctions = new Set<string>()
    const maps = new Set<string>()
    let callbacks = false
    // calls may be nested deeper than our own stack is
    const walks: SetIterator<ElfFunction>[] = []
    const lay = (each: ElfFunction): void => {
      room -= 1 + each.references.size + each.helpers.size + each.kernelFunctions.size + each.maps.size
      if (room < 0)
        throw new DomainError(
          'elf_too_many',
          `the programs together reach more than ${LIMITS.elf_reach_items} functions, helpers and maps`,
        )
      functions.add(each)
      for (const helper of each.helpers) helpers.add(helper)
      for (const name of each.kernelFunctions) kernelFunctions.add(name)
      for (const name of each.maps) maps.add(name)
      callbacks ||= each.callbacks.size > 0
      walks.push(each.references.values())
    }
    lay(entry)
    for (let walk = walks.at(-1); walk !== undefined; walk = walks.at(-1)) {
      const next = walk.next()
      if (next.done) walks.pop()
      else if (!functions.has(next.value)) lay(next.value)
    }
    return { functions, helpers, kernelFunctions, maps, callbacks }
  }
}
