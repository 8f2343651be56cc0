import { LIMITS } from '../../domain/limits.ts'
import type { BpfObject } from '../bpf-object.ts'
import type { ElfFunction } from '../functions.ts'

/**
 * `file:line` of the source of an instruction, by .BTF.ext; undefined where that says nothing. It is the publisher's word: the
 * file's name may be any text, of which only printable ASCII is kept.
 */
export function sourceLine({ debug }: BpfObject, of: ElfFunction, slot: number): string | undefined {
  const lines = debug?.ext?.lines.get(of.section.name)
  if (debug === undefined || lines === undefined) return undefined
  const record = lastStartingBy(lines, of.start + slot * 8)
  const [at, file, line] = lines.subarray(record * 3, record * 3 + 3)
  if (at === undefined || file === undefined || line === undefined || at < of.start) return undefined
  const text = debug.btf.strings.bytes.subarray(file, file + LIMITS.elf_name_bytes)
  const end = text.indexOf(0)
  const name = text.toString('latin1', 0, end < 0 ? text.length : end).replace(/[^\x20-\x7e]/g, '?')
  return `${name}:${line}`
}

/** The last of the records, sorted by offset, that is at or before `offset`; -1 for none. */
function lastStartingBy(lines: Uint32Array, offset: number): number {
  let [low, high] = [0, lines.length / 3]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((lines[middle * 3] ?? 0) <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}
