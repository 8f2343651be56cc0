/** A section to be written. `name` may be anything, and any other field false. */
export interface CraftedSection {
  readonly name: string
  readonly type?: number
  readonly flags?: number
  readonly data?: Buffer
  /** sh_size when it is not the data's. */
  readonly size?: number
  readonly link?: number
  readonly info?: number
  readonly entrySize?: number
}

/** A symbol to be written; `section` is the name of a section, or an index such as 0 for an external. */
export interface CraftedSymbol {
  readonly name: string
  readonly section: string | number
  readonly type?: number
  readonly global?: boolean
  readonly value?: number
  readonly size?: number
}

/** Section types and symbol types of elf.h, as the crafted files use them. */
export const TYPE = { progbits: 1, symtab: 2, strtab: 3, rela: 4, nobits: 8, rel: 9 } as const
export const SYMBOL = { notype: 0, object: 1, func: 2, section: 3, file: 4 } as const
const CODE_FLAGS = 6 // SHF_ALLOC | SHF_EXECINSTR

/** Instructions as bytes: `mov r0, 2`, `exit`, and those that name something. */
export const INSN = {
  mov: Buffer.from('b700000002000000', 'hex'),
  exit: Buffer.from('9500000000000000', 'hex'),
  helper: (id: number) => insn(0x85, 0, id),
  call: (distance: number) => insn(0x85, 1, distance),
  load: (source = 0, value = 0) => Buffer.concat([insn(0x18, source, value), Buffer.alloc(8)]),
} as const

/** One slot: operation, source register and immediate. */
export function insn(op: number, source: number, immediate: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes[0] = op
  bytes[1] = source << 4
  bytes.writeInt32LE(immediate, 4)
  return bytes
}

/** An executable section. */
export const code = (name: string, ...instructions: Buffer[]): CraftedSection => ({
  name,
  flags: CODE_FLAGS,
  data: Buffer.concat(instructions),
})

/** A relocation table of section number `target`: byte offset, type and symbol number of each. */
export function relocations(
  target: number,
  entries: readonly (readonly [offset: number, type: number, symbol: number])[],
  change: Partial<CraftedSection> = {},
): CraftedSection {
  const data = Buffer.alloc(entries.length * 16)
  entries.forEach(([offset, type, symbol], at) => {
    data.writeBigUInt64LE(BigInt(offset), at * 16)
    data.writeUInt32LE(type, at * 16 + 8)
    data.writeUInt32LE(symbol, at * 16 + 12)
  })
  return { name: `.rel${target}`, type: TYPE.rel, link: 2, info: target, entrySize: 16, data, ...change }
}

/** A string table: a NUL, then each text with its end. Gives the offset of a text. */
export function stringTable(): { at: (text: string) => number; bytes: () => Buffer } {
  const offsets = new Map<string, number>([['', 0]])
  const parts = [Buffer.alloc(1)]
  let size = 1
  return {
    at(text) {
      const known = offsets.get(text)
      if (known !== undefined) return known
      const part = Buffer.from(`${text}\0`, 'latin1')
      offsets.set(text, size)
      parts.push(part)
      size += part.length
      return size - part.length
    },
    bytes: () => Buffer.concat(parts),
  }
}

/**
 * Writes an object. Section 0 is the unused one, 1 the string table, 2 the symbol table; the given ones follow from 3,
 * the given symbols from 1.
 */
export function craftElf(sections: readonly CraftedSection[], symbols: readonly CraftedSymbol[]): Buffer {
  const strings = stringTable()
  const numberOf = (section: string | number): number =>
    typeof section === 'number' ? section : sections.findIndex(({ name }) => name === section) + 3
  const table = Buffer.alloc((symbols.length + 1) * 24)
  symbols.forEach((symbol, index) => {
    const at = (index + 1) * 24
    table.writeUInt32LE(strings.at(symbol.name), at)
    table[at + 4] = ((symbol.global ?? true) ? 16 : 0) | (symbol.type ?? SYMBOL.func)
    table.writeUInt16LE(numberOf(symbol.section), at + 6)
    table.writeBigUInt64LE(BigInt(symbol.value ?? 0), at + 8)
    table.writeBigUInt64LE(BigInt(symbol.size ?? 0), at + 16)
  })
  for (const { name } of sections) strings.at(name)
  const all: CraftedSection[] = [
    { name: '', type: 0 },
    { name: '.strtab', type: TYPE.strtab, data: Buffer.alloc(0) },
    { name: '.symtab', type: TYPE.symtab, link: 1, entrySize: 24, data: table },
    ...sections,
  ]
  for (const { name } of all) strings.at(name)
  all[1] = { name: '.strtab', type: TYPE.strtab, data: strings.bytes() }
  return assemble(all, strings.at)
}

function assemble(sections: readonly CraftedSection[], nameAt: (name: string) => number): Buffer {
  const header = Buffer.alloc(64)
  header.write('7f454c46020101', 'hex')
  header.writeUInt16LE(1, 16) // ET_REL
  header.writeUInt16LE(247, 18) // EM_BPF
  header.writeUInt32LE(1, 20)
  header.writeUInt16LE(64, 52)
  header.writeUInt16LE(64, 58)
  header.writeUInt16LE(sections.length, 60)
  header.writeUInt16LE(1, 62)
  const table = Buffer.alloc(sections.length * 64)
  const parts: Buffer[] = [header]
  let end = 64
  sections.forEach((section, index) => {
    const data = section.data ?? Buffer.alloc(0)
    const at = index * 64
    table.writeUInt32LE(nameAt(section.name), at)
    table.writeUInt32LE(section.type ?? TYPE.progbits, at + 4)
    table.writeBigUInt64LE(BigInt(section.flags ?? 0), at + 8)
    table.writeBigUInt64LE(BigInt(end), at + 24)
    table.writeBigUInt64LE(BigInt(section.size ?? data.length), at + 32)
    table.writeUInt32LE(section.link ?? 0, at + 40)
    table.writeUInt32LE(section.info ?? 0, at + 44)
    table.writeBigUInt64LE(BigInt(section.entrySize ?? 0), at + 56)
    parts.push(data)
    end += data.length
  })
  header.writeBigUInt64LE(BigInt(end), 40)
  return Buffer.concat([...parts, table])
}

/** The least object that is accepted, with further sections (from number 4) and symbols (from number 2). */
export const craftWith = (
  sections: readonly CraftedSection[] = [],
  symbols: readonly CraftedSymbol[] = [],
  program: CraftedSection = code('xdp', INSN.mov, INSN.exit),
): Buffer =>
  craftElf(
    [program, ...sections],
    [{ name: 'entry', section: 'xdp', size: program.data?.length ?? 0 }, ...symbols],
  )
