import { describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { expectRefusal } from './codes.ts'
import { type CraftedType, craftBtf, dataSection, int, variable } from './craft-btf.ts'
import { craftWith, SYMBOL, TYPE } from './craft-elf.ts'

/** An object with a section `.data` of 8 bytes and these symbols in it. */
const withData = (symbols: readonly object[], types?: readonly CraftedType[]): Buffer =>
  craftWith(
    [
      { name: '.data', data: Buffer.from('0102030405060708', 'hex') },
      ...(types ? [{ name: '.BTF', data: craftBtf(types) }] : []),
    ],
    symbols.map((symbol) => ({ name: 'v', section: '.data', type: SYMBOL.object, size: 4, ...symbol })),
  )
const typed = (type: CraftedType): CraftedType[] => [type, variable('v', 1), dataSection('.data', [2])]

describe('a global variable', () => {
  test('has its place from the symbol, its type from BTF', () => {
    expect(readObject(withData([{ value: 4 }], typed(int(4, 1)))).variables).toEqual([
      {
        name: 'v',
        section: '.data',
        offset: 4,
        size: 4,
        type: 'i32',
        volatile: false,
        initial: Buffer.from('05060708', 'hex'),
      },
    ])
  })
  test('without BTF has no type', () => {
    const { variables, maps, btf } = readObject(withData([{}]))
    expect(btf).toBeUndefined()
    expect(variables).toMatchObject([{ name: 'v', type: undefined, volatile: false, size: 4 }])
    expect(maps).toMatchObject([{ name: '.data', kind: 'data', layout: 'section 8 {v@0 4 bytes}' }])
  })
  test('that is static is part of the layout alone', () => {
    const { variables, maps } = readObject(withData([{ global: false }]))
    expect(variables).toEqual([])
    expect(maps[0]?.layout).toBe('section 8 {v@0 4 bytes}')
  })
  test('smaller than its type: refused, as writing it would overwrite the next', () => {
    const bytes = withData([{ size: 4 }], typed(int(8)))
    expectRefusal(() => readObject(bytes), 'btf_malformed', /variable v has 4 bytes, but its type is u64/)
  })
  test('larger than its type: refused', () =>
    expectRefusal(() => readObject(withData([{}], typed(int(2)))), 'btf_malformed', /4 bytes.*u16/))
  test('outside of its section: refused', () =>
    expectRefusal(() => readObject(withData([{ value: 6 }])), 'elf_malformed', /outside of its section/))
})

describe('a section of variables', () => {
  const section = (name: string, type: number, size: number) => ({
    name,
    type,
    size,
    data: Buffer.alloc(type === TYPE.nobits ? 0 : size),
  })
  const kinds: [string, number, string | undefined][] = [
    ['.rodata', TYPE.progbits, 'rodata'],
    ['.rodata.config', TYPE.progbits, 'rodata'],
    ['.data', TYPE.progbits, 'data'],
    ['.data.rel', TYPE.progbits, 'data'],
    ['.bss', TYPE.nobits, 'bss'],
    ['.bss.table', TYPE.nobits, 'bss'],
    ['.bss', TYPE.progbits, undefined],
    ['.rodatax', TYPE.progbits, undefined],
    ['.debug_str', TYPE.progbits, undefined],
  ]
  test.each(kinds)('%s of type %i is %s', (name, type, kind) =>
    expect(readObject(craftWith([section(name, type, 8)])).maps.map((map) => map.kind)).toEqual(
      kind === undefined ? [] : [kind],
    ),
  )
  test('that programs cannot write is an array of that flag', () =>
    expect(readObject(craftWith([section('.rodata', TYPE.progbits, 12)])).maps).toEqual([
      {
        name: '.rodata',
        kind: 'rodata',
        type: 2,
        typeName: 'array',
        keySize: 4,
        valueSize: 12,
        maxEntries: 1,
        flags: 0x80,
        pinned: false,
        layout: 'section 12 {}',
        programs: [],
      },
    ]))
  test('of nothing is left out', () =>
    expect(readObject(craftWith([section('.data', TYPE.progbits, 0)])).maps).toEqual([]))
  const mebibytes = (count: number) => section(`.bss.${count}`, TYPE.nobits, count << 20)
  test('that claims more memory than all may have: refused', () => {
    expect(readObject(craftWith([mebibytes(10), mebibytes(6)])).maps).toHaveLength(2)
    expectRefusal(() => readObject(craftWith([mebibytes(10), mebibytes(7)])), 'elf_too_many', /\.bss/)
    const tera = { ...mebibytes(1), size: 2 ** 40 }
    expectRefusal(() => readObject(craftWith([tera])), 'elf_too_many', /\.bss/)
  })
})

describe('the licence', () => {
  const licensed = (text: string) => craftWith([{ name: 'license', data: Buffer.from(text, 'latin1') }])
  test('is the text of its section', () =>
    expect(readObject(licensed('Dual MIT/GPL\0')).license).toBe('Dual MIT/GPL'))
  test('ends at the first NUL, as the kernel reads it', () =>
    expect(readObject(licensed('Proprietary\0GPL\0')).license).toBe('Proprietary'))
  test('may be missing', () => expect(readObject(craftWith()).license).toBeUndefined())
  test.each([
    ['without end', 'GPL'],
    ['of nothing', ''],
    ['longer than loaders keep', `${'G'.repeat(64)}\0`],
    ['with control characters', 'GPL\x1b[0m\0'],
  ])('%s: refused', (_, text) => expectRefusal(() => readObject(licensed(text)), 'elf_malformed', /license/))
})
