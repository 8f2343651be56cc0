import { DomainError } from '../domain/errors.ts'
import type { BtfExt } from './btf-ext.ts'
import type { ElfFunction } from './functions.ts'
import { helperName, TAIL_CALL } from './helper-names.ts'
import { type Reach, reachFinder } from './reach.ts'

/** A function of a linked program. */
export interface LinkedFunction {
  readonly name: string
  /** 8-byte slots. */
  readonly slots: number
  /** Its BTF_KIND_FUNC in the object's BTF, by .BTF.ext; undefined when that has none. */
  readonly typeId: number | undefined
  /** Whether the kernel verifies it apart from its callers: global, and not hidden from other objects. */
  readonly global: boolean
}

/** A program of an object. Lists cover what the entry reaches by calls and callbacks, itself included; all but `functions` are sorted. */
export interface BpfFunction {
  readonly name: string
  readonly section: string
  /** 8-byte slots of the entry alone. */
  readonly instructions: number
  /** Whether its section declares that it can take packets in several buffers (xdp.frags). */
  readonly frags: boolean
  readonly helpers: readonly string[]
  readonly helperIds: readonly number[]
  readonly subprograms: readonly string[]
  readonly tailCalls: boolean
  /** Functions that it reaches and that make tail calls; those below the entry come back to it. */
  readonly tailCallers: number
  readonly callbacks: boolean
  readonly kfuncs: readonly string[]
  /** Maps by name, data sections by section name. */
  readonly maps: readonly string[]
  readonly coreRelocations: number
  /** The entry and all that it reaches, in the order in which libbpf lays them one behind the other. */
  readonly functions: readonly LinkedFunction[]
}

/** Whether a function is a program: global, and outside of .text. */
export const isProgram = (each: ElfFunction): boolean => each.global && each.section.name !== '.text'

/**
 * The programs among the functions of an object: the global ones outside of .text; all others are called by these.
 * Throws `elf_no_programs`, `elf_too_many`, or `btf_malformed`.
 */
export function readPrograms(functions: readonly ElfFunction[], ext: BtfExt | undefined): BpfFunction[] {
  const entries = functions.filter(isProgram)
  if (entries.length === 0) throw new DomainError('elf_no_programs', 'the object has no program')
  const coreOf = coreRelocationCounts(functions, ext)
  const reach = reachFinder()
  return entries
    .sort((a, b) => a.section.index - b.section.index || a.start - b.start)
    .map((entry) => describe(entry, reach(entry), coreOf, ext))
}

function describe(
  entry: ElfFunction,
  reached: Reach,
  coreOf: ReadonlyMap<ElfFunction, number>,
  ext: BtfExt | undefined,
): BpfFunction {
  const { name, section, size } = entry
  const helperIds = [...reached.helpers].sort((a, b) => a - b)
  return {
    name,
    section: section.name,
    instructions: size / 8,
    frags: section.name === 'xdp.frags' || section.name.startsWith('xdp.frags/'),
    helpers: helperIds.map(helperName).sort(),
    helperIds,
    subprograms: [...reached.functions]
      .filter((each) => each !== entry)
      .map((each) => each.name)
      .sort(),
    tailCalls: reached.helpers.has(TAIL_CALL),
    tailCallers: [...reached.functions].filter(({ helpers }) => helpers.has(TAIL_CALL)).length,
    callbacks: reached.callbacks,
    kfuncs: [...reached.kernelFunctions].sort(),
    maps: [...reached.maps].sort(),
    coreRelocations: sum([...reached.functions].map((each) => coreOf.get(each) ?? 0)),
    functions: [...reached.functions].map((each) => ({
      name: each.name,
      slots: each.size / 8,
      typeId: ext?.functionTypes.get(each.section.name)?.get(each.start),
      global: each.global && !each.hidden,
    })),
  }
}

/** CO-RE relocations by the function whose instructions they rewrite. Throws `btf_malformed` for one outside of all. */
function coreRelocationCounts(
  functions: readonly ElfFunction[],
  ext: BtfExt | undefined,
): Map<ElfFunction, number> {
  const counts = new Map<ElfFunction, number>()
  const bySection = Map.groupBy(functions, (each) => each.section.name)
  for (const [section, offsets] of ext?.coreRelocations ?? []) {
    const inside = (bySection.get(section) ?? []).sort((a, b) => a.start - b.start)
    for (const offset of offsets) {
      const found = lastStartingBy(inside, offset)
      if (found === undefined || offset >= found.start + found.size)
        throw new DomainError(
          'btf_malformed',
          `BTF.ext: a CO-RE relocation of section ${section} is in no function`,
        )
      counts.set(found, (counts.get(found) ?? 0) + 1)
    }
  }
  return counts
}

/** The last of `functions`, sorted by start, that starts at or before `offset`. */
function lastStartingBy(functions: readonly ElfFunction[], offset: number): ElfFunction | undefined {
  let low = 0
  let high = functions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((functions[middle]?.start ?? 0) <= offset) low = middle + 1
    else high = middle
  }
  return functions[low - 1]
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
