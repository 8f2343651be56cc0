/**
 * BPF instructions as they lie in memory: 8-byte slots {code u8, dst:4 src:4, off s16, imm s32}, little-endian
 * (struct bpf_insn, linux/bpf.h; RFC 9669 section 3). A 64-bit immediate load takes two slots.
 */
export const SLOT_BYTES = 8

/** Opcodes that are looked for or emitted (RFC 9669 section 4 and 5). */
export const OP = {
  LD_IMM64: 0x18,
  LDX_DW: 0x79,
  STX_DW: 0x7b,
  ST_W: 0x62,
  ADD64_K: 0x07,
  ADD64_X: 0x0f,
  LSH64_K: 0x67,
  MOV64_K: 0xb7,
  MOV64_X: 0xbf,
  MOV32_K: 0xb4,
  MOV32_X: 0xbc,
  ADD32_K: 0x04,
  LSH32_X: 0x6c,
  XOR64_X: 0xaf,
  JA: 0x05,
  /** Unconditional jump with a 32-bit offset in imm (`gotol`, Linux 6.6). */
  JA32: 0x06,
  JEQ_K: 0x15,
  JNE_K: 0x55,
  JLE_K: 0xb5,
  JSET_K: 0x45,
  CALL: 0x85,
  EXIT: 0x95,
} as const

/** What the src field of a call says (BPF_PSEUDO_*, linux/bpf.h). */
export const CALL_KIND = { HELPER: 0, SUBPROGRAM: 1, KFUNC: 2 } as const

/** What the src field of a 64-bit immediate load says (BPF_PSEUDO_*, linux/bpf.h). */
export const IMM64_KIND = { VALUE: 0, MAP_FD: 1, MAP_VALUE: 2, BTF_ID: 3, FUNCTION: 4 } as const

/** Helper bpf_tail_call (BPF_FUNC_tail_call, linux/bpf.h). */
export const HELPER_TAIL_CALL = 12
/** Helper bpf_map_lookup_elem. */
export const HELPER_MAP_LOOKUP = 1

/** One slot, taken apart. */
export interface Instruction {
  readonly code: number
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
}

/** The instruction at slot `at` of `code`. */
export function decodeAt(code: Buffer, at: number): Instruction {
  const offset = at * SLOT_BYTES
  const registers = code.readUInt8(offset + 1)
  return {
    code: code.readUInt8(offset),
    dst: registers & 15,
    src: registers >> 4,
    off: code.readInt16LE(offset + 2),
    imm: code.readInt32LE(offset + 4),
  }
}

/** One slot from its fields. */
export function encode(code: number, dst: number, src: number, off: number, imm: number): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES)
  slot.writeUInt8(code, 0)
  slot.writeUInt8(dst | (src << 4), 1)
  slot.writeInt16LE(off, 2)
  slot.writeInt32LE(imm, 4)
  return slot
}

/** Loads the address of the map behind `fd` into a register (two slots). */
export const loadMapFd = (register: number, fd: number): Buffer =>
  Buffer.concat([encode(OP.LD_IMM64, register, IMM64_KIND.MAP_FD, 0, fd), encode(0, 0, 0, 0, 0)])
