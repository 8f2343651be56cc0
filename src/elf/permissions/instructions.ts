import { i32, u8, u16 } from '../byte-view.ts'
import type { ElfFunction, Operand } from '../functions.ts'

/** One slot of 8 bytes (struct bpf_insn, linux/bpf.h; RFC 9669 section 3). */
export interface Instruction {
  readonly code: number
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
  /** What it refers to, where the object says. */
  readonly operand: Operand | undefined
  /** Whether CO-RE writes its offset or immediate anew at load, as the kernel has its types. */
  readonly patched: boolean
}

/** Classes by the lower three bits of the code (RFC 9669 section 3.1). */
export const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, jmp32: 6, alu64: 7 } as const
/** Modes of loads and stores by the upper three bits (RFC 9669 section 5). */
export const MODE = { imm: 0x00, abs: 0x20, ind: 0x40, mem: 0x60, memsx: 0x80, atomic: 0xc0 } as const
/** Bytes by bits 3 and 4 of a load or store. */
export const sizeOf = ({ code }: Instruction): number => [4, 2, 1, 8][(code >> 3) & 3] ?? 8

/** The instructions of a function, read where they lie: an object may have a million. */
export interface Code {
  readonly slots: number
  readonly at: (slot: number) => Instruction
  /** Slots that are jumped to, 1 for each: where ways meet. */
  readonly met: Uint8Array
}

/** The instructions of a function; `patched` has the byte offsets in its section that CO-RE writes to. */
export function codeOf(of: ElfFunction, patched: ReadonlySet<number>): Code {
  const { data } = of.section
  const slots = of.size / 8
  const at = (slot: number): Instruction => {
    const offset = of.start + slot * 8
    const registers = u8(data, offset + 1)
    return {
      code: u8(data, offset),
      dst: registers & 15,
      src: registers >> 4,
      off: (u16(data, offset + 2) << 16) >> 16,
      imm: i32(data, offset + 4),
      operand: of.operands.get(offset),
      patched: patched.has(offset),
    }
  }
  const met = new Uint8Array(slots)
  for (let slot = 0; slot < slots; slot++) {
    const code = u8(data, of.start + slot * 8)
    const kind = code & 7
    if (kind !== CLASS.jmp && kind !== CLASS.jmp32) continue
    const { off, imm } = at(slot)
    // `gotol` has its distance in the immediate; a call or exit marks a slot too many, which does no harm
    for (const target of [slot + 1 + off, slot + 1 + imm]) if (target >= 0 && target < slots) met[target] = 1
  }
  return { slots, at, met }
}
