import { describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { findSection, readElf } from '../../src/elf/elf-file.ts'
import { readSymbols } from '../../src/elf/symbols.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { expectRefusal } from './codes.ts'
import {
  array,
  type CraftedType,
  craftBtf,
  dataSection,
  int,
  pointer,
  struct,
  variable,
} from './craft-btf.ts'
import { type CraftedSymbol, craftWith, SYMBOL } from './craft-elf.ts'

/** An object with one map `m` whose struct is the last of `types`. */
function withMap(types: readonly CraftedType[], symbols?: readonly CraftedSymbol[]): Buffer {
  const all = [...types, variable('m', types.length), dataSection('.maps', [types.length + 1])]
  return craftWith(
    [
      { name: '.maps', data: Buffer.alloc(64) },
      { name: '.BTF', data: craftBtf(all) },
    ],
    symbols ?? [{ name: 'm', section: '.maps', type: SYMBOL.object, size: 32 }],
  )
}

type Member = readonly [name: string, type: number, bit: number]

/** Types: 1 u32, 2 and 3 the number 2 as __uint writes it, 4 a pointer to u32, 5 the map's struct. */
const declared = (...members: Member[]): CraftedType[] => [
  int(4),
  array(1, 2),
  pointer(2),
  pointer(1),
  struct(64, members),
]
const TYPE: Member = ['type', 3, 0]

describe('a declared map', () => {
  test('has the numbers and types of its attributes', () => {
    const members: Member[] = [TYPE, ['max_entries', 3, 0], ['map_flags', 3, 0], ['pinning', 3, 0]]
    const bytes = withMap(declared(...members, ['key', 4, 0], ['value', 4, 0]))
    expect(readObject(bytes).maps).toEqual([
      {
        name: 'm',
        kind: 'map',
        type: 2,
        typeName: 'array',
        keySize: 4,
        valueSize: 4,
        maxEntries: 2,
        flags: 2,
        pinned: true,
        layout: 'key u32 value u32',
        key: { kind: 'scalar', size: 4, scalar: 'u32', element: undefined, members: [] },
        value: { kind: 'scalar', size: 4, scalar: 'u32', element: undefined, members: [] },
        programs: [],
      },
    ])
  })
  test('of sizes alone has these as its layout', () => {
    const bytes = withMap(declared(TYPE, ['key_size', 3, 0], ['value_size', 3, 0]))
    expect(readObject(bytes).maps).toMatchObject([
      { keySize: 2, valueSize: 2, layout: 'key 2 bytes value 2 bytes' },
    ])
  })
  const refused: [string, CraftedType[], RegExp][] = [
    ['without type', declared(['max_entries', 3, 0]), /has no type/],
    ['with an unknown attribute', declared(TYPE, ['speed', 3, 0]), /attribute "speed"/],
    ['with an attribute twice', declared(TYPE, TYPE), /names type twice/],
    ['whose number is no pointer', declared(['type', 1, 0]), /is a int, not a pointer/],
    ['whose number is a pointer to an int', declared(['type', 4, 0]), /is no number/],
    [
      'whose sizes disagree',
      declared(TYPE, ['key', 4, 0], ['key_size', 3, 0]),
      /key_size is 2, but .* 4 bytes/,
    ],
    ['whose value is no pointer', declared(TYPE, ['value', 1, 0]), /not a pointer/],
    ['whose values are no array', declared(TYPE, ['values', 4, 0]), /not an array/],
    ['that is no struct', [int(4)], /is a int, not a struct/],
    [
      'that is a value of void',
      [...declared().slice(0, 4), pointer(0), struct(64, [TYPE, ['value', 5, 0]])],
      /no size/,
    ],
  ]
  test.each(refused)('%s: refused', (_, types, message) =>
    expectRefusal(() => readObject(withMap(types)), 'btf_malformed', message),
  )
  test('that holds itself: refused', () => {
    // 5: the struct; 6: a pointer to it; 7: an array of such
    const types = [...declared(TYPE, ['values', 7, 0]), pointer(5), array(6, 0)]
    const all = [...types, variable('m', 5), dataSection('.maps', [8])]
    const bytes = craftWith(
      [
        { name: '.maps', data: Buffer.alloc(64) },
        { name: '.BTF', data: craftBtf(all) },
      ],
      [{ name: 'm', section: '.maps', type: SYMBOL.object, size: 32 }],
    )
    expectRefusal(() => readObject(bytes), 'btf_malformed', /inner maps without end/)
  })
})

describe('symbols and types of maps', () => {
  const symbol = { name: 'm', section: '.maps', type: SYMBOL.object, size: 32 }
  const refused: [string, CraftedSymbol[], string, RegExp][] = [
    ['a type without symbol', [], 'btf_malformed', /map m is not in the symbol table/],
    [
      'a symbol without type',
      [symbol, { ...symbol, name: 'n', value: 32 }],
      'btf_malformed',
      /map n has no type/,
    ],
    [
      'two symbols of one name',
      [
        { ...symbol, global: false },
        { ...symbol, value: 32 },
      ],
      'btf_malformed',
      /no type/,
    ],
  ]
  test.each(refused)('%s: refused', (_, symbols, code, message) =>
    expectRefusal(() => readObject(withMap(declared(TYPE), symbols)), code, message),
  )
  test('two maps in one place: refused', () => {
    const types = [...declared(TYPE), variable('m', 5), variable('n', 5), dataSection('.maps', [6, 7])]
    const bytes = craftWith(
      [
        { name: '.maps', data: Buffer.alloc(64) },
        { name: '.BTF', data: craftBtf(types) },
      ],
      [symbol, { ...symbol, name: 'n' }],
    )
    expectRefusal(() => readObject(bytes), 'elf_malformed', /map n has the place of another/)
  })
  test('without BTF: refused', () => {
    const bytes = craftWith([{ name: '.maps', data: Buffer.alloc(64) }], [symbol])
    expectRefusal(() => readObject(bytes), 'btf_malformed', /maps, but no BTF/)
  })
  test('more maps than are read: refused', () => {
    const many = Array.from({ length: 1025 }, (_, at) => ({ ...symbol, name: `m${at}`, size: 0 }))
    expectRefusal(() => readObject(withMap(declared(TYPE), many)), 'elf_too_many', /1025 maps/)
  })
  test('definitions of before BTF: refused by name', () => {
    const bytes = compileBpf('test/elf/sources/legacy-maps.bpf.c')
    expectRefusal(() => readObject(bytes), 'elf_legacy_maps', /SEC\("maps"\)/)
  })
})

describe('a map of programs', () => {
  const bytes = compileBpf('test/elf/sources/jumps.bpf.c')
  const programsOf = (object: Buffer) =>
    Object.fromEntries(readObject(object).maps.map(({ name, programs }) => [name, programs]))
  test('may name its first ones, by slot', () =>
    expect(readObject(bytes).maps.find(({ name }) => name === 'jumps')).toMatchObject({
      typeName: 'prog_array',
      keySize: 4,
      valueSize: 4,
      maxEntries: 8,
      layout: 'key 4 bytes value program',
      programs: [
        { slot: 1, program: 'on_udp' },
        { slot: 6, program: 'on_tcp' },
      ],
    }))
  test('may name none, and maps of maps name none', () =>
    expect(programsOf(bytes)).toMatchObject({
      empty: [],
      inner_one: [],
      other_jumps: [{ slot: 0, program: 'on_tcp' }],
      outer: [],
    }))

  /** The object with other pointers in its maps; `change` gets one relocation of .rel.maps, 16 bytes, after the other. */
  function withPointers(change: (pointer: Buffer, index: number) => void): Buffer {
    const changed = Buffer.from(bytes)
    const section = findSection(readElf(changed), '.rel.maps')
    if (section === undefined) throw new Error('no pointers in maps')
    const { byteOffset, length } = section.data.bytes
    for (let at = 0; at < length; at += 16) change(Buffer.from(changed.buffer, byteOffset + at, 16), at / 16)
    return changed
  }
  const symbolOf = (name: string): number => {
    const index = readSymbols(readElf(bytes)).symbols.findIndex((symbol) => symbol.name === name)
    if (index < 0) throw new Error(`no symbol ${name}`)
    return index
  }
  test('of an older compiler has the relocations of loads', () =>
    expect(programsOf(withPointers((pointer) => pointer.writeUInt32LE(1, 8)))).toEqual(programsOf(bytes)))
  const refused: [string, (pointer: Buffer) => unknown, RegExp][] = [
    [
      'a subprogram',
      (pointer) => pointer.writeUInt32LE(symbolOf('helping'), 12),
      /to "helping", which is no program/,
    ],
    ['a map', (pointer) => pointer.writeUInt32LE(symbolOf('empty'), 12), /to "empty", which is no program/],
    ['what is not there', (pointer) => pointer.writeUInt32LE(9999, 12), /names no symbol/],
    ['a kernel symbol', (pointer) => pointer.writeUInt32LE(0, 12), /to "", which is no program/],
    [
      'half of a slot',
      (pointer) => pointer.writeUInt32LE(pointer.readUInt32LE(0) + 4, 0),
      /not an instruction or pointer/,
    ],
    ['the map’s attributes', (pointer) => pointer.writeUInt32LE(placeOf('jumps'), 0), /is not in its values/],
    ['by another relocation', (pointer) => pointer.writeUInt32LE(10, 8), /unknown type 10/],
  ]
  const placeOf = (name: string): number =>
    readSymbols(readElf(bytes)).symbols.find((symbol) => symbol.name === name)?.value ?? -1
  test.each(refused)('that names %s: refused', (_, change, message) => {
    const isFirst = (pointer: Buffer): boolean =>
      pointer.readUInt32LE(0) > placeOf('jumps') && pointer.readUInt32LE(12) === symbolOf('on_udp')
    const changed = withPointers((pointer) => isFirst(pointer) && change(pointer))
    expect(changed.equals(bytes)).toBe(false)
    expectRefusal(() => readObject(changed), 'elf_malformed', message)
  })
  test('of maps may name anything, which is the loader’s to judge', () => {
    const changed = withPointers((pointer) => {
      if (pointer.readUInt32LE(12) === symbolOf('inner_one')) pointer.writeUInt32LE(symbolOf('on_udp'), 12)
    })
    expect(programsOf(changed)).toEqual(programsOf(bytes))
  })
})

describe('layouts of compiled maps', () => {
  /** Layout of the map whose value has these members. */
  const layoutOf = (members: string, types = ''): string | undefined =>
    readObject(
      compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
${types}
struct value { ${members} };
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct value);
} m SEC(".maps");
SEC("xdp") int entry(void *ctx) { return 2; }
`),
    ).maps[0]?.layout
  const base = layoutOf('__u32 hits; __u64 last;')
  test('is what the source says', () =>
    expect(base).toBe('key u32 value struct 16 {hits@0 u32; last@64 u64}'))
  test.each([
    ['a typedef', '__u32 hits; stamp last;', 'typedef unsigned long long stamp;'],
    ['a qualifier', '__u32 hits; volatile __u64 last;', ''],
    ['an enum for its integer', 'enum e hits; __u64 last;', 'enum e { A, B };'],
    ['spelled-out padding that nothing names', '__u32 hits; __u32 :32; __u64 last;', ''],
  ])('%s makes no difference', (_, members, types) => expect(layoutOf(members, types)).toBe(base))
  test.each([
    ['another name', '__u32 hit; __u64 last;'],
    ['another order', '__u64 last; __u32 hits;'],
    ['another sign', '__s32 hits; __u64 last;'],
    ['another size', '__u16 hits; __u64 last;'],
    ['another member', '__u32 hits; __u32 more; __u64 last;'],
    ['an array of one', '__u32 hits[1]; __u64 last;'],
    ['a bit-field', '__u32 hits : 31; __u64 last;'],
  ])('%s makes a difference', (_, members) => {
    const other = layoutOf(members)
    expect(other).toMatch(/^key u32 value struct/)
    expect(other).not.toBe(base)
  })
})
