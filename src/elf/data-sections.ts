import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { SCALAR_BYTES, type ScalarType } from '../domain/scalar.ts'
import { isVolatile, scalarOf } from './btf-layout.ts'
import { type Btf, type BtfType, variablesOf } from './btf-types.ts'
import { type ElfFile, type Section, SHT } from './elf-file.ts'
import { type ElfSymbol, STT } from './symbols.ts'

/** A global variable that a loader may set or read. `initial` holds `size` bytes as the compiler left them. */
export interface BpfVariable {
  readonly name: string
  /** .rodata, .data or .bss, or one of these with a suffix, such as .rodata.limits. */
  readonly section: string
  /** Byte offset in its section, and size. */
  readonly offset: number
  readonly size: number
  /** Undefined for a struct, array or pointer, and without BTF. */
  readonly type: ScalarType | undefined
  /** Whether the program reads it each time; of a plain `const`, the compiler has used the value already. */
  readonly volatile: boolean
  readonly initial: Buffer
}

/** A section of global variables, which a loader turns into an array map of one element. */
export interface DataSection {
  readonly section: Section
  readonly kind: 'rodata' | 'data' | 'bss'
  /** The global ones only. */
  readonly variables: readonly BpfVariable[]
  readonly layout: string
}

/** What a section of global variables is by its name, as libbpf tells; undefined for any other section. */
export function dataKind({ name, type }: Pick<Section, 'name' | 'type'>): DataSection['kind'] | undefined {
  const of = (prefix: string): boolean => name === prefix || name.startsWith(`${prefix}.`)
  if (of('.rodata') && type === SHT.progbits) return 'rodata'
  if (of('.data') && type === SHT.progbits) return 'data'
  return of('.bss') && type === SHT.nobits ? 'bss' : undefined
}

/**
 * Reads the sections of global variables that are not empty: places from the symbol table (clang leaves the offsets of
 * BTF at 0), types from BTF. Throws `elf_malformed`, `elf_too_many` or `btf_malformed`.
 */
export function readDataSections(
  file: ElfFile,
  symbols: readonly ElfSymbol[],
  btf: { btf: Btf; sections: ReadonlyMap<string, BtfType>; layoutOf: (id: number) => string } | undefined,
): DataSection[] {
  const objects = new Map<number, ElfSymbol[]>()
  for (const symbol of symbols) {
    if (symbol.type !== STT.object || symbol.section === undefined) continue
    const list = objects.get(symbol.section) ?? []
    if (list.length === 0) objects.set(symbol.section, list)
    list.push(symbol)
  }
  let bssRoom: number = LIMITS.elf_bss_bytes
  return file.sections.flatMap((section): DataSection[] => {
    const kind = dataKind(section)
    if (kind === undefined || section.size === 0) return []
    if (kind === 'bss') bssRoom -= section.size
    if (bssRoom < 0)
      throw new DomainError(
        'elf_too_many',
        `section ${section.name}: .bss sections have more than ${LIMITS.elf_bss_bytes} bytes together`,
      )
    const types =
      btf === undefined ? new Map<string, number>() : variablesOf(btf.btf, btf.sections.get(section.name))
    const inOrder = (objects.get(section.index) ?? []).sort((a, b) => a.value - b.value || a.size - b.size)
    const bytes = kind === 'bss' ? Buffer.alloc(section.size) : section.data.bytes
    return [
      {
        section,
        kind,
        variables: inOrder
          .filter((symbol) => symbol.global)
          .map((symbol) => readVariable(symbol, section, bytes, btf?.btf, types.get(symbol.name))),
        layout: layoutText(section, inOrder, types, btf?.layoutOf),
      },
    ]
  })
}

function readVariable(
  { name, value, size }: ElfSymbol,
  section: Section,
  bytes: Buffer,
  btf: Btf | undefined,
  id: number | undefined,
): BpfVariable {
  const type = btf === undefined || id === undefined ? undefined : scalarOf(btf, id)
  // a loader that wrote the type's bytes over a smaller symbol would write into the next variable
  if (type !== undefined && SCALAR_BYTES[type] !== size)
    throw new DomainError('btf_malformed', `variable ${name} has ${size} bytes, but its type is ${type}`)
  return {
    name,
    section: section.name,
    offset: value,
    size,
    type,
    volatile: btf !== undefined && id !== undefined && isVolatile(btf, id),
    initial: bytes.subarray(value, value + size),
  }
}

/** Static variables included: their values too are kept, or not, with the section. */
function layoutText(
  section: Section,
  symbols: readonly ElfSymbol[],
  types: ReadonlyMap<string, number>,
  layoutOf: ((id: number) => string) | undefined,
): string {
  const variables = symbols.map(({ name, value, size }) => {
    const id = types.get(name)
    return `${name}@${value * 8} ${id === undefined || layoutOf === undefined ? `${size} bytes` : layoutOf(id)}`
  })
  return `section ${section.size} {${variables.join('; ')}}`
}
