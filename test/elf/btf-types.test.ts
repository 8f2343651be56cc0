import { describe, expect, test } from 'vitest'
import { dataSections, readBtf, resolve, variablesOf } from '../../src/elf/btf-types.ts'
import { expectRefusal } from './codes.ts'
import { array, type CraftedType, craftBtf, dataSection, int, KIND, struct, variable } from './craft-btf.ts'

const typedef = (to: number): CraftedType => ({ kind: KIND.typedef, name: 't', sizeOrType: to })

describe('the BTF header', () => {
  const whole = craftBtf([int(4)])
  const changed = (change: (bytes: Buffer) => unknown): Buffer => {
    const bytes = Buffer.from(whole)
    change(bytes)
    return bytes
  }
  const refused: [string, Buffer, RegExp][] = [
    ['missing', Buffer.alloc(0), /outside/],
    ['cut short', whole.subarray(0, 20), /outside/],
    ['with another magic number', changed((bytes) => bytes.writeUInt16LE(0x9feb, 0)), /no magic number/],
    ['of another version', changed((bytes) => bytes.writeUInt8(2, 2)), /version/],
    ['with flags', changed((bytes) => bytes.writeUInt8(1, 3)), /version/],
    ['too small', craftBtf([int(4)], { headerBytes: 8 }), /header of 8 bytes/],
    ['larger than the section', craftBtf([int(4)], { headerBytes: 0xffffffff }), /outside/],
    ['with types off their alignment', craftBtf([int(4)], { typesAt: 2 }), /not aligned/],
    ['with types over strings', craftBtf([int(4)], { typesBytes: 20 }), /overlap/],
    [
      'with types past the end',
      craftBtf([int(4)], { typesBytes: 0xfffffff0, stringsAt: 0xfffffff0 }),
      /outside/,
    ],
    ['with strings past the end', craftBtf([int(4)], { stringsBytes: 1000 }), /outside/],
    ['with strings of wrapping size', craftBtf([int(4)], { stringsBytes: 0xffffffff }), /outside/],
    ['without strings', craftBtf([], { stringsBytes: 0 }), /outside/],
    ['with strings that start with a name', craftBtf([], { strings: Buffer.from('ab\0') }), /start and end/],
    ['with strings that do not end', craftBtf([], { strings: Buffer.from('\0ab') }), /start and end/],
  ]
  test.each(refused)('%s: refused', (_, bytes, message) =>
    expectRefusal(() => readBtf(bytes), 'btf_malformed', message),
  )
  test('as compilers write it: accepted', () => expect(readBtf(whole).types).toHaveLength(2))
})

describe('a type', () => {
  const refused: [string, CraftedType[], RegExp][] = [
    ['of kind 0', [{ kind: 0 }], /type 1 has kind 0/],
    ['of an unknown kind', [{ kind: 31 }], /type 1 has kind 31/],
    ['cut short', [{ kind: KIND.int, sizeOrType: 4 }], /outside of the types/],
    ['with more members than bytes', [{ kind: KIND.struct, count: 0xffff }], /type 1 ends outside/],
    ['that names one that is not there', [typedef(9)], /type 1 \(typedef\) names type 9/],
    ['that names a huge one', [typedef(0xffffffff)], /names type 4294967295/],
    ['whose element is not there', [array(9, 1)], /type 1 \(array\) names type 9/],
    ['whose member is not there', [struct(4, [['a', 9, 0]])], /type 1 \(struct\) names type 9/],
    ['whose parameter is not there', [{ kind: KIND.func_proto, count: 1, extra: [0, 9] }], /names type 9/],
    ['whose variable is not there', [dataSection('.data', [9])], /names type 9/],
    ['with a member behind its end', [int(4), struct(4, [['a', 1, 33]])], /lies outside/],
    [
      'with a bit-field over its end',
      [int(4), { ...struct(4, [['a', 1, (30 << 24) | 8]]), flag: true }],
      /lies outside/,
    ],
    ['int of no bits', [int(4, 0, 0)], /int\) has 0 bits/],
    ['int of more bits than bytes', [int(4, 0, 64)], /int\) has 64 bits/],
    ['int of three bytes', [int(3, 0, 8)], /in 3 bytes/],
    ['int of 4 GiB', [{ ...int(4), sizeOrType: 0xffffffff }], /4294967295 bytes/],
  ]
  test.each(refused)('%s: refused', (_, types, message) =>
    expectRefusal(() => readBtf(craftBtf(types)), 'btf_malformed', message),
  )
  test('with a name outside of the strings: refused', () => {
    const bytes = craftBtf([int(4)])
    bytes.writeUInt32LE(5000, 24)
    expectRefusal(() => readBtf(bytes), 'btf_malformed', /name outside/)
  })
  test('with a bit-field that ends with it: accepted', () => {
    const types = [int(4), { ...struct(4, [['a', 1, (24 << 24) | 8]]), flag: true }]
    expect(readBtf(craftBtf(types)).types).toHaveLength(3)
  })
  test('one more than are read: refused', () => {
    const many = (count: number) => craftBtf(Array.from({ length: count }, () => typedef(0)))
    expect(readBtf(many(1 << 17)).types).toHaveLength((1 << 17) + 1)
    expectRefusal(() => readBtf(many((1 << 17) + 1)), 'elf_too_many', /131072 types/)
  })
})

describe('typedefs and qualifiers', () => {
  const chain = (length: number) =>
    readBtf(craftBtf([int(4), ...Array.from({ length }, (_, at) => typedef(at + 1))]))
  test('lead to what they stand for', () => expect(resolve(chain(32), 33).kind).toBe('int'))
  test('too many in a row: refused', () =>
    expectRefusal(() => resolve(chain(33), 34), 'btf_malformed', /more than 32 typedefs/))
  test('in a circle: refused', () => {
    const circle = readBtf(craftBtf([typedef(2), { kind: KIND.const, sizeOrType: 1 }]))
    expectRefusal(() => resolve(circle, 1), 'btf_malformed', /more than 32 typedefs/)
    expectRefusal(() => resolve(readBtf(craftBtf([typedef(1)])), 1), 'btf_malformed', /more than 32/)
  })
  test('of a type that is not there: refused', () =>
    expectRefusal(() => resolve(chain(0), 7), 'btf_malformed', /no type 7/))
})

describe('variables of a section', () => {
  const read = (types: CraftedType[]) => {
    const btf = readBtf(craftBtf(types))
    return variablesOf(btf, dataSections(btf).get('.data'))
  }
  test('are found by name', () => {
    const types = [int(4), variable('a', 1), variable('b', 1), dataSection('.data', [2, 3])]
    expect([...read(types)]).toEqual([
      ['a', 1],
      ['b', 1],
    ])
    expect(read([int(4), variable('a', 1), dataSection('.bss', [2])]).size).toBe(0)
  })
  const refused: [string, CraftedType[], RegExp][] = [
    ['no variable', [int(4), dataSection('.data', [1])], /holds type 1 \(int\)/],
    ['two of one name', [variable('a', 0), variable('a', 0), dataSection('.data', [1, 2])], /"a" twice/],
    ['one twice', [variable('a', 0), dataSection('.data', [1, 1])], /"a" twice/],
    ['a section twice', [dataSection('.data', []), dataSection('.data', [])], /described twice/],
    ['a name with control characters', [variable('a\x1b', 0), dataSection('.data', [1])], /not printable/],
  ]
  test.each(refused)('%s: refused', (_, types, message) =>
    expectRefusal(() => read(types), 'btf_malformed', message),
  )
})
