import { encode, IMM64_KIND, OP } from '../../src/bytecode/instruction.ts'
import type { Hook } from '../../src/domain/hook.ts'
import { attr } from '../../src/kernel/bpf-attr.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { lookupElement } from '../../src/kernel/bpf-map.ts'
import { loadProgram } from '../../src/kernel/bpf-program.ts'
import { Fd } from '../../src/kernel/fd.ts'
import { bpf, KernelError } from '../../src/kernel/libc.ts'
import { callHelper, exit, load64, program, verdict } from '../bytecode/assembler.ts'

/** BPF_MAP_CREATE and BPF_MAP_TYPE_ARRAY, linux/bpf.h. */
const [BPF_MAP_CREATE, ARRAY] = [0, 2] as const
/** BPF_STX | BPF_ATOMIC | BPF_DW with imm BPF_ADD (RFC 9669 section 5.3). */
const ATOMIC_DW = 0xdb
/** Fewest bytes of a frame that is counted: multicast listener discovery and the like need fewer. */
export const COUNTED_BYTES = 512
/** BPF_LDX | BPF_MEM | BPF_W; BPF_ALU64 | BPF_SUB | BPF_X; BPF_JMP | BPF_JLT | BPF_K. */
const [LDX_W, SUB64_X, JLT_K] = [0x61, 0x1f, 0xa5] as const
/** Slots of the counting itself: the load of the counter's address takes two. */
const COUNT_SLOTS = 4
/** Helper bpf_redirect, of XDP and of TC. */
const BPF_FUNC_redirect = 23

/** A loaded program that counts packets. */
export interface CountingProgram extends Disposable {
  readonly fd: Fd
  readonly id: number
  /** Packets so far. */
  count(): number
}

/** Loads a program that counts the packets of {@link COUNTED_BYTES} and more, and returns a verdict or sends each to an interface. */
export function countingProgram(hook: Hook, then: number | { readonly redirect: number }): CountingProgram {
  const result = bpf(
    BPF_MAP_CREATE,
    attr(72, [
      [0, 'u32', ARRAY],
      [4, 'u32', 4],
      [8, 'u32', 8],
      [12, 'u32', 1],
    ]),
  )
  if (result < 0) throw new KernelError('create a counter', -result)
  const map = new Fd(result)
  const code = program(
    lengthIntoR2(hook),
    encode(JLT_K, 2, 0, COUNT_SLOTS, COUNTED_BYTES),
    load64(IMM64_KIND.MAP_VALUE, map.number),
    encode(OP.MOV64_K, 2, 0, 0, 1),
    encode(ATOMIC_DW, 1, 2, 0, 0),
    typeof then === 'number' ? verdict(then) : redirectTo(then.redirect),
  )
  const fd = loadProgram({ hook, name: 'count', code, license: 'GPL', flags: 0 })
  return {
    fd,
    id: programInfo(fd).id,
    count: () => Number(lookupElement(map, Buffer.alloc(4), 8)?.readBigUInt64LE(0) ?? -1n),
    [Symbol.dispose]: () => {
      fd.close()
      map.close()
    },
  }
}

/** struct __sk_buff: len at 0. struct xdp_md: data at 0, data_end at 4. */
const lengthIntoR2 = (hook: Hook): Buffer =>
  hook === 'xdp'
    ? program(encode(LDX_W, 2, 1, 4, 0), encode(LDX_W, 3, 1, 0, 0), encode(SUB64_X, 2, 3, 0, 0))
    : encode(LDX_W, 2, 1, 0, 0)

const redirectTo = (ifindex: number): Buffer =>
  program(
    encode(OP.MOV64_K, 1, 0, 0, ifindex),
    encode(OP.MOV64_K, 2, 0, 0, 0),
    callHelper(BPF_FUNC_redirect),
    exit(),
  )
