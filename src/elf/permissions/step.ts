import { mapTypeName } from '../map-types.ts'
import { ALU, cut, isCondition, narrowed, operate } from './arithmetic.ts'
import { callFunction, callHelper, callKernel, keepsStack, reportVerdict } from './calls.ts'
import { CLASS, type Instruction, MODE, sizeOf } from './instructions.ts'
import { load, type Own, type Place, report, store } from './memory.ts'
import { comeBack, takeAddress } from './run.ts'
import {
  ANYTHING,
  join,
  mayCount,
  mayPoint,
  NUMBER,
  oneOf,
  POINTS,
  placeOf,
  pointer,
  stackPlace,
  type Value,
} from './value.ts'

/** What is known before an instruction. */
export interface State {
  /** r0 to r9. */
  readonly registers: readonly Value[]
  readonly own: Own
}

/** Nothing is known of a frame. */
export const UNKNOWN_FRAME: Own = { written: 0n, cells: new Map() }

/** An instruction, and what is known before it. */
interface Step extends Place, State {
  readonly instruction: Instruction
  /** Immediate of the slot behind: the second half of a 64-bit load. */
  readonly second: () => number
}

/** Slots at which the function goes on, and what is known there; none behind an exit. */
type Ways = readonly (readonly [slot: number, state: State])[]

const FRAME_POINTER = 10

const read = ({ registers, frame }: Step, register: number): Value =>
  register === FRAME_POINTER ? stackPlace(placeOf(frame, 0)) : (registers[register] ?? ANYTHING)

/** Goes on behind the instruction, with one register changed, if any. */
function goOn(at: Step, register?: number, value: Value = NUMBER, own = at.own, slots = 1): Ways {
  if (register === undefined) return [[at.slot + slots, { registers: at.registers, own }]]
  const registers = at.registers.slice()
  if (register < registers.length) registers[register] = value
  return [[at.slot + slots, { registers, own }]]
}

/** Goes on behind a call, which leaves nothing in r1 to r5. */
function comeBackWith(at: Step, result: Value, own: Own): Ways {
  const registers = at.registers.map((value, register) =>
    register > 5 ? value : register === 0 ? result : NUMBER,
  )
  return [[at.slot + 1, { registers, own }]]
}

/**
 * Carries an instruction out on all that may be, and gives the ways on. What it lets others know, such as the input of a function
 * that it calls, is put down in the run.
 */
export function step(at: Step): Ways {
  switch (at.instruction.code & 7) {
    case CLASS.ld:
      return stepLoadConstant(at)
    case CLASS.ldx:
      return stepLoad(at)
    case CLASS.st:
    case CLASS.stx:
      return stepStore(at)
    case CLASS.alu:
    case CLASS.alu64:
      return stepOperation(at)
    default:
      return stepJump(at)
  }
}

/** What is not known here may do anything; it is taken to change all registers and to go on. */
function stepUnknown(
  at: Step,
  what = `instruction 0x${at.instruction.code.toString(16).padStart(2, '0')}`,
): Ways {
  report(at, 'unknown', what)
  const registers = at.registers.map(() => ANYTHING)
  if (at.run.stack.store(undefined, 8, ANYTHING)) at.run.news = true
  return [[at.slot + 1, { registers, own: UNKNOWN_FRAME }]]
}

function stepLoadConstant(at: Step): Ways {
  const { code, dst, imm, operand, patched } = at.instruction
  const mode = code & 0xe0
  if (code === 0x18) {
    const low = BigInt.asUintN(32, BigInt(imm))
    const number = patched ? NUMBER : oneOf(low | (BigInt(at.second()) << 32n))
    return goOn(at, dst, operand === undefined ? number : addressOf(at, operand), at.own, 2)
  }
  if (mode !== MODE.abs && mode !== MODE.ind) return stepUnknown(at)
  // a packet that is too short ends the function with 0 (kernel/bpf/verifier.c, check_ld_abs)
  comeBack(at.run, at.of, oneOf(0))
  reportVerdict(at, oneOf(0), 'exit')
  return comeBackWith(at, NUMBER, at.own)
}

function addressOf(at: Step, operand: NonNullable<Instruction['operand']>): Value {
  if (operand.kind === 'function') {
    takeAddress(at.run, operand.of)
    return pointer(POINTS.code)
  }
  if (operand.kind === 'kernel') {
    if (at.run.settings.has(operand.name)) return pointer(POINTS.data)
    report(at, 'read-kernel-memory', `takes the address of ${operand.name} of the kernel`)
    return join(NUMBER, pointer(POINTS.other))
  }
  const map = at.run.maps.get(operand.name)
  if (map?.pinned === true) report(at, 'share-maps', `uses map ${map.name}, pinned by its name`)
  const type = map?.typeName ?? mapTypeName(-1)
  if (type === 'arena') report(at, 'share-maps', `uses arena ${operand.name}`)
  if (/^(sock|reuseport_sock)/.test(type)) report(at, 'socket-access', `uses ${type} ${operand.name}`)
  if (type.startsWith('type#') || type === 'struct_ops')
    report(at, 'unknown', `uses map ${operand.name}, a ${type}`)
  if (map?.kind !== 'map') return pointer(POINTS.data)
  return pointer(type.endsWith('_of_maps') ? POINTS.outerMap : POINTS.map)
}

function stepLoad(at: Step): Ways {
  const { code, dst, src, off, patched } = at.instruction
  const mode = code & 0xe0
  if (mode !== MODE.mem && mode !== MODE.memsx) return stepUnknown(at)
  // CO-RE may write another size too
  const size = patched ? 8 : sizeOf(at.instruction)
  const value = load(at, { base: read(at, src), offset: patched ? undefined : off, size }, at.own)
  return goOn(
    at,
    dst,
    mode === MODE.memsx ? cut(value, size * 8, true) : patched ? join(value, NUMBER) : value,
  )
}

/** Atomic operations by their immediate (RFC 9669 section 5.3), and acquire and release (Linux 6.15). */
const ATOMIC = { fetch: 0x01, exchange: 0xe1, compare: 0xf1, acquire: 0x100, release: 0x110 } as const
const ATOMIC_OPERATIONS: readonly number[] = [ALU.add, ALU.or, ALU.and, ALU.xor]

function stepStore(at: Step): Ways {
  const { code, dst, src, off, imm, patched } = at.instruction
  const mode = code & 0xe0
  const access = { base: read(at, dst), offset: patched ? undefined : off, size: sizeOf(at.instruction) }
  const immediate = (code & 7) === CLASS.st
  if (mode === MODE.mem) {
    const constant = patched ? NUMBER : oneOf(imm)
    return goOn(at, undefined, NUMBER, store(at, access, immediate ? constant : read(at, src), at.own))
  }
  if (mode !== MODE.atomic || immediate) return stepUnknown(at)
  if (imm === ATOMIC.acquire) return goOn(at, dst, load(at, { ...access, base: read(at, src) }, at.own))
  if (imm === ATOMIC.release) return goOn(at, undefined, NUMBER, store(at, access, read(at, src), at.own))
  const exchanges = imm === ATOMIC.exchange || imm === ATOMIC.compare
  if (!exchanges && !ATOMIC_OPERATIONS.includes(imm & ~ATOMIC.fetch)) return stepUnknown(at)
  const own = store(at, access, NUMBER, at.own)
  const fetched = imm === ATOMIC.compare ? 0 : src
  return goOn(at, (imm & ATOMIC.fetch) === 0 ? undefined : fetched, NUMBER, own)
}

function stepOperation(at: Step): Ways {
  const { code, dst, src, off, imm, patched } = at.instruction
  const [operation, bits] = [code & 0xf0, (code & 7) === CLASS.alu64 ? 64 : 32] as const
  const byRegister = (code & 8) !== 0
  const constant = patched ? NUMBER : oneOf(imm)
  const [before, operand] = [read(at, dst), byRegister ? read(at, src) : constant]
  if (operation === ALU.mov) {
    if (off === 0) return goOn(at, dst, bits === 64 ? operand : cut(operand, 32, false))
    if (off === 8 || off === 16 || off === 32) {
      const extended = cut(operand, off, true)
      return goOn(at, dst, bits === 64 ? extended : cut(extended, 32, false))
    }
    // an address of an arena becomes one that can be used, and back: no packet lies there
    if (off === 1 && byRegister && bits === 64) return goOn(at, dst, { ...NUMBER, pointers: POINTS.data })
    return stepUnknown(at)
  }
  if (operation === ALU.end) return goOn(at, dst, NUMBER)
  if (operation > ALU.end) return stepUnknown(at)
  const signed = off === 1 && (operation === ALU.div || operation === ALU.mod)
  return goOn(at, dst, operate(operation, bits, before, operand, signed))
}

function stepJump(at: Step): Ways {
  const { code, dst, src, off, imm, patched, operand } = at.instruction
  const [operation, bits] = [code & 0xf0, (code & 7) === CLASS.jmp ? 64 : 32] as const
  const state = { registers: at.registers, own: at.own }
  if (code === 0x95) {
    const value = read(at, 0)
    comeBack(at.run, at.of, value)
    reportVerdict(at, value, 'exit')
    return []
  }
  if (code === 0x85) return stepCall(at)
  if (code === 0x05) return [[at.slot + 1 + off, state]]
  if (code === 0x06) return [[at.slot + 1 + imm, state]]
  if (code === 0xe5)
    return [
      [at.slot + 1 + off, state],
      [at.slot + 1, state],
    ]
  if (!isCondition(operation) || operand !== undefined) return stepUnknown(at)
  const byRegister = (code & 8) !== 0
  const compared = byRegister ? read(at, src) : patched ? NUMBER : oneOf(imm)
  const [constant, ...others] = compared.numbers ?? []
  const single = constant !== undefined && others.length === 0 && !mayPoint(compared)
  return [true, false].flatMap((outcome): Ways => {
    const value = single ? narrowed(read(at, dst), operation, bits, constant, outcome) : read(at, dst)
    if (single && !mayPoint(value) && !mayCount(value)) return []
    const registers = state.registers.map((each, register) => (register === dst ? value : each))
    return [[at.slot + 1 + (outcome ? off : 0), { ...state, registers }]]
  })
}

function stepCall(at: Step): Ways {
  const { src, imm, operand, patched } = at.instruction
  const parameters = at.registers.slice(1, 6)
  let result: Value | undefined
  if (operand?.kind === 'function') result = callFunction(at, operand.of, parameters)
  else if (operand?.kind === 'kernel') result = callKernel(at, operand.name, parameters)
  else if (operand === undefined && src === 0 && !patched) result = callHelper(at, imm, parameters)
  else return stepUnknown(at)
  if (result === undefined) return []
  const own = operand === undefined && keepsStack(imm) ? at.own : { ...at.own, cells: new Map() }
  return comeBackWith(at, result, own)
}
