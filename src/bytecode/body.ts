import { DomainError } from '../domain/errors.ts'
import { CALL_KIND, decodeAt, HELPER_TAIL_CALL, IMM64_KIND, OP, SLOT_BYTES } from './instruction.ts'

/**
 * A loaded program's instructions with what fusing needs to know of them: the entry function lies first, in slots
 * `[0, mainSlots)`, its static subprograms behind it.
 */
export interface Body {
  readonly code: Buffer
  readonly slots: number
  readonly mainSlots: number
  /** First slot of every function, ascending, 0 first. */
  readonly functions: readonly number[]
  /** Slots that hold a map's file descriptor in imm (BPF_PSEUDO_MAP_FD and _MAP_VALUE). */
  readonly mapSlots: readonly number[]
}

const LEGACY_PACKET_ACCESS = new Set([0x20, 0x28, 0x30, 0x40, 0x48, 0x50])

/**
 * Reads relocated instructions, as libbpf hands them to the kernel. `name` is for messages. Throws `chain_callback`,
 * `chain_kfunc`, `chain_tail_call` or `chain_instruction` for what a fused chain cannot hold.
 */
export function readBody(code: Buffer, name: string): Body {
  if (code.length === 0 || code.length % SLOT_BYTES !== 0)
    throw new DomainError('chain_instruction', `${name}: ${code.length} bytes are no whole instructions`)
  const slots = code.length / SLOT_BYTES
  const functions = new Set([0])
  const mapSlots: number[] = []
  for (let at = 0; at < slots; at++) {
    const instruction = decodeAt(code, at)
    const refuse = (
      errorCode: 'chain_callback' | 'chain_kfunc' | 'chain_tail_call' | 'chain_instruction',
      what: string,
    ): never => {
      throw new DomainError(errorCode, `${name}: instruction ${at} ${what}`)
    }
    if (instruction.code === OP.CALL) {
      if (instruction.src === CALL_KIND.SUBPROGRAM) {
        const target = at + 1 + instruction.imm
        if (target <= 0 || target >= slots) refuse('chain_instruction', 'calls outside the program')
        functions.add(target)
      } else if (instruction.src === CALL_KIND.KFUNC) refuse('chain_kfunc', 'calls a kernel function')
      else if (instruction.src !== CALL_KIND.HELPER)
        refuse('chain_instruction', 'makes a call of an unknown kind')
      else if (instruction.imm === HELPER_TAIL_CALL) refuse('chain_tail_call', 'makes a tail call')
    } else if (instruction.code === OP.LD_IMM64) {
      if (at + 1 >= slots) refuse('chain_instruction', 'is cut off')
      if (instruction.src === IMM64_KIND.FUNCTION) refuse('chain_callback', 'takes the address of a function')
      if (instruction.src === IMM64_KIND.MAP_FD || instruction.src === IMM64_KIND.MAP_VALUE) mapSlots.push(at)
      else if (instruction.src > IMM64_KIND.BTF_ID)
        refuse('chain_instruction', 'loads an address of an unknown kind')
      at++ // the second slot holds the upper half
    } else if (LEGACY_PACKET_ACCESS.has(instruction.code))
      // BPF_LD|BPF_ABS and BPF_LD|BPF_IND leave the whole program when the packet is too short
      refuse('chain_instruction', 'is a legacy packet access, which may leave the chain')
  }
  const starts = [...functions].sort((a, b) => a - b)
  return { code, slots, mainSlots: starts[1] ?? slots, functions: starts, mapSlots }
}

/** The file descriptors of maps that the body uses, each once. */
export const mapFdsOf = (body: Body): number[] => [
  ...new Set(body.mapSlots.map((slot) => decodeAt(body.code, slot).imm)),
]
