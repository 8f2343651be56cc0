import { describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { expectRefusal } from './codes.ts'
import { code, craftElf, craftWith, INSN, SYMBOL, TYPE } from './craft-elf.ts'

const program = code('xdp', INSN.mov, INSN.exit)

describe('the symbol table', () => {
  /** An object whose symbol table's header (section 2) has one other field. */
  const withField = (offset: number, value: bigint) => {
    const bytes = craftWith()
    bytes.writeBigUInt64LE(value, Number(bytes.readBigUInt64LE(40)) + 2 * 64 + offset)
    return bytes
  }
  const withWord = (offset: number, value: number) => {
    const bytes = craftWith()
    bytes.writeUInt32LE(value, Number(bytes.readBigUInt64LE(40)) + 2 * 64 + offset)
    return bytes
  }
  const second = { name: '.symtab2', type: TYPE.symtab, link: 1, entrySize: 24, data: Buffer.alloc(24) }
  const refused: [string, Buffer, string, RegExp][] = [
    ['missing', withWord(4, 1), 'elf_malformed', /0 symbol tables/],
    ['there twice', craftWith([second]), 'elf_malformed', /2 symbol tables/],
    ['without string table', withWord(40, 3), 'elf_malformed', /no string table/],
    ['with a string table outside', withWord(40, 0xffffffff), 'elf_malformed', /no string table/],
    ['with entries of no size', withField(56, 0n), 'elf_malformed', /entries of 0 bytes/],
    ['with half an entry', withField(32, 36n), 'elf_malformed', /entries of 24 bytes/],
  ]
  test.each(refused)('%s: refused', (_, bytes, refusal, message) =>
    expectRefusal(() => readObject(bytes), refusal, message),
  )
  test('of more entries than are read: refused', () => {
    const many = Array.from({ length: 1 << 17 }, () => ({ name: '', section: 3, type: SYMBOL.notype }))
    expectRefusal(() => readObject(craftElf([program], many)), 'elf_too_many', /131073 symbols/)
  })
})

describe('a symbol', () => {
  const symbol = { name: 'other', section: 'xdp', type: SYMBOL.notype }
  const refused: [string, object, RegExp][] = [
    ['in a section that is not there', { section: 77 }, /names no section/],
    ['in a reserved section', { section: 0xff20 }, /names no section/],
    ['in an extended section number', { section: 0xffff }, /names no section/],
    ['behind its section', { value: 17 }, /ends outside of its section xdp/],
    ['longer than its section', { value: 8, size: 9 }, /ends outside/],
    ['as long as no file is', { size: 2 ** 60 }, /absurd/],
    ['with control characters', { name: 'a\x07' }, /not printable/],
    ['of a name without end', { name: 'a'.repeat(600) }, /no end within 512/],
    ['global and there twice', { name: 'entry' }, /defines "entry" twice/],
  ]
  test.each(refused)('%s: refused', (_, change, message) =>
    expectRefusal(() => readObject(craftWith([], [{ ...symbol, ...change }])), 'elf_malformed', message),
  )
  const accepted: [string, object][] = [
    ['at the end of its section', { value: 16 }],
    ['that is absolute, at any value', { section: 0xfff1, value: 4096 }],
    ['local and named as another', { name: 'entry', global: false }],
    [
      'that names a source file, by any path',
      { name: '/home/jos\xe9/\t.c', type: SYMBOL.file, section: 0xfff1 },
    ],
  ]
  test.each(accepted)('%s: accepted', (_, change) =>
    expect(readObject(craftWith([], [{ ...symbol, ...change }])).programs).toHaveLength(1),
  )
})
