import { encode, IMM64_KIND, OP } from '../bytecode/instruction.ts'
import { attr, cString, textOf } from './bpf-attr.ts'
import { ATTACH_TYPE_XDP, PROG_TYPE_XDP } from './bpf-program.ts'
import { Fd } from './fd.ts'
import { bpf, KernelError } from './libc.ts'
import { usefulLines } from './verifier-log.ts'

/** enum bpf_cmd, linux/bpf.h. */
const [BPF_MAP_CREATE, BPF_MAP_UPDATE_ELEM, BPF_PROG_LOAD, BPF_BTF_LOAD] = [0, 2, 5, 18] as const
/** BPF_PROG_TYPE_SCHED_CLS, linux/bpf.h. */
export const PROG_TYPE_TC = 3
/** BPF_MAP_TYPE_ARRAY and BPF_MAP_TYPE_PROG_ARRAY, linux/bpf.h. */
export const [MAP_TYPE_ARRAY, MAP_TYPE_PROGRAMS] = [2, 3] as const
const LOG_BYTES = 1 << 16

/** A function of a program: its first slot, and its type's id in the program's BTF (struct bpf_func_info). */
type FunctionInfo = readonly [slot: number, typeId: number]

/** A program that only asks whether the kernel takes it. An XDP program of no flags unless said otherwise. */
interface Question {
  readonly type?: number
  readonly flags?: number
  readonly btf?: { readonly fd: Fd; readonly functions: readonly FunctionInfo[] }
}

/** Loads a small program. Throws KernelError, its message with what the verifier said. */
export function loadQuestion(code: Buffer, { type = PROG_TYPE_XDP, flags = 0, btf }: Question = {}): Fd {
  const license = cString('GPL') // some helpers and all kernel functions ask for it
  const log = Buffer.alloc(LOG_BYTES)
  const functions = Buffer.from(Uint32Array.from(btf?.functions.flat() ?? []).buffer)
  const FUNCTION_INFO_BYTES = 8
  const request = attr(144, [
    [0, 'u32', type],
    [4, 'u32', code.length / 8],
    [8, 'pointer', code],
    [16, 'pointer', license],
    [24, 'u32', 1],
    [28, 'u32', log.length],
    [32, 'pointer', log],
    [44, 'u32', flags],
    [68, 'u32', type === PROG_TYPE_XDP ? ATTACH_TYPE_XDP : 0],
    ...(btf === undefined
      ? []
      : ([
          [72, 'u32', btf.fd.number],
          [76, 'u32', FUNCTION_INFO_BYTES],
          [80, 'pointer', functions],
          [88, 'u32', btf.functions.length],
        ] as const)),
  ])
  const result = bpf(BPF_PROG_LOAD, request)
  if (result >= 0) return new Fd(result)
  const said = usefulLines(textOf(log))
  throw new KernelError(said === '' ? 'load' : `load (${said})`, -result, textOf(log))
}

/** Makes a map of one entry with a key and a value of 4 bytes. Throws KernelError. */
export function makeMap(type: number): Fd {
  const result = bpf(
    BPF_MAP_CREATE,
    attr(16, [
      [0, 'u32', type],
      [4, 'u32', 4],
      [8, 'u32', 4],
      [12, 'u32', 1],
    ]),
  )
  if (result < 0) throw new KernelError('make a map', -result)
  return new Fd(result)
}

/** Writes the only entry of a map of {@link makeMap}. Throws KernelError. */
export function setOnlyEntry(map: Fd, value: number): void {
  const key = Buffer.alloc(4)
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  const result = bpf(
    BPF_MAP_UPDATE_ELEM,
    attr(32, [
      [0, 'u32', map.number],
      [8, 'pointer', key],
      [16, 'pointer', bytes],
    ]),
  )
  if (result < 0) throw new KernelError('write into a map', -result)
}

/** Ids of the two functions in the BTF of {@link loadFunctionTypes}. */
export const [MAIN_TYPE, CALLBACK_TYPE] = [3, 4] as const

/** Loads BTF that describes two functions, `int main()` and `static int callback()` (linux/btf.h). Throws KernelError. */
export function loadFunctionTypes(): Fd {
  const [INT, FUNC, FUNC_PROTO] = [1 << 24, 12 << 24, 13 << 24]
  const [STATIC, GLOBAL] = [0, 1]
  const SIGNED_32 = (1 << 24) | 32
  const strings = cString('\0int\0main\0callback')
  const types = Uint32Array.from([
    ...[1, INT, 4, SIGNED_32],
    ...[0, FUNC_PROTO, 1],
    ...[5, FUNC | GLOBAL, 2],
    ...[10, FUNC | STATIC, 2],
  ])
  const HEADER_BYTES = 24
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16LE(0xeb9f, 0)
  header.writeUInt8(1, 2)
  header.writeUInt32LE(HEADER_BYTES, 4)
  header.writeUInt32LE(types.byteLength, 12)
  header.writeUInt32LE(types.byteLength, 16)
  header.writeUInt32LE(strings.length, 20)
  const btf = Buffer.concat([header, Buffer.from(types.buffer), strings])
  const result = bpf(
    BPF_BTF_LOAD,
    attr(32, [
      [0, 'pointer', btf],
      [16, 'u32', btf.length],
    ]),
  )
  if (result < 0) throw new KernelError('load BTF', -result)
  return new Fd(result)
}

/** `r0 = verdict; exit`. */
export const verdictProgram = (verdict: number): Buffer =>
  Buffer.concat([encode(OP.MOV64_K, 0, 0, 0, verdict), encode(OP.EXIT, 0, 0, 0, 0)])

/** Loads the address of the function `distance` slots behind the load's first one into a register, less one (two slots). */
export const loadFunction = (register: number, distance: number): Buffer =>
  Buffer.concat([encode(OP.LD_IMM64, register, IMM64_KIND.FUNCTION, 0, distance), encode(0, 0, 0, 0, 0)])
