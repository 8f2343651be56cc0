import { describe, expect, test } from 'vitest'
import { readBody } from '../../src/bytecode/body.ts'
import {
  emitGroup,
  type GroupEntry,
  type GroupProgram,
  requireChainLength,
} from '../../src/bytecode/group.ts'
import {
  CALL_KIND,
  decodeAt,
  encode,
  HELPER_TAIL_CALL,
  IMM64_KIND,
  type Instruction,
  OP,
} from '../../src/bytecode/instruction.ts'
import { rulesOf } from '../../src/bytecode/verdict-rules.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { expectRefusal } from '../elf/codes.ts'
import { callSubprogram, exit, filler, load64, program, skipIfZero, tailCall, verdict } from './assembler.ts'

const COUNTERS_FD = 42
/** BPF_LD | BPF_ABS | BPF_B, linux/bpf_common.h. */
const LEGACY_LOAD = 0x30
const [PASS_BIT, TX_BIT] = [1 << 2, 1 << 3]
/** The 11 slots that keep the context and find the counters. */
const PROLOGUE = 11
const COUNT = 10

const XDP = rulesOf('xdp', 'tcx')
const ENTRY_COUNTER_BYTES = 64

const entry = (code: Buffer, stackBytes = 0, proceedMask = PASS_BIT): GroupEntry => ({
  body: readBody(code, 'it'),
  ...{ stackBytes, proceedMask, called: false, onMissing: 'pass' },
  modules: new Map(),
})
/** A whole chain of XDP as one program. */
const fuse = (entries: readonly GroupEntry[], countersMap: number): GroupProgram =>
  emitGroup(entries, { rules: XDP, countersMap, first: 0, next: undefined })
const instructions = (code: Buffer): Instruction[] =>
  Array.from({ length: code.length / 8 }, (_, at) => decodeAt(code, at))

/** Where a jump or call at slot `at` leads. */
function targetOf(code: Buffer, at: number): number {
  const { code: op, off, imm } = decodeAt(code, at)
  if (op === OP.CALL || op === OP.JA32) return at + 1 + imm
  return at + 1 + off
}

/**
 * Walks a fused program whose bodies do nothing but set r0 and exit, for a chain of constant verdicts: gives the
 * positions that counted, with the slot each counted in, and the verdict at the end. A tiny interpreter of exactly
 * what an epilogue may use, so that a wrong mask or jump is seen without a kernel.
 */
function walk(
  code: Buffer,
  entryBytes = ENTRY_COUNTER_BYTES,
): {
  counted: [position: number, slot: number][]
  tailCalls?: [map: number, index: bigint][]
  verdict: bigint
} {
  const registers = Array<bigint>(11).fill(0n)
  const tailCalls: [number, bigint][] = []
  const counted: [number, number][] = []
  const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)
  let counter = 0n
  for (let at = PROLOGUE, steps = 0; steps < 10_000; at++, steps++) {
    const { code: op, dst, src, off, imm } = decodeAt(code, at)
    const [left, right] = [registers[dst] ?? 0n, registers[src] ?? 0n]
    if (op === OP.EXIT)
      return { counted, verdict: registers[0] ?? 0n, ...(tailCalls.length > 0 ? { tailCalls } : {}) }
    else if (op === OP.LD_IMM64) {
      registers[dst] = BigInt(imm)
      at++
    } else if (op === OP.CALL && imm === HELPER_TAIL_CALL && src === CALL_KIND.HELPER)
      tailCalls.push([Number(registers[2]), registers[3] ?? 0n]) // it finds nothing, and falls through
    else if (op === OP.ADD32_K) registers[dst] = BigInt.asUintN(32, left + BigInt(imm))
    else if (op === OP.MOV64_K) registers[dst] = u64(BigInt(imm))
    else if (op === OP.MOV64_X) registers[dst] = right
    else if (op === OP.MOV32_K) registers[dst] = BigInt.asUintN(32, BigInt(imm))
    else if (op === OP.MOV32_X) registers[dst] = BigInt.asUintN(32, right)
    else if (op === OP.LSH64_K) registers[dst] = u64(left << BigInt(imm))
    else if (op === OP.LSH32_X) registers[dst] = BigInt.asUintN(32, left << (right & 31n))
    else if (op === OP.ADD64_K) registers[dst] = u64(left + BigInt(imm))
    else if (op === OP.ADD64_X) registers[dst] = u64(left + right)
    else if (op === OP.LDX_DW) {
      if (src === 10)
        registers[dst] = 0n // context or counters: addresses start at 0 here
      else [counter, registers[dst]] = [right + BigInt(off), 0n]
    } else if (op === OP.STX_DW)
      counted.push([Math.floor(Number(counter) / entryBytes), (Number(counter) % entryBytes) / 8])
    else if (op === OP.JA) at += off
    else if (op === OP.JA32) at += imm
    else if (op === OP.JEQ_K) at += left === BigInt(imm) ? off : 0
    else if (op === OP.JLE_K) at += left <= BigInt(imm) ? off : 0
    else if (op === OP.JSET_K) at += (left & BigInt(imm)) !== 0n ? off : 0
    else throw new Error(`slot ${at}: opcode ${op} is none of an epilogue`)
  }
  throw new Error('the program does not end')
}

describe('a fused program', () => {
  const body = program(
    skipIfZero(2), // 0
    ...[verdict(1)], // 1, 2
    load64(IMM64_KIND.VALUE, 5, 0x95), // 3, 4: the upper half looks like an exit
    callSubprogram(3), // 5 -> 9
    exit(), // 6
    ...[verdict(2)], // 7, 8
    callSubprogram(1), // 9 -> 11, in the first subprogram
    exit(), // 10
    exit(), // 11, the second subprogram
  )
  const fused = fuse([entry(body, 40), entry(verdict(2), 8), entry(body, 16)], COUNTERS_FD)
  const all = instructions(fused.code)
  const [MAIN, EPILOGUE] = [9, COUNT + 2]
  const first = PROLOGUE + 1
  const second = first + MAIN + EPILOGUE + 1
  const third = second + 2 + EPILOGUE + 1
  const tails = third + MAIN + COUNT + 1

  test('keeps the context below the deepest entry’s stack, the counters below that', () => {
    expect(fused.stackBytes).toBe(40 + 16)
    expect(all[0]).toEqual({ code: OP.STX_DW, dst: 10, src: 1, off: -48, imm: 0 })
    expect(all[4]).toEqual({ code: OP.LD_IMM64, dst: 1, src: IMM64_KIND.MAP_FD, off: 0, imm: COUNTERS_FD })
    expect(all[PROLOGUE - 1]).toEqual({ code: OP.STX_DW, dst: 10, src: 0, off: -56, imm: 0 })
  })

  test('gives each body its context anew', () => {
    for (const start of [first, second, third])
      expect(all[start - 1]).toEqual({ code: OP.LDX_DW, dst: 1, src: 10, off: -48, imm: 0 })
  })

  test('leaves every instruction of a body where it was, but for exits and calls', () => {
    for (const start of [first, third])
      for (let at = 0; at < MAIN; at++)
        if (![2, 5, 6, 8].includes(at)) expect(all[start + at]).toEqual(decodeAt(body, at))
  })

  test('turns every exit of an entry function into a jump to its own end', () => {
    for (const start of [first, third])
      for (const at of [2, 6, 8]) {
        expect(all[start + at]?.code).toBe(OP.JA)
        expect(targetOf(fused.code, start + at)).toBe(start + MAIN)
      }
    expect(targetOf(fused.code, second + 1)).toBe(second + 2)
  })

  test('leads calls to each body’s own subprograms, which keep their exits and distances', () => {
    expect(targetOf(fused.code, first + 5)).toBe(tails)
    expect(targetOf(fused.code, third + 5)).toBe(tails + 3)
    for (const tail of [tails, tails + 3])
      expect(fused.code.subarray(tail * 8, (tail + 3) * 8)).toEqual(body.subarray(9 * 8))
    expect(all).toHaveLength(tails + 6)
  })

  test('lists where functions start', () =>
    expect(fused.functions.map(({ slot }) => slot)).toEqual([0, tails, tails + 2, tails + 3, tails + 5]))

  test('exits at the end of the last body, whatever the verdict', () => {
    expect(all[tails - 1]?.code).toBe(OP.EXIT)
    expect(all.slice(third + MAIN, tails - 1).every(({ code }) => code !== OP.JEQ_K)).toBe(true)
  })

  test('is the same for the same entries, and another for another order', () => {
    const again = fuse([entry(body, 40), entry(verdict(2), 8), entry(body, 16)], COUNTERS_FD)
    expect(again).toEqual(fused)
    const other = fuse([entry(verdict(2), 8), entry(body, 40), entry(body, 16)], COUNTERS_FD)
    expect(other.code).not.toEqual(fused.code)
  })

  test('leaves the entries’ own instructions alone', () => {
    const before = Buffer.from(body)
    fuse([entry(body), entry(body)], COUNTERS_FD)
    expect(body).toEqual(before)
  })

  test('calls nothing but subprograms and the lookup of its counters', () => {
    const calls = all.filter(({ code }) => code === OP.CALL)
    expect(calls.filter(({ src }) => src === CALL_KIND.HELPER)).toHaveLength(1)
    expect(calls.filter(({ src }) => src === CALL_KIND.SUBPROGRAM)).toHaveLength(4)
  })
})

describe('verdicts', () => {
  const MASKS: [string, number][] = [
    ['a single verdict', PASS_BIT],
    ['verdict 0', 1],
    ['verdict 4', 1 << 4],
    ['several', PASS_BIT | TX_BIT],
    ['all', 0b11111],
    ['none', 0],
  ]
  test.each(MASKS)('the chain goes on after those of its mask only: %s', (_, mask) => {
    for (const value of [0, 1, 2, 3, 4, 5, 6, 32, 33, 255, -1, 0x7fff_ffff]) {
      const proceeds = value >= 0 && value <= 4 && ((mask >> value) & 1) === 1
      const slot = value >= 0 && value <= 4 ? value : 5
      const walked = walk(fuse([entry(verdict(value), 0, mask), entry(verdict(1))], COUNTERS_FD).code)
      const expected = proceeds
        ? {
            counted: [
              [0, slot],
              [1, 1],
            ],
            verdict: 1n,
          }
        : { counted: [[0, slot]], verdict: BigInt.asUintN(64, BigInt(value)) }
      expect([value, walked]).toEqual([value, expected])
    }
  })

  test('only the low 32 bits of r0 are the verdict', () => {
    const high = program(
      ...[encode(OP.MOV64_K, 0, 0, 0, 1), encode(OP.LSH64_K, 0, 0, 0, 32), encode(OP.ADD64_K, 0, 0, 0, 2)],
      exit(),
    ) // r0 = 2^32 + 2
    for (const mask of [PASS_BIT, PASS_BIT | TX_BIT])
      expect(walk(fuse([entry(high, 0, mask), entry(verdict(1))], COUNTERS_FD).code).counted).toEqual([
        [0, 2],
        [1, 1],
      ])
  })

  test('every position counts in its own block', () => {
    const entries = Array.from({ length: LIMITS.chain_entries }, () => entry(verdict(2)))
    const { counted, verdict: last } = walk(fuse(entries, COUNTERS_FD).code)
    expect(counted).toEqual(entries.map((_, position) => [position, 2]))
    expect(last).toBe(2n)
  })
})

describe('a called entry', () => {
  const body = program(callSubprogram(1), exit(), verdict(2))
  const group = emitGroup([entry(verdict(2), 8), { ...entry(body, 480), called: true }], {
    ...{ rules: XDP, countersMap: COUNTERS_FD, first: 0, next: undefined },
  })

  test('is appended whole, with its exits, and called from where it would lie', () => {
    const at = group.code.length / 8 - body.length / 8
    expect(group.code.subarray(at * 8)).toEqual(body)
    const calls = instructions(group.code).flatMap(({ code, src }, slot) =>
      code === OP.CALL && src === CALL_KIND.SUBPROGRAM ? [slot] : [],
    )
    expect(targetOf(group.code, calls[0] ?? 0)).toBe(at)
  })

  test('keeps its own frame, and is told from functions that stay as they are', () => {
    expect(group.stackBytes).toBe(8 + 16)
    expect(group.functions.map(({ entry: of, position, called }) => [of, position, called])).toEqual([
      [0, 0, false],
      [1, 0, true],
      [1, 1, false],
    ])
  })
})

describe('the verdict of an entry', () => {
  const unknown = (body: Buffer, called = true): number =>
    instructions(fuse([{ ...entry(body), called }, entry(verdict(2))], COUNTERS_FD).code).filter(
      ({ code, dst }) => code === OP.XOR64_X && dst === 0,
    ).length

  test('is made one that the verifier does not know where it may come from elsewhere, and stays what it is', () => {
    expect(unknown(program(tailCall(), verdict(2)))).toBe(2) // the same number, twice
    expect(unknown(program(encode(LEGACY_LOAD, 0, 0, 0, 12), verdict(2)))).toBe(2)
  })

  test.each([true, false])(
    'is made unknown where it comes from elsewhere by a subprogram, called: %s',
    (called) => {
      for (const unseen of [tailCall(), encode(LEGACY_LOAD, 0, 0, 0, 12)])
        expect(unknown(program(callSubprogram(1), exit(), unseen, verdict(2)), called)).toBe(2)
    },
  )

  test('is left alone where the verifier sees every one', () => {
    expect(unknown(verdict(2))).toBe(0)
    expect(unknown(program(encode(LEGACY_LOAD, 0, 0, 0, 12), verdict(2)), false)).toBe(0) // it leaves the chain
  })
})

test('callbacks are led to where their functions lie', () => {
  const body = program(load64(IMM64_KIND.FUNCTION, 2), exit(), verdict(0)) // slots 0, 1: the function at 3
  const { code, functions } = fuse([entry(verdict(2)), entry(body)], COUNTERS_FD)
  const at = instructions(code).findIndex(
    ({ code: op, src }) => op === OP.LD_IMM64 && src === IMM64_KIND.FUNCTION,
  )
  expect(at + 1 + (decodeAt(code, at).imm ?? 0)).toBe(functions[1]?.slot)
  expect(code.subarray((functions[1]?.slot ?? 0) * 8)).toEqual(verdict(0))
})

test('calls of kernel modules name them by one table of the group', () => {
  const call = (index: number): Buffer => program(encode(OP.CALL, 0, CALL_KIND.KFUNC, index, 77), exit())
  const { code, modules } = fuse(
    [
      { ...entry(call(1)), modules: new Map([[1, 500]]) },
      { ...entry(call(2)), modules: new Map([[2, 600]]) },
      { ...entry(call(1)), modules: new Map([[1, 600]]) },
    ],
    COUNTERS_FD,
  )
  expect(modules).toEqual([500, 600])
  const calls = instructions(code).filter(({ code: op, src }) => op === OP.CALL && src === CALL_KIND.KFUNC)
  expect(calls.map(({ off }) => off)).toEqual([1, 2, 2])
})

describe('a group that goes on in another', () => {
  const linked = (onMissing: 'pass' | 'drop', hook: 'xdp' | 'tc-ingress', value: number): Buffer =>
    emitGroup([{ ...entry(verdict(value), 0, hook === 'xdp' ? PASS_BIT : 1 << 1), onMissing }], {
      ...{ rules: rulesOf(hook, 'tcx'), countersMap: COUNTERS_FD, first: 3 },
      next: { map: 9, index: 4 },
    }).code

  test.each([
    ['xdp', 'pass', 2, 2n, 64, 7],
    ['xdp', 'drop', 2, 1n, 64, 7],
    ['tc-ingress', 'pass', 0, BigInt.asUintN(64, -1n), 128, 15],
    ['tc-ingress', 'drop', 0, 2n, 128, 15],
  ] as const)(
    'on %s counts a missing successor, and then says %s',
    (hook, onMissing, value, verdict, bytes, slot) => {
      const walked = walk(linked(onMissing, hook, value), bytes)
      expect(walked.tailCalls).toEqual([[9, 4n]])
      expect(walked.counted).toEqual([
        [3, hook === 'xdp' ? value : value + 1],
        [3, slot],
      ])
      expect(walked.verdict).toBe(verdict)
    },
  )

  test('does not when the verdict is none to proceed on', () =>
    expect(walk(linked('pass', 'xdp', 1))).toEqual({ counted: [[3, 1]], verdict: 1n }))
})

describe('the end of a chain on TC', () => {
  const [NEXT, OK, SHOT, STOLEN, QUEUED, REDIRECT, TRAP] = [-1, 0, 2, 4, 5, 7, 8] as const
  const OK_AND_NEXT = (1 << 0) | (1 << 1)
  const end = (tc: 'tcx' | 'clsact', value: number, mask = OK_AND_NEXT): bigint =>
    BigInt.asIntN(
      64,
      walk(
        emitGroup([entry(verdict(value), 0, mask)], {
          ...{ rules: rulesOf('tc-egress', tc), countersMap: COUNTERS_FD, first: 0, next: undefined },
        }).code,
        128,
      ).verdict,
    )

  test.each(['tcx', 'clsact'] as const)('a verdict to proceed on lets what is behind go on: %s', (tc) => {
    for (const value of [OK, NEXT]) expect([value, end(tc, value)]).toEqual([value, BigInt(NEXT)])
    expect(end(tc, OK, 1 << 0)).toBe(BigInt(OK))
    for (const value of [SHOT, QUEUED, REDIRECT, 1, 3, 77])
      expect([value, end(tc, value)]).toEqual([value, BigInt(value)])
  })

  test('TCX would let pass what a program took away: it is dropped there', () => {
    for (const value of [STOLEN, TRAP]) {
      expect([value, end('tcx', value)]).toEqual([value, BigInt(SHOT)])
      expect([value, end('clsact', value)]).toEqual([value, BigInt(value)])
    }
  })
})

describe('limits', () => {
  const chain = (count: number): GroupEntry[] => Array.from({ length: count }, () => entry(verdict(2)))
  test('a chain has at least one entry and at most as many as counters fit', () => {
    expectRefusal(() => requireChainLength(0), 'chain_too_long', /1 to 256 entries, not 0/)
    expectRefusal(() => requireChainLength(257), 'chain_too_long', /not 257/)
    requireChainLength(1)
    requireChainLength(256)
    expect(fuse(chain(256), COUNTERS_FD).functions).toHaveLength(1)
  })

  test('the deepest entry and 16 bytes more fit 512, one byte above does not', () => {
    expect(fuse([entry(verdict(2), 8), entry(verdict(2), 496)], COUNTERS_FD).stackBytes).toBe(512)
    expect(fuse([entry(verdict(2), 489)], COUNTERS_FD).stackBytes).toBe(512) // slots are aligned to 8 bytes
    expectRefusal(
      () => fuse([entry(verdict(2), 8), entry(verdict(2), 497)], COUNTERS_FD),
      'chain_stack',
      /deepest entry uses 504 bytes .* 520 of 512/,
    )
  })

  test('256 functions fit, one more does not', () => {
    const withOne = program(callSubprogram(1), exit(), exit())
    const many = (count: number): GroupEntry[] => Array.from({ length: count }, () => entry(withOne))
    expect(fuse(many(255), COUNTERS_FD).functions).toHaveLength(LIMITS.bpf_subprograms)
    expectRefusal(() => fuse(many(256), COUNTERS_FD), 'chain_subprograms', /257 functions, of 256/)
  })

  test.each([
    [32_767, OP.JA],
    [32_768, OP.JA32],
  ])('an exit %i slots before its body’s end jumps by opcode %i', (distance, op) => {
    const long = program(skipIfZero(1), exit(), filler(distance - 1), exit())
    const { code } = fuse([entry(long), entry(verdict(2))], COUNTERS_FD)
    const at = PROLOGUE + 2
    expect(decodeAt(code, at).code).toBe(op)
    expect(targetOf(code, at)).toBe(PROLOGUE + 1 + long.length / 8)
  })
})
