import { decodeAt, IMM64_KIND, OP, SLOT_BYTES } from './instruction.ts'

/**
 * Instructions as a kernel gives them back after its verifier changed them (`xlated_prog_insns` of struct bpf_prog_info), in
 * a shape that is the same for two loads of the same program on the same kernel: a map is named by its place in `maps`, the
 * ids of the program's maps, and keeps the offset into its value. Which functions are called counts as 0, as do 64-bit
 * immediates, in which the kernel puts addresses of its own (bpf_insn_prepare_dump, kernel/bpf/syscall.c): those of the
 * program itself are in its tag.
 */
export function comparableCode(code: Buffer, maps: readonly number[]): Buffer {
  const shaped = Buffer.from(code)
  const set = (slot: number, imm: number): void => void shaped.writeInt32LE(imm, slot * SLOT_BYTES + 4)
  for (let at = 0; at < code.length / SLOT_BYTES; at++) {
    const { code: op, src, imm } = decodeAt(code, at)
    if (op === OP.CALL) set(at, 0)
    if (op !== OP.LD_IMM64) continue
    if (src === IMM64_KIND.MAP_FD || src === IMM64_KIND.MAP_VALUE) set(at, maps.indexOf(imm))
    else if (src !== IMM64_KIND.FUNCTION) for (const slot of [at, at + 1]) set(slot, 0)
    at++
  }
  return shaped
}
