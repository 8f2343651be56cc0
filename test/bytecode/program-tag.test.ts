import { describe, expect, test } from 'vitest'
import { IMM64_KIND } from '../../src/bytecode/instruction.ts'
import { programTag } from '../../src/bytecode/program-tag.ts'
import { load64, program, verdict } from './assembler.ts'

describe('the tag of a program', () => {
  const tag = (kind: number, low: number, high = 0): string =>
    programTag(program(load64(kind, low, high), verdict(2)), 'sha256')

  test('is the beginning of the digest that the kernel makes', () => {
    // as Linux 6.18 tells it of `r0 = 2; exit`
    expect(programTag(verdict(2), 'sha256')).toBe('614b434cd8324ecc')
    expect(programTag(verdict(2), 'sha1')).toBe('3b185187f1855c4c')
    expect(programTag(verdict(1), 'sha256')).not.toBe('614b434cd8324ecc')
  })
  test('does not depend on which map is named, nor on where in its value', () => {
    expect(tag(IMM64_KIND.MAP_FD, 7)).toBe(tag(IMM64_KIND.MAP_FD, 8))
    expect(tag(IMM64_KIND.MAP_VALUE, 7, 16)).toBe(tag(IMM64_KIND.MAP_VALUE, 8, 24))
  })
  test('depends on every other number, and on what kind of load it is', () => {
    expect(tag(IMM64_KIND.VALUE, 7)).not.toBe(tag(IMM64_KIND.VALUE, 8))
    expect(tag(IMM64_KIND.VALUE, 7, 1)).not.toBe(tag(IMM64_KIND.VALUE, 7, 2))
    expect(tag(IMM64_KIND.MAP_FD, 7)).not.toBe(tag(IMM64_KIND.MAP_VALUE, 7))
    const behind = [1, 2].map((value) =>
      programTag(program(load64(IMM64_KIND.MAP_FD, 7), verdict(value)), 'sha256'),
    )
    expect(behind[0]).not.toBe(behind[1])
  })
})
