import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Body } from './body.ts'
import {
  CALL_KIND,
  decodeAt,
  encode,
  HELPER_MAP_LOOKUP,
  HELPER_TAIL_CALL,
  IMM64_KIND,
  loadMapFd,
  OP,
  SLOT_BYTES,
} from './instruction.ts'
import { counterBytes, type VerdictRules } from './verdict-rules.ts'

/** Registers by number; r10 is the read-only frame pointer. */
const [R0, R1, R2, R3, R10] = [0, 1, 2, 3, 10] as const
/** What a group's main function keeps on the stack beside its bodies' frames: context and counters, 8 bytes each. */
export const GROUP_STACK_BYTES = 16
const MOST_JUMP = 32_767

/** An entry of a group. */
export interface GroupEntry {
  readonly body: Body
  /** Bytes of stack of the entry function, as the kernel's verifier counts them. */
  readonly stackBytes: number
  /** Called: it keeps a frame and an exit of its own. Inlined: its instructions lie in the group's main function. */
  readonly called: boolean
  /** Bit by slot: the chain goes on after these verdicts. */
  readonly proceedMask: number
  /** Verdict where the next group is unexpectedly absent. */
  readonly onMissing: 'pass' | 'drop'
  /** Ids of the BTF of the kernel's modules whose functions it calls, by the index that its calls name. */
  readonly modules: ReadonlyMap<number, number>
}

/** Where a group stands in its chain. Maps are named as in the bodies: by the kernel's id, or a file descriptor. */
export interface GroupPlace {
  readonly rules: VerdictRules
  /** Per-cpu array of one value with the counters of all entries of the chain. */
  readonly countersMap: number
  /** Position in the chain of the group's first entry. */
  readonly first: number
  /** Where the chain goes on: the program at `index` of a PROG_ARRAY; undefined for the last group. */
  readonly next: { readonly map: number; readonly index: number } | undefined
}

/** A function of a group: which body's it is, by position in the group, and which of that body's functions. */
interface GroupFunction {
  readonly slot: number
  readonly entry: number
  readonly position: number
  /** An entry function that is called, and must be a static one. */
  readonly called: boolean
}

/** One program made of several. */
export interface GroupProgram {
  readonly code: Buffer
  /** Ascending by slot; the first is the main function, which stands for the first entry's. */
  readonly functions: readonly GroupFunction[]
  /** Bytes of stack of its main function. */
  readonly stackBytes: number
  /** Ids of the BTF of the modules whose functions it calls; a call names the first as 1. */
  readonly modules: readonly number[]
}

/**
 * Lays unmodified programs one behind the other in one main function. The context is kept in a stack slot and given to
 * each body anew. An inlined body's `exit` becomes a jump to its end; a called one returns there. At its end the verdict
 * is counted, and either the next body begins, the next group is tail-called, or the program exits. Subprograms are
 * appended and calls re-targeted. Inlined bodies share the stack frame, since they run one after the other. Pure and
 * deterministic. Throws `chain_stack`, `chain_subprograms`.
 */
export function emitGroup(entries: readonly GroupEntry[], place: GroupPlace): GroupProgram {
  const inlined = entries.filter(({ called }) => !called)
  const deepest = Math.max(0, ...inlined.map(({ stackBytes }) => Math.ceil(stackBytes / 8) * 8))
  const frame = { contextAt: -(deepest + 8), countersAt: -(deepest + GROUP_STACK_BYTES) }
  const stackBytes = deepest + GROUP_STACK_BYTES
  requireRoom(entries, stackBytes)

  const modules = [...new Set(entries.flatMap((entry) => [...entry.modules.values()]))]
  const bodies = entries.map((entry) => withModules(entry, modules))
  const main: Buffer[] = [prologue(place, frame)]
  let slot = slotsOf(main)
  const bodyAt: number[] = []
  for (const [position, entry] of entries.entries()) {
    bodyAt.push(slot + 1)
    const part = [
      encode(OP.LDX_DW, R1, R10, frame.contextAt, 0),
      entry.called
        ? encode(OP.CALL, 0, CALL_KIND.SUBPROGRAM, 0, 0)
        : bodyWithoutExits(bodies[position] ?? entry.body.code, entry.body.mainSlots),
      ...(leavesUnseen(entry) ? unknownVerdict(place, frame) : []),
      epilogue(position, entry, position === entries.length - 1, place, frame),
    ]
    main.push(...part)
    slot += slotsOf(part)
  }
  // a called body is appended whole, an inlined one without its entry function
  const tails = bodies.map((code, at) =>
    entries[at]?.called ? code : code.subarray((entries[at]?.body.mainSlots ?? 0) * SLOT_BYTES),
  )
  const code = Buffer.concat([...main, ...tails])
  const functions: GroupFunction[] = [{ slot: 0, entry: 0, position: 0, called: false }]
  let tailAt = slot
  for (const [at, { body, called }] of entries.entries()) {
    const moved = called ? 0 : body.mainSlots
    if (called) code.writeInt32LE(tailAt - (bodyAt[at] ?? 0) - 1, (bodyAt[at] ?? 0) * SLOT_BYTES + 4)
    else retarget(code, body, bodyAt[at] ?? 0, tailAt)
    for (const [position, start] of body.functions.entries())
      if (called || position > 0)
        functions.push({ slot: tailAt + start - moved, entry: at, position, called: position === 0 })
    tailAt += body.slots - moved
  }
  return { code, functions, stackBytes, modules }
}

function requireRoom(entries: readonly GroupEntry[], stackBytes: number): void {
  if (stackBytes > LIMITS.bpf_stack_bytes)
    throw new DomainError(
      'chain_stack',
      `the deepest entry uses ${stackBytes - GROUP_STACK_BYTES} bytes of stack and the chain ${GROUP_STACK_BYTES} more: ${stackBytes} of ${LIMITS.bpf_stack_bytes}`,
    )
  const functions = functionsOf(entries)
  if (functions > LIMITS.bpf_subprograms)
    throw new DomainError(
      'chain_subprograms',
      `${functions} functions, of ${LIMITS.bpf_subprograms} possible`,
    )
}

/** Functions of a group's program. */
export const functionsOf = (entries: readonly Pick<GroupEntry, 'body' | 'called'>[]): number =>
  entries.reduce((sum, { body, called }) => sum + body.functions.length - (called ? 0 : 1), 1)

/** Refuses a chain of no entries or of too many; worth asking before any is loaded. Throws `chain_too_long`. */
export function requireChainLength(entries: number): void {
  if (entries === 0 || entries > LIMITS.chain_entries)
    throw new DomainError(
      'chain_too_long',
      `a chain has 1 to ${LIMITS.chain_entries} entries, not ${entries}`,
    )
}

/** Offsets from the frame pointer. */
interface Frame {
  readonly contextAt: number
  readonly countersAt: number
}

const slotsOf = (parts: readonly Buffer[]): number =>
  parts.reduce((sum, part) => sum + part.length, 0) / SLOT_BYTES

const exit = (): Buffer => encode(OP.EXIT, 0, 0, 0, 0)

/** Keeps the context and finds this cpu's counters once. The lookup of key 0 cannot fail; if it did, nothing passes. */
function prologue({ countersMap, rules }: GroupPlace, { contextAt, countersAt }: Frame): Buffer {
  return Buffer.concat([
    encode(OP.STX_DW, R10, R1, contextAt, 0),
    encode(OP.ST_W, R10, 0, countersAt, 0),
    encode(OP.MOV64_X, R2, R10, 0, 0),
    encode(OP.ADD64_K, R2, 0, 0, countersAt),
    loadMapFd(R1, countersMap),
    encode(OP.CALL, 0, CALL_KIND.HELPER, 0, HELPER_MAP_LOOKUP),
    encode(OP.JNE_K, R0, 0, 2, 0),
    encode(OP.MOV64_K, R0, 0, 0, rules.drop),
    exit(),
    encode(OP.STX_DW, R10, R0, countersAt, 0),
  ])
}

/** A body whose calls of the kernel's modules name them by their place in the group's table. */
function withModules({ body, modules }: GroupEntry, table: readonly number[]): Buffer {
  if (body.moduleCalls.length === 0) return body.code
  const code = Buffer.from(body.code)
  for (const { slot, index } of body.moduleCalls)
    code.writeInt16LE(table.indexOf(modules.get(index) ?? -1) + 1, slot * SLOT_BYTES + 2)
  return code
}

/** The entry function with every exit turned into a jump to its end; no other instruction moves. */
function bodyWithoutExits(body: Buffer, mainSlots: number): Buffer {
  const code = Buffer.from(body.subarray(0, mainSlots * SLOT_BYTES))
  for (let at = 0; at < mainSlots; at++) {
    const { code: op } = decodeAt(code, at)
    if (op === OP.LD_IMM64) at++
    else if (op === OP.EXIT) {
      const distance = mainSlots - (at + 1)
      const jump =
        distance <= MOST_JUMP ? encode(OP.JA, 0, 0, distance, 0) : encode(OP.JA32, 0, 0, 0, distance)
      jump.copy(code, at * SLOT_BYTES)
    }
  }
  return code
}

/**
 * Whether a body's verdict may be one that the verifier does not see: what a tail call below the chain's main function
 * ran returns in its caller's place, and a legacy load beyond the packet returns 0 there. Older kernels (6.1 among them)
 * follow only the instructions behind these, and would take away the branches on every other verdict, and its bounds.
 */
const leavesUnseen = ({ body: { traits }, called }: GroupEntry): boolean =>
  traits.tailCallInSubprogram ||
  traits.legacyLoadInSubprogram ||
  (called && (traits.tailCallInMain || traits.legacyLoadInMain))

/** Leaves r0 as it is, but for the verifier it can then be any number: a counter is turned into it and out of it again. */
function unknownVerdict({ first, rules }: GroupPlace, { countersAt }: Frame): Buffer[] {
  return [
    encode(OP.LDX_DW, R1, R10, countersAt, 0),
    encode(OP.LDX_DW, R1, R1, first * counterBytes(rules), 0),
    encode(OP.XOR64_X, R0, R1, 0, 0),
    encode(OP.XOR64_X, R0, R1, 0, 0),
  ]
}

/** Counts the verdict in r0, then goes on or leaves the chain. */
function epilogue(
  position: number,
  entry: GroupEntry,
  last: boolean,
  place: GroupPlace,
  frame: Frame,
): Buffer {
  const { rules, next } = place
  const counters = (place.first + position) * counterBytes(rules)
  const end = last && next === undefined
  if (end && rules.end === undefined) return Buffer.concat([...count(counters, rules, frame), exit()])
  const goOn = end
    ? endOfChain(rules)
    : last && next !== undefined
      ? tailCall(counters, entry, next, place, frame)
      : []
  const leaving = leave(rules)
  return Buffer.concat([
    ...count(counters, rules, frame),
    ...decide(entry.proceedMask, leaving),
    ...leaving,
    ...goOn,
  ])
}

/** Adds one to the counter of the verdict in r0, whose slot is then in r2. */
function count(counters: number, rules: VerdictRules, { countersAt }: Frame): Buffer[] {
  return [
    encode(OP.MOV32_X, R2, R0, 0, 0), // a verdict is 32 bits wide
    ...(rules.bias === 0 ? [] : [encode(OP.ADD32_K, R2, 0, 0, rules.bias)]),
    encode(OP.JLE_K, R2, 0, 1, rules.lastSlot),
    encode(OP.MOV64_K, R2, 0, 0, rules.otherSlot),
    encode(OP.MOV64_X, R3, R2, 0, 0),
    encode(OP.LSH64_K, R3, 0, 0, 3),
    encode(OP.LDX_DW, R1, R10, countersAt, 0),
    encode(OP.ADD64_X, R1, R3, 0, 0),
    encode(OP.LDX_DW, R3, R1, counters, 0),
    encode(OP.ADD64_K, R3, 0, 0, 1),
    encode(OP.STX_DW, R1, R3, counters, 0),
  ]
}

/** Jumps over `leaving` when the slot in r2 is one to proceed on. */
function decide(proceedMask: number, leaving: readonly Buffer[]): Buffer[] {
  const over = slotsOf(leaving)
  const single = Math.log2(proceedMask >>> 0)
  if (Number.isInteger(single)) return [encode(OP.JEQ_K, R2, 0, over, single)]
  return [
    // also for an empty mask: what lies behind must stay reachable in the control flow, or the verifier refuses
    encode(OP.MOV32_K, R1, 0, 0, 1),
    encode(OP.LSH32_X, R1, R2, 0, 0),
    encode(OP.JSET_K, R1, 0, over, proceedMask),
  ]
}

/** Leaves the chain with the verdict in r0, whose slot is in r2. */
function leave({ consumed, drop }: VerdictRules): Buffer[] {
  if (consumed === 0) return [exit()]
  return [
    encode(OP.MOV32_K, R1, 0, 0, 1),
    encode(OP.LSH32_X, R1, R2, 0, 0),
    encode(OP.JSET_K, R1, 0, 1, consumed),
    exit(),
    encode(OP.MOV64_K, R0, 0, 0, drop),
    exit(),
  ]
}

/** Behind the last entry: what comes after the chain goes on. */
const endOfChain = ({ end = 0 }: VerdictRules): Buffer[] => [encode(OP.MOV64_K, R0, 0, 0, end), exit()]

/** Goes on in the next group. A tail call that finds nothing falls through: counted, and decided by the function's word. */
function tailCall(
  counters: number,
  { onMissing }: GroupEntry,
  next: { readonly map: number; readonly index: number },
  { rules }: GroupPlace,
  { contextAt, countersAt }: Frame,
): Buffer[] {
  const missing = counters + rules.missingSlot * 8
  return [
    encode(OP.LDX_DW, R1, R10, contextAt, 0),
    loadMapFd(R2, next.map),
    encode(OP.MOV64_K, R3, 0, 0, next.index),
    encode(OP.CALL, 0, CALL_KIND.HELPER, 0, HELPER_TAIL_CALL),
    encode(OP.LDX_DW, R1, R10, countersAt, 0),
    encode(OP.LDX_DW, R3, R1, missing, 0),
    encode(OP.ADD64_K, R3, 0, 0, 1),
    encode(OP.STX_DW, R1, R3, missing, 0),
    encode(OP.MOV64_K, R0, 0, 0, onMissing === 'drop' ? rules.drop : rules.pass),
    exit(),
  ]
}

/** Points the entry function's calls and callbacks at where its subprograms now lie; those among these keep their distance. */
function retarget(code: Buffer, body: Body, mainAt: number, tailAt: number): void {
  for (let at = 0; at < body.mainSlots; at++) {
    const { code: op, src, imm } = decodeAt(body.code, at)
    const names =
      (op === OP.CALL && src === CALL_KIND.SUBPROGRAM) || (op === OP.LD_IMM64 && src === IMM64_KIND.FUNCTION)
    if (names) {
      const target = at + 1 + imm - body.mainSlots + tailAt
      code.writeInt32LE(target - (mainAt + at) - 1, (mainAt + at) * SLOT_BYTES + 4)
    }
    if (op === OP.LD_IMM64) at++
  }
}
