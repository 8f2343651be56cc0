import { describe, expect, test } from 'vitest'
import { readBody } from '../../src/bytecode/body.ts'
import { encode, IMM64_KIND } from '../../src/bytecode/instruction.ts'
import {
  formOf,
  type Layout,
  type LayoutEntry,
  layoutObstacle,
  layoutsOf,
} from '../../src/bytecode/layout.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { expectRefusal } from '../elf/codes.ts'
import { callHelper, callSubprogram, exit, filler, load64, program, tailCall, verdict } from './assembler.ts'

const LDX = { b: 0x71, dw: 0x79 }
const [TSTAMP, TSTAMP_TYPE, DYNPTR_FROM_MEM] = [152, 180, 197]
const LEGACY_WORD = 0x20

const entry = (code: Buffer, more: Partial<LayoutEntry> = {}): LayoutEntry => ({
  ...{
    name: 'it',
    body: readBody(code, 'it'),
    stackBytes: [8],
    verified: 100,
    gplCompatible: true,
    typed: true,
  },
  ...more,
})
const plain = (more: Partial<LayoutEntry> = {}): LayoutEntry => entry(verdict(2), more)
const times = (count: number, one: LayoutEntry): LayoutEntry[] => Array.from({ length: count }, () => one)
/** A program that uses maps by these ids. */
const withMaps = (first: number, count: number): LayoutEntry =>
  entry(program(...Array.from({ length: count }, (_, at) => load64(IMM64_KIND.MAP_FD, first + at)), exit()))
/** A program of so many functions, each called by the main one. */
const withFunctions = (count: number): LayoutEntry =>
  entry(
    program(
      ...Array.from({ length: count - 1 }, () => callSubprogram(count - 1)),
      exit(),
      ...Array.from({ length: count - 1 }, () => exit()),
    ),
    { stackBytes: Array(count).fill(0) },
  )
const jumping = entry(program(tailCall(), verdict(2)))

/** A layout as text: `|` between programs, `i` inlined, `c` called. */
const text = (layout: Layout | undefined): string =>
  (layout ?? []).map((group) => group.map(({ called }) => (called ? 'c' : 'i')).join('')).join('|')
const texts = (entries: readonly LayoutEntry[]): string[] => layoutsOf(entries).map(text)

describe('layouts', () => {
  test('are one program at best, and each body by itself at worst; no two are the same', () => {
    expect(texts(times(3, plain()))).toEqual(['iii', 'i|i|i', 'ccc', 'c|c|c'])
    expect(texts([plain()])).toEqual(['i', 'c'])
    expect(texts(times(16, plain()))).toEqual([
      'iiiiiiiiiiiiiiii',
      'ii|ii|ii|ii|ii|ii|ii|ii',
      'cccccccccccccccc',
      Array(16).fill('i').join('|'),
      Array(16).fill('c').join('|'),
    ])
  })

  test('of many programs come behind those of few: a tail call costs most beyond eight', () => {
    const programs = layoutsOf(times(12, plain())).map(({ length }) => length)
    const many = programs.findIndex((count) => count > LIMITS.chain_groups)
    expect(many).toBeGreaterThan(0)
    expect(programs.slice(many).every((count) => count > LIMITS.chain_groups)).toBe(true)
  })

  test('have every entry once, in its order', () => {
    const entries = Array.from({ length: 40 }, (_, at) => plain({ verified: at * 10_000 }))
    for (const layout of layoutsOf(entries))
      expect(layout.flat().map(({ position }) => position)).toEqual([...entries.keys()])
  })

  test('hold from 1 entry to as many as a chain can have', () => {
    expectRefusal(() => layoutsOf([]), 'chain_too_long', /not 0/)
    expectRefusal(() => layoutsOf(times(257, plain())), 'chain_too_long', /not 257/)
    expect(texts(times(256, plain()))[0]).toBe('i'.repeat(256))
  })

  test('have at most as many programs as tail calls can link', () => {
    const large = (count: number): LayoutEntry[] =>
      times(count, plain({ verified: LIMITS.chain_verified_instructions }))
    expect(text(layoutsOf(large(34))[0])).toBe(Array(34).fill('i').join('|'))
    expectRefusal(() => layoutsOf(large(35)), 'chain_too_long', /35 programs, of 34/)
  })
})

describe('an entry that is never inlined before others', () => {
  test.each<[string, Buffer]>([
    ['makes tail calls of its own', program(tailCall(), verdict(2))],
    ['loads from the packet the old way', program(encode(LEGACY_WORD, 0, 0, 0, 12), exit())],
    ['may keep dynamic pointers', program(callHelper(DYNPTR_FROM_MEM), exit())],
  ])('%s', (_, code) => {
    for (const one of texts([plain(), entry(code), plain()])) expect(one.replaceAll('|', '').at(1)).toBe('c')
  })

  test('may be inlined in the last place if it only keeps something on the stack', () => {
    const keeping = entry(program(callHelper(DYNPTR_FROM_MEM), exit()))
    expect(texts([keeping, keeping])[0]).toBe('ci')
    expect(texts([jumping, jumping])[0]).toBe('cc')
  })
})

describe('what one program cannot hold is cut', () => {
  test('by maps: 64 with the counters, and with the array of programs where the chain goes on', () => {
    expect(texts([withMaps(1, 31), withMaps(50, 32)])[0]).toBe('ii')
    expect(texts([withMaps(1, 32), withMaps(50, 32)])[0]).toBe('i|i')
    expect(texts([withMaps(1, 63)])[0]).toBe('i')
    expect(texts([withMaps(1, 63), withMaps(1, 63)])[0]).toBe('ii') // the same maps
    expectRefusal(() => layoutsOf([withMaps(1, 64)]), 'chain_maps', /65 maps, of 64/)
    expect(texts([withMaps(1, 62), withMaps(100, 63)])[0]).toBe('i|i')
    expectRefusal(() => layoutsOf([withMaps(1, 63), withMaps(100, 63)]), 'chain_maps', /^it: 65 maps/)
  })

  test('by functions: 256 with the main one', () => {
    expect(texts([withFunctions(128), withFunctions(129)])[0]).toBe('ii')
    expect(texts([withFunctions(129), withFunctions(129)])[0]).toBe('i|i')
    expect(texts([withFunctions(256)])).toEqual(['i']) // called, it would be 257
    expectRefusal(() => layoutsOf([withFunctions(257)]), 'chain_subprograms', /257 functions/)
  })

  test('by what the verifier walks', () => {
    const half = plain({ verified: LIMITS.chain_verified_instructions / 2 })
    expect(texts(times(3, half))[0]).toBe('ii|i')
    expect(texts([plain({ verified: 10 * LIMITS.chain_verified_instructions })])[0]).toBe('i') // the kernel may think otherwise
  })

  test('between GPL and other licences, in whichever order', () => {
    const other = plain({ gplCompatible: false })
    expect(texts([plain(), other, other, plain()])[0]).toBe('i|ii|i')
    expect(texts([other, other])[0]).toBe('ii')
  })

  test('between functions with and without types, only where types are needed', () => {
    const untyped = plain({ typed: false })
    const calling = entry(program(load64(IMM64_KIND.FUNCTION, 2), exit(), verdict(0)), { stackBytes: [8, 0] })
    expect(texts([plain(), untyped])[0]).toBe('ii')
    expect(texts([calling, untyped])[0]).toBe('i|i')
    expect(texts([jumping, untyped])[0]).toBe('c|i')
    expectRefusal(
      () => layoutsOf([plain(), { ...calling, typed: false }]),
      'chain_no_btf',
      /of it are not known/,
    )
    expectRefusal(() => layoutsOf([{ ...jumping, typed: false }]), 'chain_no_btf', /of it are not known/)
  })

  test('between programs that mean different things by tstamp', () => {
    const knowing = entry(program(encode(LDX.b, 0, 6, TSTAMP_TYPE, 0), exit()))
    const simple = entry(program(encode(LDX.dw, 0, 6, TSTAMP, 0), exit()))
    expect(texts([knowing, simple, plain()])[0]).toBe('i|ii')
    expect(texts([knowing, plain(), knowing])[0]).toBe('iii')
    expect(texts([simple, plain(), simple])[0]).toBe('iii')
  })
})

describe('stack', () => {
  /** A program whose entry function calls another. */
  const calling = (main: number, sub: number): LayoutEntry =>
    entry(program(callSubprogram(1), exit(), exit()), { stackBytes: [main, sub] })

  test('of inlined bodies is shared: the deepest counts, and 16 bytes of the chain', () => {
    expect(texts([plain({ stackBytes: [496] }), plain({ stackBytes: [400] })])[0]).toBe('ii')
    expectRefusal(() => layoutsOf([plain({ stackBytes: [497] })]), 'chain_stack', /520 bytes of stack/)
  })

  test('of a called function lies below that of the deepest body: such entries are cut, or called too', () => {
    expect(texts([plain({ stackBytes: [400] }), calling(0, 96)])[0]).toBe('ii') // 416 and 96
    const found = texts([plain({ stackBytes: [400] }), calling(0, 97)])
    expect(found).toContain('i|i')
    expect(found).toContain('cc')
  })

  test('of one entry may be too large for every form', () => {
    expect(texts([calling(400, 96)])[0]).toBe('i')
    expectRefusal(() => layoutsOf([calling(480, 32)]), 'chain_stack', /544 bytes of stack/)
    expect(texts([calling(464, 32)])).toEqual(['i']) // 480 and 32; called it would be 32, 480 and 32
  })

  test('above a tail call is less than 256 bytes', () => {
    expect(texts([plain({ stackBytes: [232] }), jumping])[0]).toBe('ic')
    expect(texts([plain({ stackBytes: [240] }), jumping])[0]).toBe('i|c')
    expect(texts([plain({ stackBytes: [240] }), jumping])).toContain('cc')
  })
})

test('a layout that is known to be impossible says why', () => {
  const inlined = (positions: number[]): Layout => [
    positions.map((position) => ({ position, called: false })),
  ]
  const entries = [withMaps(1, 32), withMaps(50, 32), plain({ gplCompatible: false })]
  expect(layoutObstacle(inlined([0, 1]), entries)?.code).toBe('chain_maps')
  expect(layoutObstacle(inlined([0, 2]), entries)?.code).toBe('internal')
  expect(layoutObstacle([...inlined([0]), ...inlined([1]), ...inlined([2])], entries)).toBeUndefined()
  for (const layout of layoutsOf(entries)) expect(layoutObstacle(layout, entries)).toBeUndefined()
})

test('the form of an entry follows from its place', () => {
  const [inlined, called] = [false, true].map((how) => (position: number) => ({ position, called: how }))
  if (inlined === undefined || called === undefined) throw new Error('two ways')
  const forms = (layout: Layout): string[] => layout.flat().map(({ position }) => formOf(layout, position))
  expect(forms([[inlined(0), called(1)]])).toEqual(['fused', 'called'])
  expect(forms([[inlined(0), called(1)], [inlined(2)], [called(3)]])).toEqual([
    ...['group', 'called', 'exit-rewrite', 'wrap'],
  ])
})

test('a long body is one like any other', () => {
  const long = entry(program(filler(40_000), exit()), { verified: 40_001 })
  expect(texts([long, plain()])[0]).toBe('ii')
})
