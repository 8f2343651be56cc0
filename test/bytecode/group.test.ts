import { describe, expect, test } from 'vitest'
import { readBody } from '../../src/bytecode/body.ts'
import { ENTRY_COUNTER_BYTES, type FuseEntry, fuse } from '../../src/bytecode/fuse.ts'
import {
  CALL_KIND,
  decodeAt,
  encode,
  IMM64_KIND,
  type Instruction,
  OP,
} from '../../src/bytecode/instruction.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { expectRefusal } from '../elf/codes.ts'
import { callSubprogram, exit, filler, load64, program, skipIfZero, verdict } from './assembler.ts'

const COUNTERS_FD = 42
const [PASS_BIT, TX_BIT] = [1 << 2, 1 << 3]
/** The 11 slots that keep the context and find the counters. */
const PROLOGUE = 11
const COUNT = 10

const entry = (code: Buffer, stackBytes = 0, proceedMask = PASS_BIT): FuseEntry => ({
  body: readBody(code, 'it'),
  stackBytes,
  proceedMask,
})
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
function walk(code: Buffer): { counted: [position: number, slot: number][]; verdict: bigint } {
  const registers = Array<bigint>(11).fill(0n)
  const counted: [number, number][] = []
  const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)
  let counter = 0n
  for (let at = PROLOGUE, steps = 0; steps < 10_000; at++, steps++) {
    const { code: op, dst, src, off, imm } = decodeAt(code, at)
    const [left, right] = [registers[dst] ?? 0n, registers[src] ?? 0n]
    if (op === OP.EXIT) return { counted, verdict: registers[0] ?? 0n }
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
      counted.push([
        Math.floor(Number(counter) / ENTRY_COUNTER_BYTES),
        (Number(counter) % ENTRY_COUNTER_BYTES) / 8,
      ])
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
    expect(fused.functions).toEqual([0, tails, tails + 2, tails + 3, tails + 5]))

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

describe('limits', () => {
  const chain = (count: number): FuseEntry[] => Array.from({ length: count }, () => entry(verdict(2)))
  test('a chain has at least one entry and at most as many as counters fit', () => {
    expectRefusal(() => fuse([], COUNTERS_FD), 'chain_too_long', /1 to 256 entries, not 0/)
    expectRefusal(() => fuse(chain(257), COUNTERS_FD), 'chain_too_long', /not 257/)
    expect(fuse(chain(1), COUNTERS_FD).functions).toEqual([0])
    expect(fuse(chain(256), COUNTERS_FD).functions).toEqual([0])
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
    const many = (count: number): FuseEntry[] => Array.from({ length: count }, () => entry(withOne))
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
