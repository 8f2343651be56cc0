import { CALL_KIND, encode, HELPER_TAIL_CALL, OP } from '../../src/bytecode/instruction.ts'

/** Puts instructions one behind the other. */
export const program = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts)

/** r0 = verdict; exit. */
export const verdict = (value: number): Buffer => program(encode(OP.MOV64_K, 0, 0, 0, value), exit())

export const exit = (): Buffer => encode(OP.EXIT, 0, 0, 0, 0)

/** Skips `distance` slots when r1 is 0. */
export const skipIfZero = (distance: number): Buffer => encode(OP.JEQ_K, 1, 0, distance, 0)

/** Calls the function `distance` slots behind the next instruction. */
export const callSubprogram = (distance: number): Buffer =>
  encode(OP.CALL, 0, CALL_KIND.SUBPROGRAM, 0, distance)

export const callHelper = (number: number): Buffer => encode(OP.CALL, 0, CALL_KIND.HELPER, 0, number)

export const callKfunc = (btfId: number): Buffer => encode(OP.CALL, 0, CALL_KIND.KFUNC, 0, btfId)

export const tailCall = (): Buffer => callHelper(HELPER_TAIL_CALL)

/** A 64-bit immediate load of the given kind into r1 (two slots). */
export const load64 = (kind: number, low: number, high = 0): Buffer =>
  program(encode(OP.LD_IMM64, 1, kind, 0, low), encode(0, 0, 0, 0, high))

/** `count` instructions that do nothing that matters. */
export const filler = (count: number): Buffer =>
  program(...Array.from({ length: count }, (_, at) => encode(OP.MOV64_K, 2, 0, 0, at)))
