import { DomainError } from '../domain/errors.ts'
import { CALL_KIND, decodeAt, HELPER_TAIL_CALL, IMM64_KIND, OP, SLOT_BYTES } from './instruction.ts'

/**
 * A loaded program's instructions with what chaining needs to know of them: the entry function lies first, in slots
 * `[0, mainSlots)`, its subprograms behind it.
 */
export interface Body {
  readonly code: Buffer
  readonly slots: number
  readonly mainSlots: number
  /** First slot of every function, ascending, 0 first. */
  readonly functions: readonly number[]
  /** Functions that each function calls or hands out as callbacks, as positions in {@link functions}. */
  readonly callees: readonly ReadonlySet<number>[]
  /** Slots that hold a map's id or file descriptor in imm (BPF_PSEUDO_MAP_FD and _MAP_VALUE). */
  readonly mapSlots: readonly number[]
  /** Calls of functions of the kernel's modules: the module by its index in a table that its loader made. */
  readonly moduleCalls: readonly { readonly slot: number; readonly index: number; readonly typeId: number }[]
  readonly traits: BodyTraits
}

/** What decides in which form a body can be part of a chain. */
export interface BodyTraits {
  /** Its entry function makes a tail call: inlined, a successful one would leave the chain. */
  readonly tailCallInMain: boolean
  readonly tailCallInSubprogram: boolean
  /** Its entry function loads packet data the old way (BPF_LD_ABS, _IND), which returns when the packet is too short. */
  readonly legacyLoadInMain: boolean
  readonly legacyLoadInSubprogram: boolean
  /** Hands functions to helpers: the kernel then wants to know the types of all functions. */
  readonly callbacks: boolean
  /** Its entry function may leave objects of the kernel (dynamic pointers) in its stack frame, which nothing may be laid over. */
  readonly keepsObjectsInMain: boolean
  /** May read `tstamp_type`; the kernel then gives the whole program another meaning of `tstamp`. */
  readonly readsTstampType: boolean
  /** May read or write `tstamp`. */
  readonly usesTstamp: boolean
}

/** BPF_LD | BPF_ABS and BPF_LD | BPF_IND, in three sizes. */
const LEGACY_LOADS = new Set([0x20, 0x28, 0x30, 0x40, 0x48, 0x50])
/** Helpers bpf_dynptr_from_mem and bpf_ringbuf_reserve_dynptr (enum bpf_func_id, linux/bpf.h). */
const OBJECT_MAKERS = new Set([197, 198])
/** Offsets in struct __sk_buff, linux/bpf.h; loads are told by size and offset alone, whatever the pointer is. */
const [TSTAMP, TSTAMP_TYPE] = [152, 180] as const
const [LDX_B, LDX_DW, ST_DW, STX_DW] = [0x71, 0x79, 0x7a, 0x7b] as const
const FRAME_POINTER = 10

/**
 * Reads relocated instructions, as libbpf hands them to the kernel. `name` is for messages. Throws
 * `chain_instruction` for what is no program that libbpf could have linked.
 */
export function readBody(code: Buffer, name: string): Body {
  if (code.length === 0 || code.length % SLOT_BYTES !== 0)
    throw new DomainError('chain_instruction', `${name}: ${code.length} bytes are no whole instructions`)
  const scan = scanCode(code, name)
  const functions = [...new Set([0, ...scan.references.map(({ target }) => target)])].sort((a, b) => a - b)
  const mainSlots = functions[1] ?? scan.slots
  const inMain = (slots: readonly number[]): boolean => slots.some((slot) => slot < mainSlots)
  return {
    code,
    slots: scan.slots,
    mainSlots,
    functions,
    callees: calleesOf(functions, scan.references),
    mapSlots: scan.mapSlots,
    moduleCalls: scan.moduleCalls,
    traits: {
      tailCallInMain: inMain(scan.tailCalls),
      tailCallInSubprogram: scan.tailCalls.some((slot) => slot >= mainSlots),
      legacyLoadInMain: inMain(scan.legacyLoads),
      legacyLoadInSubprogram: scan.legacyLoads.some((slot) => slot >= mainSlots),
      keepsObjectsInMain: inMain(scan.objectMakers),
      callbacks: scan.references.some(({ callback }) => callback),
      readsTstampType: scan.readsTstampType,
      usesTstamp: scan.usesTstamp,
    },
  }
}

/** A place that names a function: a call, or the load of its address. */
interface FunctionReference {
  readonly at: number
  readonly target: number
  readonly callback: boolean
}

function scanCode(code: Buffer, name: string) {
  const slots = code.length / SLOT_BYTES
  const found = {
    slots,
    references: [] as FunctionReference[],
    mapSlots: [] as number[],
    tailCalls: [] as number[],
    legacyLoads: [] as number[],
    moduleCalls: [] as { slot: number; index: number; typeId: number }[],
    objectMakers: [] as number[],
    readsTstampType: false,
    usesTstamp: false,
  }
  for (let at = 0; at < slots; at++) {
    const { code: op, src, dst, off, imm } = decodeAt(code, at)
    const refuse = (what: string): never => {
      throw new DomainError('chain_instruction', `${name}: instruction ${at} ${what}`)
    }
    const refer = (callback: boolean): void => {
      const target = at + 1 + imm
      if (target <= 0 || target >= slots) refuse('names a function outside of the program')
      found.references.push({ at, target, callback })
    }
    if (op === OP.CALL) {
      if (src === CALL_KIND.SUBPROGRAM) refer(false)
      else if (src === CALL_KIND.KFUNC) {
        if (off !== 0) found.moduleCalls.push({ slot: at, index: off, typeId: imm })
        found.objectMakers.push(at) // which function it is, only the kernel's BTF tells
      } else if (src !== CALL_KIND.HELPER) refuse('makes a call of an unknown kind')
      else if (imm === HELPER_TAIL_CALL) found.tailCalls.push(at)
      else if (OBJECT_MAKERS.has(imm)) found.objectMakers.push(at)
    } else if (op === OP.LD_IMM64) {
      if (at + 1 >= slots) refuse('is cut off')
      if (src === IMM64_KIND.FUNCTION) refer(true)
      else if (src === IMM64_KIND.MAP_FD || src === IMM64_KIND.MAP_VALUE) found.mapSlots.push(at)
      else if (src > IMM64_KIND.BTF_ID) refuse('loads an address of an unknown kind')
      at++ // the second slot holds the upper half
    } else if (LEGACY_LOADS.has(op)) found.legacyLoads.push(at)
    else if (op === LDX_B && off === TSTAMP_TYPE && src !== FRAME_POINTER) found.readsTstampType = true
    else if (
      (op === LDX_DW && off === TSTAMP && src !== FRAME_POINTER) ||
      ((op === ST_DW || op === STX_DW) && off === TSTAMP && dst !== FRAME_POINTER)
    )
      found.usesTstamp = true
  }
  return found
}

/** The callees of each function, by position. */
function calleesOf(
  functions: readonly number[],
  references: readonly FunctionReference[],
): ReadonlySet<number>[] {
  const callees = functions.map(() => new Set<number>())
  for (const { at, target } of references)
    callees[functions.findLastIndex((start) => start <= at)]?.add(functions.indexOf(target))
  return callees
}

/** The maps that the body uses, as its instructions name them, each once. */
export const mapsOf = (body: Body): number[] => [
  ...new Set(body.mapSlots.map((slot) => decodeAt(body.code, slot).imm)),
]

/** The code with every map renamed, such as from the kernel's ids to a process's file descriptors. */
export function renameMaps(code: Buffer, rename: (map: number) => number): Buffer {
  const renamed = Buffer.from(code)
  for (let at = 0; at < code.length / SLOT_BYTES; at++) {
    const { code: op, src, imm } = decodeAt(code, at)
    if (op !== OP.LD_IMM64) continue
    if (src === IMM64_KIND.MAP_FD || src === IMM64_KIND.MAP_VALUE)
      renamed.writeInt32LE(rename(imm), at * SLOT_BYTES + 4)
    at++
  }
  return renamed
}

/** Frames are rounded up to this by kernels before 6.8 (check_max_stack_depth); later ones round less. */
const FRAME_ROUNDING_BYTES = 32

/** Bytes that a frame takes of the stack that nested calls share. */
export const frameBytes = (stackBytes: number): number =>
  Math.ceil(Math.max(stackBytes, 1) / FRAME_ROUNDING_BYTES) * FRAME_ROUNDING_BYTES

/**
 * Bytes of stack of the deepest chain of calls below the entry function. `stackBytes` has each function's own; where the
 * kernel told fewer, as after it removed dead functions, the largest stands for all.
 */
export function bytesBelowMain(body: Body, stackBytes: readonly number[]): number {
  const known = stackBytes.length === body.functions.length
  const largest = Math.max(0, ...stackBytes)
  const deepest = new Map<number, number>()
  const below = (position: number): number => {
    const before = deepest.get(position)
    if (before !== undefined) return before
    deepest.set(position, 0) // recursion, which the kernel refuses anyway
    let most = 0
    for (const callee of body.callees[position] ?? [])
      most = Math.max(most, frameBytes(known ? (stackBytes[callee] ?? largest) : largest) + below(callee))
    deepest.set(position, most)
    return most
  }
  return below(0)
}
