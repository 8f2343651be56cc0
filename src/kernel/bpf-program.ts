import { DomainError } from '../domain/errors.ts'
import type { Hook } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import { attr, cString, textOf } from './bpf-attr.ts'
import { Fd } from './fd.ts'
import { addressOf, bpf, KernelError } from './libc.ts'
import { btfById } from './module-types.ts'
import { usefulLines } from './verifier-log.ts'

/** enum bpf_cmd, linux/bpf.h. */
const [BPF_PROG_LOAD, BPF_PROG_TEST_RUN, BPF_PROG_GET_FD_BY_ID, BPF_BTF_LOAD] = [5, 10, 13, 18] as const
/** BPF_PROG_TYPE_XDP and the attach type BPF_XDP, linux/bpf.h. */
export const PROG_TYPE_XDP = 6
export const ATTACH_TYPE_XDP = 37
/** The types of programs by hook; BPF_PROG_TYPE_SCHED_CLS runs on TCX and clsact alike, and names no attach type. */
export const PROGRAM_TYPES = {
  xdp: { type: PROG_TYPE_XDP, attachType: ATTACH_TYPE_XDP },
  'tc-ingress': { type: 3, attachType: 0 },
  'tc-egress': { type: 3, attachType: 0 },
} as const satisfies Record<Hook, { type: number; attachType: number }>
/** BPF_F_XDP_HAS_FRAGS, linux/bpf.h. */
export const PROG_FLAG_FRAGS = 1 << 5
/** BPF_LOG_LEVEL1, kernel/bpf: the instructions walked. */
const LOG_WALK = 1
const NAME_BYTES = 16
const [ENOENT, EINTR, EAGAIN, ENOSPC] = [2, 4, 11, 28] as const
const TEST_RUN_TRIES = 10
/** As many as libbpf's bpf_prog_load makes. */
const LOAD_TRIES = 5
const SMALL_LOG_BYTES = 1 << 16

/** The types of a program's functions (struct bpf_func_info, linux/bpf.h): BTF, and a FUNC of it for each function. */
export interface FunctionTypes {
  readonly btf: Buffer
  /** Ascending by slot; every function of the program, the main one at slot 0. */
  readonly functions: readonly { readonly slot: number; readonly typeId: number }[]
}

/** What {@link loadProgram} takes: instructions with map descriptors patched in. */
export interface ProgramImage {
  readonly name: string
  readonly hook: Hook
  readonly code: Buffer
  readonly license: string
  /** BPF_F_XDP_HAS_FRAGS and the like. */
  readonly flags: number
  readonly types?: FunctionTypes | undefined
  /** Ids of the BTF of the modules whose functions it calls; a call names the first as 1. */
  readonly modules?: readonly number[] | undefined
}

/** Loads a program for a hook. Throws `verifier_refused` with the verifier's whole log, `chain_stack`, or KernelError. */
export function loadProgram(image: ProgramImage): Fd {
  const license = cString(image.license)
  const { type, attachType } = PROGRAM_TYPES[image.hook]
  using btf = image.types === undefined ? undefined : loadBtf(image.types.btf)
  const records = functionRecords(image.types)
  using open = new DisposableStack()
  const modules = (image.modules ?? []).map((id) => open.use(btfById(id)))
  const table = moduleTable(modules)
  const load = (log: Buffer | undefined): number => {
    const request = attr(144, [
      [0, 'u32', type],
      [4, 'u32', image.code.length / 8],
      [8, 'pointer', image.code],
      [16, 'pointer', license],
      [44, 'u32', image.flags],
      [68, 'u32', attachType],
    ])
    if (modules.length > 0) request.writeBigUInt64LE(addressOf(table), 120)
    if (btf !== undefined) {
      request.writeUInt32LE(btf.number, 72)
      request.writeUInt32LE(FUNCTION_RECORD_BYTES, 76)
      request.writeBigUInt64LE(addressOf(records), 80)
      request.writeUInt32LE(records.length / FUNCTION_RECORD_BYTES, 88)
    }
    request.write(image.name.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, NAME_BYTES - 1), 48)
    if (log !== undefined) {
      request.writeUInt32LE(LOG_WALK, 24)
      request.writeUInt32LE(log.length, 28)
      request.writeBigUInt64LE(addressOf(log), 32)
    }
    return bpf(BPF_PROG_LOAD, request)
  }
  let fd = load(undefined) // the log costs time and memory: only after a refusal
  // a signal that comes while the verifier walks cuts it short
  for (let tries = 1; fd === -EAGAIN && tries < LOAD_TRIES; tries++) fd = load(undefined)
  if (fd >= 0) return new Fd(fd)
  const { log, errno } = refusalLog(load)
  if (log === '') throw new KernelError(`load program ${image.name}`, errno)
  throw verifierError(image.name, log)
}

/** Loads an XDP program: {@link loadProgram}. */
export const loadXdpProgram = (image: Omit<ProgramImage, 'hook'>): Fd =>
  loadProgram({ ...image, hook: 'xdp' })

/** struct bpf_func_info {insn_off u32, type_id u32}, linux/bpf.h. */
const FUNCTION_RECORD_BYTES = 8

function functionRecords(types: FunctionTypes | undefined): Buffer {
  const functions = types?.functions ?? []
  const records = Buffer.alloc(functions.length * FUNCTION_RECORD_BYTES)
  for (const [at, { slot, typeId }] of functions.entries()) {
    records.writeUInt32LE(slot, at * FUNCTION_RECORD_BYTES)
    records.writeUInt32LE(typeId, at * FUNCTION_RECORD_BYTES + 4)
  }
  return records
}

/** The fd_array of a load: descriptors of 4 bytes, of which the first stands for the kernel itself. */
function moduleTable(modules: readonly Fd[]): Buffer {
  const table = Buffer.alloc(4 * (modules.length + 1))
  for (const [at, { number }] of modules.entries()) table.writeInt32LE(number, 4 * (at + 1))
  return table
}

/** Hands BTF to the kernel (BPF_BTF_LOAD). Throws KernelError with the kernel's log. */
function loadBtf(btf: Buffer): Fd {
  const load = (log: Buffer | undefined): number => {
    const request = attr(28, [
      [0, 'pointer', btf],
      [16, 'u32', btf.length],
    ])
    if (log !== undefined) {
      request.writeBigUInt64LE(addressOf(log), 8)
      request.writeUInt32LE(log.length, 20)
      request.writeUInt32LE(LOG_WALK, 24)
    }
    return bpf(BPF_BTF_LOAD, request)
  }
  const fd = load(undefined)
  if (fd >= 0) return new Fd(fd)
  const log = Buffer.alloc(SMALL_LOG_BYTES)
  const again = load(log)
  if (again >= 0) return new Fd(again)
  throw new KernelError('load the types of a program', -again, textOf(log))
}

/** Loads again for its log, with a buffer that grows while the kernel says that the log does not fit. */
function refusalLog(load: (log: Buffer) => number): { log: string; errno: number } {
  for (let bytes = SMALL_LOG_BYTES; ; bytes *= 4) {
    const log = Buffer.alloc(Math.min(bytes, LIMITS.verifier_log_bytes))
    let result = load(log)
    for (let tries = 1; result === -EAGAIN && tries < LOAD_TRIES; tries++) result = load(log)
    if (result === -EAGAIN) return { log: '', errno: EAGAIN } // half a walk says nothing of the program
    if (result >= 0) {
      new Fd(result).close()
      return { log: '', errno: EAGAIN } // it loads now: the first refusal was for lack of resources
    }
    if (result !== -ENOSPC || log.length === LIMITS.verifier_log_bytes)
      return { log: textOf(log), errno: -result }
  }
}

/** check_max_stack_depth, kernel/bpf/verifier.c: frames of one call chain, together or one alone, exceed the stack. */
const STACK_TOO_LARGE = /^(combined stack size of \d+ calls|stack size of subprog \d+) is \d+\. Too large/m

/** A refusal by the kernel's verifier: the message leads with the log's useful lines, the whole log is kept. */
export function verifierError(name: string, log: string): DomainError {
  if (STACK_TOO_LARGE.test(log))
    return new DomainError('chain_stack', `${name}: ${usefulLines(log)}`, { log })
  return new DomainError('verifier_refused', `${name}: ${usefulLines(log)}`, { log })
}

/** Opens a loaded program by its id. Throws KernelError. */
export function programById(id: number): Fd {
  const program = programIfThere(id)
  if (program === undefined) throw new KernelError(`open program ${id}`, ENOENT)
  return program
}

/** The same; undefined when it is gone. */
export function programIfThere(id: number): Fd | undefined {
  const result = bpf(BPF_PROG_GET_FD_BY_ID, attr(12, [[0, 'u32', id]]))
  if (result === -ENOENT) return undefined
  if (result < 0) throw new KernelError(`open program ${id}`, -result)
  return new Fd(result)
}

/** Result of one test run: the verdict (32 bits without a sign: TC_ACT_UNSPEC is 0xffffffff), the packet as the program left it, and nanoseconds a run. */
export interface TestRun {
  readonly verdict: number
  readonly packet: Buffer
  readonly ns: number
}

/** Runs a program on a packet, `repeat` times (BPF_PROG_TEST_RUN). Throws KernelError. */
export function testRun(program: Fd, packet: Buffer, repeat = 1): TestRun {
  const HEADROOM = 256 // XDP_PACKET_HEADROOM, linux/bpf.h: a program may grow the packet by this much
  const out = Buffer.alloc(packet.length + HEADROOM)
  const request = attr(80, [
    [0, 'u32', program.number],
    [8, 'u32', packet.length],
    [12, 'u32', out.length],
    [16, 'pointer', packet],
    [24, 'pointer', out],
    [32, 'u32', repeat],
  ])
  let result = bpf(BPF_PROG_TEST_RUN, request)
  // a signal ends a repeated run early; it is handled once the call is back, so the next try can finish
  for (let tries = 1; result === -EINTR && tries < TEST_RUN_TRIES; tries++)
    result = bpf(BPF_PROG_TEST_RUN, request)
  if (result < 0) throw new KernelError('test run', -result)
  return {
    verdict: request.readUInt32LE(4),
    packet: out.subarray(0, request.readUInt32LE(12)),
    ns: request.readUInt32LE(36),
  }
}
