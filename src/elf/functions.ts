import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { i32, u8 } from './byte-view.ts'
import { type ElfFile, isExecutable, type Section } from './elf-file.ts'
import { R_BPF, type Relocation, type SectionRelocations } from './relocations.ts'
import { type ElfSymbol, STT } from './symbols.ts'

/** One function and what its own instructions name; what they reach in turn is {@link reach}'s. */
export interface ElfFunction {
  readonly name: string
  readonly section: Section
  readonly global: boolean
  /** Whether libbpf has it verified as a static function all the same. */
  readonly hidden: boolean
  /** Byte offset and size in its section; an instruction slot has 8 bytes. */
  readonly start: number
  readonly size: number
  /** Functions that it calls or takes the address of, in the order in which its instructions first name them. */
  readonly references: Set<ElfFunction>
  /** Those whose address is taken, to be called back by a helper. */
  readonly callbacks: Set<ElfFunction>
  readonly helpers: Set<number>
  readonly kernelFunctions: Set<string>
  /** Maps by name, data sections by section name. */
  readonly maps: Set<string>
  /** What calls and 64-bit loads refer to, by byte offset in the section; numbers of helpers are left in the instruction. */
  readonly operands: Map<number, Operand>
}

/** What an instruction refers to beyond itself: a function, a map or data section, or a name of the kernel. */
export type Operand =
  | { readonly kind: 'function'; readonly of: ElfFunction }
  | { readonly kind: 'map' | 'kernel'; readonly name: string }

/** Names what an address load points at: a map, or a section of data. Throws `elf_malformed` for anything else. */
type DataName = (symbol: ElfSymbol) => string

const SLOT = 8 // struct bpf_insn
const OP = { loadImm64: 0x18, call: 0x85 } as const
/** Meaning of src_reg in a call (BPF_PSEUDO_CALL) and in a 64-bit load (BPF_PSEUDO_FUNC), linux/bpf.h. */
const PSEUDO = { call: 1, func: 4 } as const

/**
 * The functions of all executable sections, with what each names. Throws `elf_malformed` for functions that overlap or
 * end inside an instruction, a call or address that meets no function's start, and numbers that would mean something to
 * the loading process only, such as a file descriptor; `elf_too_many` for too many functions.
 */
export function readFunctions(
  file: ElfFile,
  symbols: readonly ElfSymbol[],
  relocations: ReadonlyMap<number, SectionRelocations>,
  dataName: DataName,
): ElfFunction[] {
  const found = symbols.flatMap((symbol) => {
    const section = symbol.section === undefined ? undefined : file.sections[symbol.section]
    return symbol.type === STT.func && section !== undefined && isExecutable(section)
      ? [{ symbol, section }]
      : []
  })
  if (found.length > LIMITS.elf_functions)
    throw new DomainError(
      'elf_too_many',
      `the object has ${found.length} functions; at most ${LIMITS.elf_functions} are accepted`,
    )
  const functions = found.map(({ symbol, section }) => newFunction(symbol, section))
  const starts = startsOf(functions)
  for (const each of functions) scan(each, relocations.get(each.section.index) ?? new Map(), starts, dataName)
  return functions
}

function newFunction({ name, global, hidden, value, size }: ElfSymbol, section: Section): ElfFunction {
  if (name === '' || size === 0 || size % SLOT !== 0 || value % SLOT !== 0)
    throw new DomainError(
      'elf_malformed',
      `function "${name}" of section ${section.name} has ${size} bytes at ${value}: not whole instructions`,
    )
  return {
    name,
    section,
    global,
    hidden,
    start: value,
    size,
    references: new Set(),
    callbacks: new Set(),
    helpers: new Set(),
    kernelFunctions: new Set(),
    maps: new Set(),
    operands: new Map(),
  }
}

/** Functions by section index, then by byte offset. */
type Starts = ReadonlyMap<number, ReadonlyMap<number, ElfFunction>>

function startsOf(functions: readonly ElfFunction[]): Starts {
  const starts = new Map<number, Map<number, ElfFunction>>()
  const inOrder = [...functions].sort((a, b) => a.section.index - b.section.index || a.start - b.start)
  inOrder.forEach((each, at) => {
    const last = inOrder[at - 1]
    if (last?.section === each.section && last.start + last.size > each.start)
      throw new DomainError('elf_malformed', `functions ${last.name} and ${each.name} overlap`)
    const section = starts.get(each.section.index) ?? new Map<number, ElfFunction>()
    starts.set(each.section.index, section.set(each.start, each))
  })
  return starts
}

function scan(from: ElfFunction, relocations: SectionRelocations, starts: Starts, dataName: DataName): void {
  const { data } = from.section
  for (let at = from.start; at < from.start + from.size; at += SLOT) {
    const op = u8(data, at)
    const relocation = relocations.get(at)
    if (op === OP.loadImm64) {
      if (at + SLOT >= from.start + from.size || u8(data, at + SLOT) !== 0)
        refuse(from, at, 'a 64-bit load lacks its second half')
      if (relocations.has(at + SLOT)) refuse(from, at, 'the second half of a 64-bit load is relocated')
      scanLoad(from, at, relocation, starts, dataName)
      at += SLOT
    } else if (op === OP.call) scanCall(from, at, relocation, starts)
    else if (relocation !== undefined)
      refuse(from, at, 'is relocated, but is neither a call nor a 64-bit load')
  }
}

function refuse(from: ElfFunction, at: number, why: string): never {
  throw new DomainError(
    'elf_malformed',
    `function ${from.name}, instruction ${(at - from.start) / SLOT}: ${why}`,
  )
}

/** The function that starts at `offset` of a section. */
function target(from: ElfFunction, at: number, section: number, offset: number, starts: Starts): ElfFunction {
  return starts.get(section)?.get(offset) ?? refuse(from, at, `no function starts at byte ${offset}`)
}

function scanCall(from: ElfFunction, at: number, relocation: Relocation | undefined, starts: Starts): void {
  const { data, section } = { data: from.section.data, section: from.section.index }
  const source = u8(data, at + 1) >> 4
  const immediate = i32(data, at + 4)
  if (relocation === undefined) {
    // without a relocation, a call of a kernel function would go by the number of a type of one kernel
    if (source === 0) from.helpers.add(immediate)
    else if (source === PSEUDO.call)
      refersTo(from, at, target(from, at, section, at + (immediate + 1) * SLOT, starts))
    else refuse(from, at, `calls by source ${source}, which only a loader may write`)
    return
  }
  const { symbol, type } = relocation
  if (type !== R_BPF.call || source !== PSEUDO.call) refuse(from, at, 'is a call relocated as something else')
  if (symbol.external) {
    from.kernelFunctions.add(symbol.name)
    from.operands.set(at, { kind: 'kernel', name: symbol.name })
  } else if (symbol.section === undefined) refuse(from, at, `calls ${symbol.name}, which is no function`)
  // the compiler writes the distance from the symbol, less one: -1 for a function's own symbol
  else refersTo(from, at, target(from, at, symbol.section, symbol.value + (immediate + 1) * SLOT, starts))
}

function refersTo(from: ElfFunction, at: number, of: ElfFunction): void {
  from.references.add(of)
  from.operands.set(at, { kind: 'function', of })
}

function scanLoad(
  from: ElfFunction,
  at: number,
  relocation: Relocation | undefined,
  starts: Starts,
  dataName: DataName,
): void {
  const { data, section } = { data: from.section.data, section: from.section.index }
  const source = u8(data, at + 1) >> 4
  const immediate = i32(data, at + 4)
  if (relocation === undefined) {
    // sources 1 to 3, 5 and 6 are file descriptors and type numbers: those of the loading process, whatever they are there
    if (source === PSEUDO.func)
      takeAddress(from, at, target(from, at, section, at + (immediate + 1) * SLOT, starts))
    else if (source !== 0) refuse(from, at, `loads by source ${source}, which only a loader may write`)
    return
  }
  const { symbol, type } = relocation
  if (type !== R_BPF.load || source !== 0) refuse(from, at, 'is a 64-bit load relocated as something else')
  if (symbol.external) {
    // the address of a kernel variable, or a setting of the kernel's build
    from.operands.set(at, { kind: 'kernel', name: symbol.name })
    return
  }
  if (symbol.section !== undefined && starts.has(symbol.section))
    takeAddress(from, at, target(from, at, symbol.section, symbol.value + immediate, starts))
  else {
    const name = dataName(symbol)
    from.maps.add(name)
    from.operands.set(at, { kind: 'map', name })
  }
}

function takeAddress(from: ElfFunction, at: number, of: ElfFunction): void {
  refersTo(from, at, of)
  from.callbacks.add(of)
}
