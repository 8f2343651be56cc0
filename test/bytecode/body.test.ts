import { describe, expect, test } from 'vitest'
import { mapsOf, readBody } from '../../src/bytecode/body.ts'
import { encode, IMM64_KIND } from '../../src/bytecode/instruction.ts'
import { expectRefusal } from '../elf/codes.ts'
import {
  callHelper,
  callKfunc,
  callSubprogram,
  exit,
  filler,
  load64,
  program,
  skipIfZero,
  tailCall,
  verdict,
} from './assembler.ts'

const [BPF_REDIRECT, UNKNOWN_CALL_KIND, MAP_BY_INDEX] = [23, 3, 5]
/** BPF_LD | BPF_ABS | BPF_W and its kin, and BPF_LDX | BPF_MEM | BPF_B, which is like them but for the class. */
const LEGACY = { absW: 0x20, absH: 0x28, absB: 0x30, indW: 0x40, indH: 0x48, indB: 0x50 }
const [LDX_W, LDX_B] = [0x61, 0x71]

describe('reading a program', () => {
  test.each<[string, Buffer, string, RegExp, Buffer]>([
    [
      'a callback',
      program(load64(IMM64_KIND.FUNCTION, 3), verdict(2), verdict(0)),
      'chain_callback',
      /^it: instruction 0 takes the address of a function/,
      program(load64(IMM64_KIND.VALUE, 3), verdict(2)),
    ],
    [
      'a kernel function',
      program(filler(1), callKfunc(99), exit()),
      'chain_kfunc',
      /^it: instruction 1 calls a kernel function/,
      program(filler(1), callHelper(99), exit()),
    ],
    [
      'a tail call',
      program(tailCall(), verdict(0)),
      'chain_tail_call',
      /^it: instruction 0 makes a tail call/,
      program(callHelper(BPF_REDIRECT), exit()),
    ],
    [
      'a tail call of a subprogram',
      program(callSubprogram(1), exit(), tailCall(), exit()),
      'chain_tail_call',
      /^it: instruction 2 /,
      program(callSubprogram(1), exit(), callHelper(BPF_REDIRECT), exit()),
    ],
    ...Object.entries(LEGACY).map(([name, code]): [string, Buffer, string, RegExp, Buffer] => [
      `legacy packet access ${name}`,
      program(encode(code, 0, 0, 0, 12), exit()),
      'chain_instruction',
      /legacy packet access/,
      program(encode(code < LEGACY.indW ? LDX_W : LDX_B, 0, 1, 0, 0), exit()),
    ]),
    [
      'a 64-bit load without its second slot',
      program(exit(), load64(0, 1).subarray(0, 8)),
      'chain_instruction',
      /^it: instruction 1 is cut off/,
      program(exit(), load64(0, 1)),
    ],
    [
      'a call behind the program’s end',
      program(callSubprogram(1), exit()),
      'chain_instruction',
      /names a function outside of the program/,
      program(callSubprogram(1), exit(), exit()),
    ],
    [
      'a call before the program’s start',
      program(filler(1), callSubprogram(-3), exit()),
      'chain_instruction',
      /names a function outside of the program/,
      program(filler(1), callSubprogram(-1), exit()),
    ],
    [
      'a call of the entry itself',
      program(filler(1), callSubprogram(-2), exit()),
      'chain_instruction',
      /names a function outside of the program/,
      program(filler(1), callSubprogram(1), exit(), exit()),
    ],
    [
      'a call of an unknown kind',
      program(encode(0x85, 0, UNKNOWN_CALL_KIND, 0, 1), exit(), exit()),
      'chain_instruction',
      /unknown kind/,
      program(callHelper(1), exit()),
    ],
    [
      'a map by index instead of by descriptor',
      program(load64(MAP_BY_INDEX, 0), verdict(2)),
      'chain_instruction',
      /address of an unknown kind/,
      program(load64(IMM64_KIND.BTF_ID, 1), verdict(2)),
    ],
    ['no instructions', Buffer.alloc(0), 'chain_instruction', /0 bytes/, verdict(2)],
    ['half an instruction', verdict(2).subarray(0, 12), 'chain_instruction', /12 bytes/, verdict(2)],
  ])('refuses %s and accepts its twin', (_, refused, code, message, accepted) => {
    expectRefusal(() => readBody(refused, 'it'), code, message)
    expect(readBody(accepted, 'it').code).toEqual(accepted)
  })

  test('takes the upper half of a 64-bit load for no instruction', () => {
    // the half reads as a tail call; were it decoded, the program would be refused
    const half = program(load64(IMM64_KIND.VALUE, 1).subarray(0, 8), tailCall())
    expect(readBody(program(half, exit()), 'it')).toMatchObject({ slots: 3, mapSlots: [] })
  })

  test('finds where functions start, each once, in order', () => {
    // main 0-3, first function 4-5 which calls the second, second function 6
    const body = readBody(
      program(callSubprogram(5), callSubprogram(2), skipIfZero(0), exit(), callSubprogram(1), exit(), exit()),
      'it',
    )
    expect(body).toMatchObject({ slots: 7, mainSlots: 4, functions: [0, 4, 6] })
  })

  test('is one function when nothing is called', () =>
    expect(readBody(program(callHelper(5), exit()), 'it')).toMatchObject({
      slots: 2,
      mainSlots: 2,
      functions: [0],
    }))

  test('names each map once, by address or by value', () => {
    const body = readBody(
      program(
        load64(IMM64_KIND.MAP_FD, 7),
        load64(IMM64_KIND.MAP_VALUE, 9, 16),
        load64(IMM64_KIND.MAP_FD, 7),
        load64(IMM64_KIND.VALUE, 11),
        load64(IMM64_KIND.BTF_ID, 12),
        exit(),
      ),
      'it',
    )
    expect(body.mapSlots).toEqual([0, 2, 4])
    expect(mapsOf(body)).toEqual([7, 9])
  })
})
