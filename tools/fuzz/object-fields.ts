import { isExecutable, readElf, type Section, SHT } from '../../src/elf/elf-file.ts'

/** A number in an object: where it stands, and its bytes. */
export interface Field {
  readonly offset: number
  readonly width: 1 | 2 | 4 | 8
}

/** A sound object and the numbers that a reader of it trusts, by the structure that they stand in. */
export interface SeedObject {
  readonly bytes: Buffer
  readonly fields: readonly (readonly Field[])[]
}

type Layout = readonly (readonly [offset: number, width: Field['width']])[]

// Field offsets and widths within one record of each structure of elf.h, linux/btf.h and linux/bpf.h.
const EHDR: Layout = [
  ...([0, 4, 5, 6, 7] as const).map((at) => [at, 1] as const),
  ...([16, 18, 52, 54, 56, 58, 60, 62] as const).map((at) => [at, 2] as const),
  ...([20, 48] as const).map((at) => [at, 4] as const),
  ...([24, 32, 40] as const).map((at) => [at, 8] as const),
]
const SHDR: Layout = [
  ...([0, 4, 40, 44] as const).map((at) => [at, 4] as const),
  ...([8, 16, 24, 32, 48, 56] as const).map((at) => [at, 8] as const),
]
const SYM: Layout = [
  [0, 4],
  [4, 1],
  [5, 1],
  [6, 2],
  [8, 8],
  [16, 8],
]
const REL: Layout = [
  [0, 8],
  [8, 4],
  [12, 4],
]
const INSTRUCTION: Layout = [
  [0, 1],
  [1, 1],
  [2, 2],
  [4, 4],
]
const BTF_HEADER: Layout = [
  [0, 2],
  [2, 1],
  [3, 1],
  ...([4, 8, 12, 16, 20] as const).map((at) => [at, 4] as const),
]
const WORD: Layout = [[0, 4]]
const BYTE: Layout = [[0, 1]]

/** Finds the fields of an object. One that cannot be read (such as a big-endian one) has those of its header. */
export function seedObject(bytes: Buffer): SeedObject {
  const header = records(0, 64, 64, EHDR)
  let sections: readonly Section[]
  try {
    ;({ sections } = readElf(bytes))
  } catch {
    return { bytes, fields: [header] }
  }
  const table = Number(bytes.readBigUInt64LE(40)) // e_shoff
  const fields = [header, records(table, sections.length * 64, 64, SHDR)]
  for (const section of sections) {
    const { data } = section
    const at = data.bytes.byteOffset - bytes.byteOffset
    const size = data.bytes.length
    if (section.type === SHT.symtab) fields.push(records(at, size, 24, SYM))
    else if (section.type === SHT.rel) fields.push(records(at, size, 16, REL))
    else if (section.type === SHT.strtab) fields.push(records(at, size, 1, BYTE))
    else if (isExecutable(section)) fields.push(records(at, size, 8, INSTRUCTION))
    else if (section.name === '.BTF' || section.name === '.BTF.ext')
      fields.push(
        records(at, 24, 24, BTF_HEADER),
        records(at + 24, size - 24, 4, WORD),
        records(at, size, 1, BYTE),
      )
    else if (section.name === 'license' || section.name === '.maps') fields.push(records(at, size, 1, BYTE))
  }
  return { bytes, fields: fields.filter((list) => list.length > 0) }
}

function records(start: number, size: number, each: number, layout: Layout): Field[] {
  const count = Math.floor(size / each)
  return Array.from({ length: count }, (_, index) =>
    layout.map(([offset, width]) => ({ offset: start + index * each + offset, width })),
  ).flat()
}
