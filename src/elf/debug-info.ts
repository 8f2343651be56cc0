import { type BtfExt, readBtfExt } from './btf-ext.ts'
import { layoutWriter } from './btf-layout.ts'
import type { TypeReader } from './btf-maps.ts'
import { type Btf, type BtfType, dataSections, readBtf } from './btf-types.ts'
import { type ElfFile, findSection } from './elf-file.ts'
import { typeLayouts } from './type-layout.ts'

/** BTF of an object, with what is asked of it again and again. */
export interface DebugInfo extends TypeReader {
  readonly btf: Btf
  readonly raw: Buffer
  readonly sections: ReadonlyMap<string, BtfType>
  readonly ext: BtfExt | undefined
}

/** Reads .BTF and .BTF.ext; undefined for an object without BTF. Throws `btf_malformed` or `elf_too_many`. */
export function readDebugInfo(file: ElfFile): DebugInfo | undefined {
  const section = findSection(file, '.BTF')
  const extension = findSection(file, '.BTF.ext')
  if (section === undefined) return undefined
  const btf = readBtf(section.data.bytes)
  return {
    btf,
    raw: section.data.bytes,
    sections: dataSections(btf),
    layoutOf: layoutWriter(btf),
    shapeOf: typeLayouts(btf),
    ext: extension && readBtfExt(extension.data.bytes, btf),
  }
}
