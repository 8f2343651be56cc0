import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CALL_KIND, encode, HELPER_TAIL_CALL, loadMapFd, OP } from '../bytecode/instruction.ts'
import type { Answer } from '../domain/host-check.ts'
import { attr } from './bpf-attr.ts'
import { PROG_FLAG_FRAGS, testRun } from './bpf-program.ts'
import type { Fd } from './fd.ts'
import { bpf, KernelError } from './libc.ts'
import { membarrier, withoutLockedMemory } from './probe-calls.ts'
import { findKernelType } from './probe-libbpf.ts'
import {
  CALLBACK_TYPE,
  loadFunction,
  loadFunctionTypes,
  loadQuestion,
  MAIN_TYPE,
  MAP_TYPE_ARRAY,
  MAP_TYPE_PROGRAMS,
  makeMap,
  setOnlyEntry,
  verdictProgram,
} from './probe-program.ts'

/** XDP_DROP and XDP_PASS, linux/bpf.h; what a probe's program gives shows which way it went. */
const [DROP, PASS] = [1, 2] as const
const JIT_SETTING = '/proc/sys/net/core/bpf_jit_enable'

/** Loads an XDP program of two instructions. Throws KernelError. */
export function probeXdpLoad(): Answer {
  using program = loadQuestion(verdictProgram(PASS))
  return runsTo(program, PASS, 'loaded and run')
}

/** Loads a program that says it can do with packets in several buffers. Throws KernelError. */
export function probeFrags(): Answer {
  loadQuestion(verdictProgram(PASS), { flags: PROG_FLAG_FRAGS }).close()
  return { result: 'ok', detail: 'loaded with BPF_F_XDP_HAS_FRAGS' }
}

/** Runs a program over a jump of opcode 0x06, its offset in the immediate. Throws KernelError. */
export function probeLongJumps(): Answer {
  const code = Buffer.concat([
    encode(OP.MOV64_K, 0, 0, 0, PASS),
    encode(OP.JEQ_K, 0, 0, 1, 0),
    encode(OP.JA32, 0, 0, 0, 1),
    encode(OP.MOV64_K, 0, 0, 0, DROP), // jumped over
    encode(OP.EXIT, 0, 0, 0, 0),
  ])
  using program = loadQuestion(code)
  return runsTo(program, PASS, 'a gotol was taken')
}

/** Runs a program that calls a subprogram and then leaves by a tail call. Throws KernelError. */
export function probeMixedTailCalls(): Answer {
  using map = makeMap(MAP_TYPE_PROGRAMS)
  const code = Buffer.concat([
    encode(OP.MOV64_X, 6, 1, 0, 0),
    encode(OP.CALL, 0, CALL_KIND.SUBPROGRAM, 0, 7),
    encode(OP.MOV64_X, 1, 6, 0, 0),
    loadMapFd(2, map.number),
    encode(OP.MOV64_K, 3, 0, 0, 0),
    encode(OP.CALL, 0, CALL_KIND.HELPER, 0, HELPER_TAIL_CALL),
    verdictProgram(DROP), // the tail call did not happen
    verdictProgram(0),
  ])
  using program = loadQuestion(code)
  using target = loadQuestion(verdictProgram(PASS))
  setOnlyEntry(map, target.number)
  return runsTo(program, PASS, 'a call and a tail call were made')
}

/** Runs a program that loops three times by bpf_loop. Throws KernelError. */
export function probeBpfLoop(): Answer {
  const [HELPER_LOOP, TIMES] = [181, 3]
  const code = Buffer.concat([
    encode(OP.MOV64_K, 1, 0, 0, TIMES),
    loadFunction(2, 5),
    encode(OP.MOV64_K, 3, 0, 0, 0),
    encode(OP.MOV64_K, 4, 0, 0, 0),
    encode(OP.CALL, 0, CALL_KIND.HELPER, 0, HELPER_LOOP),
    encode(OP.EXIT, 0, 0, 0, 0),
    verdictProgram(0),
  ])
  using btf = loadFunctionTypes()
  const functions = [[0, MAIN_TYPE] as const, [7, CALLBACK_TYPE] as const]
  using program = loadQuestion(code, { btf: { fd: btf, functions } })
  return runsTo(program, TIMES, 'a callback was called')
}

/** Runs a program that calls the kernel function bpf_rdonly_cast, found by its id in the kernel's BTF. Throws KernelError. */
export function probeKfuncs(): Answer {
  const [NAME, STRUCT_KIND, FUNC_KIND] = ['bpf_rdonly_cast', 4, 12]
  const id = findKernelType(NAME, FUNC_KIND)
  const target = findKernelType('sk_buff', STRUCT_KIND)
  if (id === undefined || target === undefined)
    return { result: 'missing', detail: `the kernel’s BTF has no ${NAME}` }
  const code = Buffer.concat([
    encode(OP.MOV64_K, 2, 0, 0, target),
    encode(OP.CALL, 0, CALL_KIND.KFUNC, 0, id),
    verdictProgram(PASS),
  ])
  using program = loadQuestion(code)
  return runsTo(program, PASS, `${NAME} was called`)
}

/** Whether programs become machine code: the setting, and the bytes of it that a loaded program has. Throws KernelError. */
export function probeJit(): Answer {
  using program = loadQuestion(verdictProgram(PASS))
  const info = programFacts(program)
  const detail = `net.core.bpf_jit_enable ${jitSetting()}, ${info.machineBytes} bytes for 2 instructions`
  return { result: info.machineBytes > 0 ? 'ok' : 'limited', detail }
}

function jitSetting(): string {
  try {
    return readFileSync(JIT_SETTING, 'utf8').trim()
  } catch {
    return 'cannot be read'
  }
}

/** struct bpf_prog_info, linux/bpf.h: tag at 8, jited_prog_len at 16. */
function programFacts(program: Fd): { tag: string; machineBytes: number } {
  const BPF_OBJ_GET_INFO_BY_FD = 15
  const info = Buffer.alloc(64)
  const request = attr(16, [
    [0, 'u32', program.number],
    [4, 'u32', info.length],
    [8, 'pointer', info],
  ])
  const result = bpf(BPF_OBJ_GET_INFO_BY_FD, request)
  if (result < 0) throw new KernelError('read a program’s information', -result)
  return { tag: info.toString('hex', 8, 16), machineBytes: info.readUInt32LE(16) }
}

/**
 * Which digest the kernel makes a program's tag of: the first 8 bytes of SHA-256 or SHA-1 over the instructions as they
 * were given, with map descriptors as zero (bpf_prog_calc_tag, kernel/bpf/core.c). Throws KernelError.
 */
export function probeProgramTag(): Answer {
  using map = makeMap(MAP_TYPE_ARRAY)
  const code = (fd: number): Buffer => Buffer.concat([loadMapFd(1, fd), verdictProgram(PASS)])
  using program = loadQuestion(code(map.number))
  const { tag } = programFacts(program)
  const TAG_DIGITS = 16
  for (const digest of ['sha256', 'sha1'])
    if (createHash(digest).update(code(0)).digest('hex').startsWith(tag) && tag.length === TAG_DIGITS)
      return { result: 'ok', detail: `${digest} of the instructions, map descriptors as zero` }
  return { result: 'limited', detail: `${tag} is neither SHA-256 nor SHA-1 of the instructions` }
}

/** Whether a map can be made with no memory allowed to be locked: then a cgroup pays for it. Throws KernelError. */
export function probeMemory(): Answer {
  const EPERM = 1
  makeMap(MAP_TYPE_ARRAY).close()
  try {
    withoutLockedMemory(() => makeMap(MAP_TYPE_ARRAY)).close()
    return { result: 'ok', detail: 'a map was made with RLIMIT_MEMLOCK 0' }
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== EPERM) throw error
    return { result: 'limited', detail: 'maps count towards RLIMIT_MEMLOCK' }
  }
}

/** Waits once until all processors went through a grace period (MEMBARRIER_CMD_GLOBAL, linux/membarrier.h). Throws KernelError. */
export function probeMembarrier(): Answer {
  const [QUERY, GLOBAL] = [0, 1]
  if ((membarrier(QUERY) & GLOBAL) === 0)
    return { result: 'missing', detail: 'MEMBARRIER_CMD_GLOBAL is not offered' }
  membarrier(GLOBAL)
  return { result: 'ok', detail: 'MEMBARRIER_CMD_GLOBAL waited' }
}

/** Runs a program on an empty packet, and says so when its verdict is the expected one. Throws KernelError. */
function runsTo(program: Fd, expected: number, detail: string): Answer {
  const SMALLEST_PACKET_BYTES = 64
  const { verdict } = testRun(program, Buffer.alloc(SMALLEST_PACKET_BYTES))
  return verdict === expected
    ? { result: 'ok', detail }
    : { result: 'missing', detail: `a test program gave ${verdict} instead of ${expected}` }
}
