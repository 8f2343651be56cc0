import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Body } from './body.ts'
import { CALL_KIND, decodeAt, encode, HELPER_MAP_LOOKUP, loadMapFd, OP, SLOT_BYTES } from './instruction.ts'

/** Registers by number; r10 is the read-only frame pointer. */
const [R0, R1, R2, R3, R10] = [0, 1, 2, 3, 10] as const

/** Counter slots of an entry: 8 of 8 bytes, so that an entry's block starts at `position * 64`. */
const COUNTER_BYTES = 8
export const COUNTER_SLOTS = 8
export const ENTRY_COUNTER_BYTES = COUNTER_BYTES * COUNTER_SLOTS
/** XDP verdicts are 0 to 4 (enum xdp_action); anything above is counted in the slot behind them. */
const LAST_VERDICT = 4
const OTHER_SLOT = 5
const XDP_ABORTED = 0

/** An entry to fuse. */
export interface FuseEntry {
  readonly body: Body
  /** Bytes of stack of the entry function, as the kernel's verifier counts them. */
  readonly stackBytes: number
  /** Bit `v` set: the chain goes on after verdict `v`. */
  readonly proceedMask: number
}

/** One program made of several. */
export interface FusedProgram {
  readonly code: Buffer
  /** First slot of every function, ascending. */
  readonly functions: readonly number[]
  /** Bytes of stack of its main function. */
  readonly stackBytes: number
}

/**
 * Lays unmodified programs one behind the other in one main function. The context is kept in a stack slot and given
 * to each body anew; each `exit` becomes a jump to the body's end, where the verdict is counted and either the next
 * body begins or the program exits. Subprograms are appended and calls re-targeted. Bodies share the stack frame,
 * since they run one after the other. Pure and deterministic.
 *
 * `countersFd` is a per-cpu array of one value with {@link ENTRY_COUNTER_BYTES} per entry.
 * Throws `chain_too_long`, `chain_stack`, `chain_subprograms`.
 */
export function fuse(entries: readonly FuseEntry[], countersFd: number): FusedProgram {
  requireChainLength(entries.length)
  const deepest = Math.max(...entries.map((entry) => Math.ceil(entry.stackBytes / 8) * 8))
  const contextAt = -(deepest + 8)
  const countersAt = -(deepest + 16)
  const stackBytes = deepest + 16
  if (stackBytes > LIMITS.bpf_stack_bytes)
    throw new DomainError(
      'chain_stack',
      `the deepest entry uses ${deepest} bytes of stack and the chain 16 more: ${stackBytes} of ${LIMITS.bpf_stack_bytes}`,
    )
  const functionCount = 1 + entries.reduce((sum, entry) => sum + entry.body.functions.length - 1, 0)
  if (functionCount > LIMITS.bpf_subprograms)
    throw new DomainError(
      'chain_subprograms',
      `${functionCount} functions, of ${LIMITS.bpf_subprograms} possible`,
    )

  const main: Buffer[] = [prologue(countersFd, contextAt, countersAt)]
  let slot = slotsOf(main)
  const mainAt: number[] = []
  for (const [position, entry] of entries.entries()) {
    const reload = encode(OP.LDX_DW, R1, R10, contextAt, 0)
    mainAt.push(slot + 1)
    const last = position === entries.length - 1
    const part = [
      reload,
      bodyWithoutExits(entry.body),
      epilogue(position, entry.proceedMask, last, countersAt),
    ]
    main.push(...part)
    slot += slotsOf(part)
  }
  const tails = entries.map((entry) => entry.body.code.subarray(entry.body.mainSlots * SLOT_BYTES))
  const code = Buffer.concat([...main, ...tails])
  const functions = [0]
  let tailAt = slot
  for (const [position, { body }] of entries.entries()) {
    retargetCalls(code, body, mainAt[position] ?? 0, tailAt)
    for (const start of body.functions) if (start > 0) functions.push(tailAt + start - body.mainSlots)
    tailAt += body.slots - body.mainSlots
  }
  return { code, functions, stackBytes }
}

/** Refuses a chain of no entries or of too many; worth asking before any is loaded. Throws `chain_too_long`. */
export function requireChainLength(entries: number): void {
  if (entries === 0 || entries > LIMITS.chain_entries)
    throw new DomainError(
      'chain_too_long',
      `a chain has 1 to ${LIMITS.chain_entries} entries, not ${entries}`,
    )
}

const slotsOf = (parts: readonly Buffer[]): number =>
  parts.reduce((sum, part) => sum + part.length, 0) / SLOT_BYTES

/** Keeps the context and finds this cpu's counters once. The lookup of key 0 cannot fail; if it did, nothing passes. */
function prologue(countersFd: number, contextAt: number, countersAt: number): Buffer {
  return Buffer.concat([
    encode(OP.STX_DW, R10, R1, contextAt, 0),
    encode(OP.ST_W, R10, 0, countersAt, 0),
    encode(OP.MOV64_X, R2, R10, 0, 0),
    encode(OP.ADD64_K, R2, 0, 0, countersAt),
    loadMapFd(R1, countersFd),
    encode(OP.CALL, 0, CALL_KIND.HELPER, 0, HELPER_MAP_LOOKUP),
    encode(OP.JNE_K, R0, 0, 2, 0),
    encode(OP.MOV64_K, R0, 0, 0, XDP_ABORTED),
    encode(OP.EXIT, 0, 0, 0, 0),
    encode(OP.STX_DW, R10, R0, countersAt, 0),
  ])
}

/** The entry function with every exit turned into a jump to its end; no other instruction moves. */
function bodyWithoutExits(body: Body): Buffer {
  const code = Buffer.from(body.code.subarray(0, body.mainSlots * SLOT_BYTES))
  for (let at = 0; at < body.mainSlots; at++) {
    const { code: op } = decodeAt(code, at)
    if (op === OP.LD_IMM64) at++
    else if (op === OP.EXIT) {
      const distance = body.mainSlots - (at + 1)
      const jump = distance <= 32_767 ? encode(OP.JA, 0, 0, distance, 0) : encode(OP.JA32, 0, 0, 0, distance)
      jump.copy(code, at * SLOT_BYTES)
    }
  }
  return code
}

/** Counts the verdict in r0, then exits, or falls through to the next body if the verdict is one to proceed on. */
function epilogue(position: number, proceedMask: number, last: boolean, countersAt: number): Buffer {
  const counter = position * ENTRY_COUNTER_BYTES
  const count = [
    encode(OP.MOV32_X, R2, R0, 0, 0), // a verdict is 32 bits wide
    encode(OP.JLE_K, R2, 0, 1, LAST_VERDICT),
    encode(OP.MOV64_K, R2, 0, 0, OTHER_SLOT),
    encode(OP.MOV64_X, R3, R2, 0, 0),
    encode(OP.LSH64_K, R3, 0, 0, Math.log2(COUNTER_BYTES)),
    encode(OP.LDX_DW, R1, R10, countersAt, 0),
    encode(OP.ADD64_X, R1, R3, 0, 0),
    encode(OP.LDX_DW, R3, R1, counter, 0),
    encode(OP.ADD64_K, R3, 0, 0, 1),
    encode(OP.STX_DW, R1, R3, counter, 0),
  ]
  if (last) return Buffer.concat([...count, encode(OP.EXIT, 0, 0, 0, 0)])
  const single = [0, 1, 2, 3, 4].find((verdict) => proceedMask === 1 << verdict)
  const decide =
    single !== undefined
      ? [encode(OP.JEQ_K, R2, 0, 1, single)]
      : [
          // also for an empty mask: the bodies behind must stay reachable in the control flow, or the verifier refuses
          encode(OP.MOV32_K, R1, 0, 0, 1),
          encode(OP.LSH32_X, R1, R2, 0, 0),
          encode(OP.JSET_K, R1, 0, 1, proceedMask),
        ]
  return Buffer.concat([...count, ...decide, encode(OP.EXIT, 0, 0, 0, 0)])
}

/** Points the entry function's calls at where its subprograms now lie; those among subprograms keep their distance. */
function retargetCalls(code: Buffer, body: Body, mainAt: number, tailAt: number): void {
  for (let at = 0; at < body.mainSlots; at++) {
    const instruction = decodeAt(body.code, at)
    if (instruction.code === OP.LD_IMM64) at++
    else if (instruction.code === OP.CALL && instruction.src === CALL_KIND.SUBPROGRAM) {
      const target = at + 1 + instruction.imm - body.mainSlots + tailAt
      code.writeInt32LE(target - (mainAt + at) - 1, (mainAt + at) * SLOT_BYTES + 4)
    }
  }
}
