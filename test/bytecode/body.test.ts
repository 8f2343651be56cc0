import { describe, expect, test } from 'vitest'
import {
  type BodyTraits,
  bytesBelowMain,
  frameBytes,
  mapsOf,
  readBody,
  renameMaps,
} from '../../src/bytecode/body.ts'
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
const [LDX_W, LDX_B, LDX_DW, STX_DW, ST_DW] = [0x61, 0x71, 0x79, 0x7b, 0x7a]
/** Offsets in struct __sk_buff, linux/bpf.h. */
const [TSTAMP, TSTAMP_TYPE] = [152, 180]
const [DYNPTR_FROM_MEM, DYNPTR_READ] = [197, 201]
const NO_TRAITS: BodyTraits = {
  tailCallInMain: false,
  tailCallInSubprogram: false,
  legacyLoadInMain: false,
  legacyLoadInSubprogram: false,
  callbacks: false,
  keepsObjectsInMain: false,
  readsTstampType: false,
  usesTstamp: false,
}

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
    const half = program(load64(IMM64_KIND.VALUE, 1).subarray(0, 8), tailCall())
    const body = readBody(program(half, exit()), 'it')
    expect(body).toMatchObject({ slots: 3, mapSlots: [] })
    expect(body.traits).toEqual(NO_TRAITS)
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

describe('what a program does that chaining must know', () => {
  /** The same in a subprogram of a main function that does nothing else. */
  const below = (code: Buffer): Buffer => program(callSubprogram(1), exit(), code)
  test.each<[string, Buffer, Partial<BodyTraits>]>([
    ['nothing', verdict(2), {}],
    ['a tail call', program(tailCall(), verdict(0)), { tailCallInMain: true }],
    ['a tail call of a subprogram', below(program(tailCall(), exit())), { tailCallInSubprogram: true }],
    ['another helper', program(callHelper(BPF_REDIRECT), exit()), {}],
    [
      'a kernel function of the tail call’s number',
      program(callKfunc(12), exit()),
      { keepsObjectsInMain: true },
    ],
    ['a kernel function in a subprogram', below(program(callKfunc(99), exit())), {}],
    ['a dynamic pointer', program(callHelper(DYNPTR_FROM_MEM), exit()), { keepsObjectsInMain: true }],
    ['a dynamic pointer of a subprogram', below(program(callHelper(DYNPTR_FROM_MEM), exit())), {}],
    ['a read through a dynamic pointer', program(callHelper(DYNPTR_READ), exit()), {}],
    ...Object.entries(LEGACY).flatMap(([name, code]): [string, Buffer, Partial<BodyTraits>][] => [
      [name, program(encode(code, 0, 0, 0, 12), exit()), { legacyLoadInMain: true }],
      [
        `${name} in a subprogram`,
        below(program(encode(code, 0, 0, 0, 12), exit())),
        { legacyLoadInSubprogram: true },
      ],
    ]),
    ['a load of the packet’s end', program(encode(LDX_W, 0, 1, 4, 0), exit()), {}],
    ['a callback', program(load64(IMM64_KIND.FUNCTION, 3), verdict(2), verdict(0)), { callbacks: true }],
    ['a constant like it', program(load64(IMM64_KIND.VALUE, 3), verdict(2), verdict(0)), {}],
    ['a read of tstamp', program(encode(LDX_DW, 0, 6, TSTAMP, 0), exit()), { usesTstamp: true }],
    ['a write of tstamp', program(encode(STX_DW, 6, 2, TSTAMP, 0), exit()), { usesTstamp: true }],
    ['a constant written there', program(encode(ST_DW, 6, 0, TSTAMP, 0), exit()), { usesTstamp: true }],
    ['a read beside it', program(encode(LDX_DW, 0, 6, TSTAMP + 8, 0), exit()), {}],
    ['a read of its type', program(encode(LDX_B, 0, 6, TSTAMP_TYPE, 0), exit()), { readsTstampType: true }],
    ['a word of the stack there', program(encode(STX_DW, 10, 2, TSTAMP, 0), exit()), {}],
  ])('%s', (_, code, traits) => expect(readBody(code, 'it').traits).toEqual({ ...NO_TRAITS, ...traits }))
})

describe('functions', () => {
  // main 0-4 calls the first and hands out the third; the first calls the second
  const code = program(
    callSubprogram(4), // 0 -> 5
    load64(IMM64_KIND.FUNCTION, 7), // 1, 2 -> 9
    ...[encode(0x05, 0, 0, 0, 0), exit()], // 3, 4
    ...[callSubprogram(1), exit()], // 5, 6 -> 7
    ...[callHelper(1), exit()], // 7, 8
    exit(), // 9
  )
  const body = readBody(code, 'it')

  test('know whom they call or hand out', () => {
    expect(body.functions).toEqual([0, 5, 7, 9])
    expect(body.callees.map((callees) => [...callees])).toEqual([[1, 3], [2], [], []])
  })

  test('need the stack of the deepest of their calls, in whole frames of 32 bytes', () => {
    expect([0, 1, 32, 33, 512].map(frameBytes)).toEqual([32, 32, 32, 64, 512])
    expect(bytesBelowMain(body, [100, 40, 8, 0])).toBe(64 + 32)
    expect(bytesBelowMain(body, [100, 0, 8, 300])).toBe(320)
    expect(bytesBelowMain(readBody(verdict(2), 'it'), [512])).toBe(0)
  })

  test('may all have the largest stack where the kernel told of fewer', () =>
    expect(bytesBelowMain(body, [100, 40])).toBe(2 * 128))

  test('that call each other in a circle end all the same', () => {
    const round = readBody(program(callSubprogram(1), exit(), callSubprogram(-1), exit()), 'it')
    expect(bytesBelowMain(round, [0, 64])).toBe(128)
  })
})

test('maps are renamed wherever they are named, and nothing else is', () => {
  const code = program(
    load64(IMM64_KIND.MAP_FD, 7),
    load64(IMM64_KIND.MAP_VALUE, 9, 16),
    load64(IMM64_KIND.VALUE, 7),
    encode(0xb7, 1, 0, 0, 7),
    exit(),
  )
  const renamed = renameMaps(code, (map) => map * 100)
  expect(mapsOf(readBody(renamed, 'it'))).toEqual([700, 900])
  expect(renamed).toEqual(
    program(
      load64(IMM64_KIND.MAP_FD, 700),
      load64(IMM64_KIND.MAP_VALUE, 900, 16),
      load64(IMM64_KIND.VALUE, 7),
      encode(0xb7, 1, 0, 0, 7),
      exit(),
    ),
  )
  expect(mapsOf(readBody(code, 'it'))).toEqual([7, 9]) // a copy
})
