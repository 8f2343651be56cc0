import { describe, expect, test } from 'vitest'
import { encode, IMM64_KIND, OP } from '../../src/bytecode/instruction.ts'
import { comparableCode } from '../../src/bytecode/verified-code.ts'
import { load64, program, verdict } from './assembler.ts'

describe('instructions as a kernel gives them back', () => {
  const MAPS = [11, 12]
  const shape = (code: Buffer, maps: readonly number[] = MAPS): string =>
    comparableCode(code, maps).toString('hex')
  const load = (kind: number, low: number, high = 0): Buffer => program(load64(kind, low, high), verdict(2))
  const call = (imm: number): Buffer => program(encode(OP.CALL, 0, 0, 0, imm), verdict(2))

  test('name maps by their place among those of the program', () => {
    expect(shape(load(IMM64_KIND.MAP_FD, 12))).toBe(shape(load(IMM64_KIND.MAP_FD, 8), [7, 8]))
    expect(shape(load(IMM64_KIND.MAP_FD, 12))).not.toBe(shape(load(IMM64_KIND.MAP_FD, 11)))
  })
  test('keep the offset into a map’s value', () => {
    const at = (offset: number): string => shape(load(IMM64_KIND.MAP_VALUE, 11, offset))
    expect(at(4)).toBe(at(4))
    expect(at(4)).not.toBe(at(8))
  })
  test('say nothing of addresses in the kernel, and all of everything else', () => {
    expect(shape(load(IMM64_KIND.VALUE, 1, -1))).toBe(shape(load(IMM64_KIND.VALUE, 2, -1)))
    expect(shape(call(4096))).toBe(shape(call(8192)))
    expect(shape(load(IMM64_KIND.FUNCTION, 1))).not.toBe(shape(load(IMM64_KIND.FUNCTION, 2)))
    expect(shape(verdict(1))).not.toBe(shape(verdict(2)))
  })
})
