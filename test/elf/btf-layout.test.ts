import { describe, expect, test } from 'vitest'
import { isVolatile, layoutWriter, scalarOf, sizeOf } from '../../src/elf/btf-layout.ts'
import { readBtf } from '../../src/elf/btf-types.ts'
import { expectRefusal } from './codes.ts'
import { array, type CraftedType, craftBtf, int, KIND, pointer, struct } from './craft-btf.ts'

const SIGNED = 1
const BOOL = 4
const named = (kind: number, sizeOrType: number, name = ''): CraftedType => ({ kind, name, sizeOrType })
const read = (types: readonly CraftedType[]) => readBtf(craftBtf(types))
/** The layout of the last of `types`. */
const layout = (types: readonly CraftedType[]): string => layoutWriter(read(types))(types.length)

describe('a layout', () => {
  const cases: [string, CraftedType[], string][] = [
    ['unsigned', [int(4)], 'u32'],
    ['signed', [int(8, SIGNED)], 'i64'],
    ['bool', [int(1, BOOL)], 'bool'],
    ['128 bits', [int(16)], 'int 16 unsigned 128 bits at 0'],
    ['part of an int', [int(4, SIGNED, 20)], 'int 4 signed 20 bits at 0'],
    ['enum', [named(KIND.enum, 4, 'mode')], 'u32'],
    [
      'enum with a negative value',
      [{ kind: KIND.enum, count: 1, sizeOrType: 4, extra: ['LESS', -1] }],
      'i32',
    ],
    ['signed enum of 64 bits', [{ kind: KIND.enum64, flag: true, sizeOrType: 8 }], 'i64'],
    ['float', [named(16, 8)], 'f64'],
    ['pointer, to anything', [int(4), pointer(1)], 'ptr'],
    ['array of arrays', [int(1), array(1, 5), array(2, 3)], '[3][5]u8'],
    ['behind a typedef', [int(2), named(KIND.typedef, 1, 'port')], 'u16'],
    [
      'behind typedef, const and volatile',
      [int(2), named(KIND.volatile, 1), named(KIND.const, 2), named(KIND.typedef, 3, 'fixed')],
      'u16',
    ],
    ['empty struct', [struct(0, [])], 'struct 0 {}'],
    [
      'struct',
      [
        int(4),
        struct(8, [
          ['a', 1, 0],
          ['b', 1, 32],
        ]),
      ],
      'struct 8 {a@0 u32; b@32 u32}',
    ],
    [
      'bit-fields',
      [
        int(4),
        {
          ...struct(4, [
            ['a', 1, 3 << 24],
            ['b', 1, (29 << 24) | 3],
          ]),
          flag: true,
        },
      ],
      'struct 4 {a@0:3 u32; b@3:29 u32}',
    ],
    [
      'union inside a struct',
      [int(4), { ...struct(4, [['x', 1, 0]]), kind: KIND.union }, struct(4, [['', 2, 0]])],
      'struct 4 {@0 union 4 {x@0 u32}}',
    ],
  ]
  test.each(cases)('%s', (_, types, text) => expect(layout(types)).toBe(text))

  const pair = (first: string, size: number, bit: number) =>
    layout([
      int(4),
      int(4, SIGNED),
      struct(size, [
        [first, 1, 0],
        ['b', 1, bit],
      ]),
    ])
  test('leaves out what a type is called', () => {
    const one = layout([int(4), { ...struct(4, [['a', 1, 0]]), name: 'one' }])
    expect(layout([int(4), { ...struct(4, [['a', 1, 0]]), name: 'two' }])).toBe(one)
  })
  test('differs by member name, offset, size and sign', () => {
    const texts = [pair('a', 8, 32), pair('c', 8, 32), pair('a', 8, 24), pair('a', 12, 32)]
    texts.push(
      layout([
        int(4),
        int(4, SIGNED),
        struct(8, [
          ['a', 2, 0],
          ['b', 1, 32],
        ]),
      ]),
    )
    expect(new Set(texts).size).toBe(5)
  })
})

describe('types that have no layout', () => {
  const nested = (depth: number): CraftedType[] => [
    int(4),
    ...Array.from({ length: depth }, (_, at) => struct(4, [['in', at + 1, 0]])),
  ]
  const refused: [string, CraftedType[], RegExp][] = [
    ['a struct inside itself', [struct(8, [['self', 1, 0]])], /nested deeper than 32/],
    ['two structs inside each other', [struct(8, [['b', 2, 0]]), struct(8, [['a', 1, 0]])], /nested deeper/],
    ['an array of itself', [array(1, 1)], /nested deeper/],
    ['structs nested too deep', nested(33), /nested deeper/],
    ['an array of 2^64 elements', [int(4), array(1, 2 ** 32 - 1), array(2, 2 ** 32 - 1)], /4 GiB/],
    ['an array of 16 GiB', [int(4), array(1, 2 ** 32 - 1)], /4 GiB/],
    ['a function', [named(KIND.func_proto, 0), named(KIND.func, 1, 'f')], /has no size/],
    ['an incomplete struct', [{ kind: KIND.fwd, name: 'later' }], /\(fwd\) has no size/],
    ['void', [named(KIND.typedef, 0, 'nothing')], /\(void\) has no size/],
    ['a member that is void', [struct(8, [['v', 0, 0]])], /\(void\) has no layout/],
  ]
  test.each(refused)('%s: refused', (_, types, message) =>
    expectRefusal(() => layout(types), 'btf_malformed', message),
  )
  test('structs nested as deep as may be: accepted', () => expect(layout(nested(32))).toContain('u32'))
  test('structs that double each other are cut off: 2^31 members', () => {
    const doubling = [struct(0, []), ...Array.from({ length: 31 }, (_, at) => twice(at + 1))]
    const start = performance.now()
    expectRefusal(() => layout(doubling), 'btf_malformed', /more than 1048576 characters/)
    expect(performance.now() - start).toBeLessThan(1000)
  })
  const twice = (of: number): CraftedType =>
    struct(0, [
      ['a', of, 0],
      ['b', of, 0],
    ])
  test('one writer bounds all its texts together', () => {
    const wide = struct(
      4,
      Array.from({ length: 30_000 }, () => ['member', 1, 0] as const),
    )
    const write = layoutWriter(read([int(4), wide]))
    expect(write(2)).toHaveLength(30_000 * 'member@0 u32; '.length + 'struct 4 {}'.length - '; '.length)
    write(2)
    expectRefusal(() => write(2), 'btf_malformed', /1048576 characters/)
  })
})

describe('sizes and scalars', () => {
  test('the size of an array is that of its elements', () =>
    expect(sizeOf(read([int(4), array(1, 3), array(2, 5)]), 3)).toBe(60))
  test('a pointer has eight bytes', () => expect(sizeOf(read([pointer(0)]), 1)).toBe(8))
  const scalars: [string, CraftedType[], string | undefined][] = [
    ['u8', [int(1)], 'u8'],
    ['i16', [int(2, SIGNED)], 'i16'],
    ['bool', [int(1, BOOL)], 'bool'],
    ['bool of four bytes', [int(4, BOOL)], 'u32'],
    ['enum', [named(KIND.enum, 4)], 'u32'],
    ['part of an int', [int(4, 0, 7)], undefined],
    ['128 bits', [int(16)], undefined],
    ['pointer', [pointer(0)], undefined],
    ['struct', [struct(4, [])], undefined],
    ['enum of three bytes', [named(KIND.enum, 3)], undefined],
  ]
  test.each(scalars)('scalar: %s', (_, types, type) => expect(scalarOf(read(types), 1)).toBe(type))
  test('volatile is seen through typedefs, but not through pointers', () => {
    const types = [int(4), named(KIND.volatile, 1), named(KIND.const, 2), pointer(2), named(KIND.const, 1)]
    const btf = read(types)
    expect([1, 2, 3, 4, 5].map((id) => isVolatile(btf, id))).toEqual([false, true, true, false, false])
  })
})
