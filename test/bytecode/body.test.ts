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

const NONE = {
  ...{ tailCallInMain: false, tailCallInSubprogram: false, legacyLoadInMain: false, callbacks: false },
  ...{ readsTstampType: false, usesTstamp: false },
}

describe('what decides how a program is chained', () => {
  const [TSTAMP, TSTAMP_TYPE, LDX_DW, STX_DW] = [152, 180, 0x79, 0x7b]
  test.each<[string, Buffer, object]>([
    ['nothing', program(callHelper(BPF_REDIRECT), exit()), {}],
    ['a callback', program(load64(IMM64_KIND.FUNCTION, 2), exit(), verdict(0)), { callbacks: true }],
    ['a tail call', program(tailCall(), exit()), { tailCallInMain: true }],
    [
      'a tail call of a subprogram',
      program(callSubprogram(1), exit(), tailCall(), exit()),
      { tailCallInSubprogram: true },
    ],
    ...Object.entries(LEGACY).map(([name, code]): [string, Buffer, object] => [
      `legacy packet access ${name}`,
      program(encode(code, 0, 0, 0, 12), exit()),
      { legacyLoadInMain: true },
    ]),
    ['a load that is like one', program(encode(LDX_W, 0, 1, 0, 0), encode(LDX_B, 0, 1, 0, 0), exit()), {}],
    [
      'legacy access of a subprogram, which returns to its caller',
      program(callSubprogram(1), exit(), encode(LEGACY.absB, 0, 0, 0, 0), exit()),
      {},
    ],
    ['reading tstamp_type', program(encode(LDX_B, 0, 6, TSTAMP_TYPE, 0), exit()), { readsTstampType: true }],
    ['reading tstamp', program(encode(LDX_DW, 0, 6, TSTAMP, 0), exit()), { usesTstamp: true }],
    ['writing tstamp', program(encode(STX_DW, 6, 0, TSTAMP, 0), exit()), { usesTstamp: true }],
    ['the stack at such an offset', program(encode(STX_DW, 10, 0, TSTAMP, 0), exit()), {}],
  ])('%s', (_, code, traits) => expect(readBody(code, 'it').traits).toMatchObject({ ...NONE, ...traits }))

  test('kernel functions are the kernel’s own, or those of a module', () => {
    const ofModule = encode(0x85, 0, 2, 3, 98)
    const { moduleCalls } = readBody(program(callKfunc(99), ofModule, exit()), 'it')
    expect(moduleCalls).toEqual([{ slot: 1, index: 3, typeId: 98 }])
  })

  test('callees, by calls and by callbacks', () => {
    const body = readBody(
      program(callSubprogram(3), load64(IMM64_KIND.FUNCTION, 4), exit(), callSubprogram(1), exit(), exit()),
      'it',
    )
    expect(body.functions).toEqual([0, 4, 6])
    expect(body.callees.map((each) => [...each])).toEqual([[1, 2], [2], []])
  })
})

describe('reading a program', () => {
  test.each<[string, Buffer, string, RegExp, Buffer]>([
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
    // the half reads as a tail call; were it decoded, the program would be called one that makes them
    const half = program(load64(IMM64_KIND.VALUE, 1).subarray(0, 8), tailCall())
    expect(readBody(program(half, exit()), 'it')).toMatchObject({ slots: 3, mapSlots: [], traits: NONE })
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
