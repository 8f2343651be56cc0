import { describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { expectRefusal } from './codes.ts'
import {
  type CraftedSection,
  type CraftedSymbol,
  code,
  craftElf,
  craftWith,
  INSN,
  insn,
  relocations,
  SYMBOL,
} from './craft-elf.ts'

/** A program of these instructions in section 3; further sections are 4 and on, symbols 2 and on. */
const withProgram = (
  instructions: readonly Buffer[],
  sections: readonly CraftedSection[] = [],
  symbols: readonly CraftedSymbol[] = [],
): Buffer => craftWith(sections, symbols, code('xdp', ...instructions, INSN.exit))

describe('functions', () => {
  const text = code('xdp', INSN.mov, INSN.exit, INSN.mov, INSN.exit)
  const refused: [string, Partial<CraftedSymbol>[], RegExp][] = [
    ['that overlap', [{ size: 24 }, { value: 16, size: 16 }], /a0 and a1 overlap/],
    ['of one place', [{ size: 16 }, { size: 16 }], /overlap/],
    ['off an instruction', [{ value: 4, size: 8 }], /not whole instructions/],
    ['of half an instruction', [{ size: 12 }], /not whole instructions/],
    ['of nothing', [{ size: 0 }], /not whole instructions/],
    ['without a name', [{ name: '', size: 16 }], /function ""/],
  ]
  const object = (symbols: readonly Partial<CraftedSymbol>[]): Buffer =>
    craftElf(
      [text],
      symbols.map((symbol, at) => ({ name: `a${at}`, section: 'xdp', ...symbol })),
    )
  test.each(refused)('%s: refused', (_, symbols, message) =>
    expectRefusal(() => readObject(object(symbols)), 'elf_malformed', message),
  )
  test('side by side: accepted', () => {
    const { programs } = readObject(object([{ size: 16 }, { value: 16, size: 16 }]))
    expect(programs.map(({ name, instructions }) => [name, instructions])).toEqual([
      ['a0', 2],
      ['a1', 2],
    ])
  })
  test('in .text alone, or static: no program', () => {
    const inText = craftElf([code('.text', INSN.mov, INSN.exit)], [{ name: 'f', section: '.text', size: 16 }])
    expectRefusal(() => readObject(inText), 'elf_no_programs', /no program/)
    expectRefusal(() => readObject(object([{ size: 16, global: false }])), 'elf_no_programs', /no program/)
    expectRefusal(() => readObject(craftElf([], [])), 'elf_no_programs', /no program/)
  })
  test('more than are read: refused', () => {
    const count = 8193
    const many = Array.from({ length: count }, (_, at) => ({
      name: `f${at}`,
      section: 'xdp',
      value: at * 8,
      size: 8,
    }))
    const bytes = craftElf([code('xdp', Buffer.alloc(count * 8))], many)
    expectRefusal(() => readObject(bytes), 'elf_too_many', /8193 functions/)
  })
})

describe('calls', () => {
  const helper = readObject(
    withProgram([INSN.helper(1), INSN.helper(12), INSN.helper(211), INSN.helper(9999)]),
  )
  test('of helpers are told by number and name', () => {
    expect(helper.programs[0]).toMatchObject({
      helperIds: [1, 12, 211, 9999],
      helpers: ['bpf_cgrp_storage_delete', 'bpf_map_lookup_elem', 'bpf_tail_call', 'helper#9999'],
      tailCalls: true,
    })
  })
  test('that recurse end', () => {
    const text = code('.text', INSN.call(-1), INSN.helper(5), INSN.exit)
    const bytes = withProgram(
      [INSN.call(-1)],
      [text, relocations(3, [[0, 10, 2]])],
      [{ name: 'again', section: '.text', size: 24 }],
    )
    expect(readObject(bytes).programs[0]).toMatchObject({
      subprograms: ['again'],
      helpers: ['bpf_ktime_get_ns'],
    })
  })
  test('of externals are kernel functions', () => {
    const bytes = withProgram(
      [INSN.call(-1)],
      [relocations(3, [[0, 10, 2]])],
      [{ name: 'bpf_xdp_metadata_rx_hash', section: 0, type: SYMBOL.notype }],
    )
    expect(readObject(bytes)).toMatchObject({
      kernelSymbols: ['bpf_xdp_metadata_rx_hash'],
      programs: [{ kfuncs: ['bpf_xdp_metadata_rx_hash'], subprograms: [] }],
    })
  })
  const local = { name: 'sub', section: '.text', size: 16 }
  const text = code('.text', INSN.mov, INSN.exit)
  const refused: [string, Buffer, RegExp][] = [
    ['of a type number of the kernel', withProgram([insn(0x85, 2, 100)]), /calls by source 2/],
    ['into the middle of a function', withProgram([INSN.mov, INSN.call(-1)]), /no function starts at byte 8/],
    ['outside of the section', withProgram([INSN.call(1_000_000)]), /no function starts at byte 8000008/],
    ['before the section', withProgram([INSN.call(-100)]), /no function starts at byte -792/],
    [
      'of the middle of a subprogram',
      withProgram([INSN.call(0)], [text, relocations(3, [[0, 10, 2]])], [local]),
      /no function starts at byte 8/,
    ],
    [
      'of an absolute symbol',
      withProgram([INSN.call(-1)], [relocations(3, [[0, 10, 2]])], [{ ...local, section: 0xfff1, size: 0 }]),
      /which is no function/,
    ],
    [
      'relocated as an address',
      withProgram([INSN.call(-1)], [text, relocations(3, [[0, 1, 2]])], [local]),
      /relocated as something else/,
    ],
    [
      'of a helper, relocated',
      withProgram([INSN.helper(1)], [text, relocations(3, [[0, 10, 2]])], [local]),
      /relocated as something else/,
    ],
  ]
  test.each(refused)('%s: refused', (_, bytes, message) =>
    expectRefusal(() => readObject(bytes), 'elf_malformed', message),
  )
})

describe('64-bit loads', () => {
  const data = { name: '.data', data: Buffer.alloc(8) }
  const object = { name: 'value', section: '.data', type: SYMBOL.object, size: 8 }
  test('of numbers say nothing, of a variable its section', () => {
    const bytes = withProgram([INSN.load(0, 77), INSN.load()], [data, relocations(3, [[16, 1, 2]])], [object])
    expect(readObject(bytes).programs[0]?.maps).toEqual(['.data'])
  })
  test('of a function without relocation are callbacks', () => {
    const bytes = craftElf(
      [code('xdp', INSN.load(4, 2), INSN.exit, INSN.helper(7), INSN.exit)],
      [
        { name: 'entry', section: 'xdp', size: 24 },
        { name: 'called', section: 'xdp', value: 24, size: 16, global: false },
      ],
    )
    expect(readObject(bytes).programs).toMatchObject([
      { name: 'entry', callbacks: true, subprograms: ['called'], helpers: ['bpf_get_prandom_u32'] },
    ])
  })
  const section = (name: string): CraftedSymbol => ({ ...object, section: name })
  const refused: [string, Buffer, RegExp][] = [
    ['of a map by file descriptor', withProgram([INSN.load(1, 5)]), /loads by source 1, which only a loader/],
    ['of a value by file descriptor', withProgram([INSN.load(2, 5)]), /source 2/],
    ['of a type number', withProgram([INSN.load(3, 5)]), /source 3/],
    ['of a map by index', withProgram([INSN.load(5, 0)]), /source 5/],
    ['cut in half', craftWith([], [], code('xdp', INSN.mov, insn(0x18, 0, 0))), /second half/],
    ['whose second half is an instruction', withProgram([insn(0x18, 0, 0)]), /second half/],
    [
      'whose second half is relocated',
      withProgram([INSN.load()], [data, relocations(3, [[8, 1, 2]])], [object]),
      /second half .* relocated/,
    ],
    [
      'of an unknown section',
      withProgram(
        [INSN.load()],
        [{ ...data, name: 'secret' }, relocations(3, [[0, 1, 2]])],
        [section('secret')],
      ),
      /"value" in section secret, which is no map or variable/,
    ],
    [
      'of an absolute symbol',
      withProgram([INSN.load()], [relocations(3, [[0, 1, 2]])], [{ ...object, section: 0xfff1 }]),
      /in section none/,
    ],
    [
      'relocated as a call',
      withProgram([INSN.load()], [data, relocations(3, [[0, 10, 2]])], [object]),
      /relocated as something else/,
    ],
    [
      'relocated over a file descriptor',
      withProgram([INSN.load(1, 5)], [data, relocations(3, [[0, 1, 2]])], [object]),
      /relocated as something else/,
    ],
  ]
  test.each(refused)('%s: refused', (_, bytes, message) =>
    expectRefusal(() => readObject(bytes), 'elf_malformed', message),
  )
})

describe('relocations', () => {
  const data = { name: '.data', data: Buffer.alloc(8) }
  const object = { name: 'value', section: '.data', type: SYMBOL.object, size: 8 }
  const table = (...args: Parameters<typeof relocations>): Buffer =>
    withProgram([INSN.load()], [data, relocations(...args)], [object])
  const refused: [string, Buffer, RegExp][] = [
    ['of another instruction', table(3, [[16, 1, 2]]), /neither a call nor a 64-bit load/],
    ['off an instruction', table(3, [[4, 1, 2]]), /is not an instruction/],
    ['behind the section', table(3, [[24, 1, 2]]), /is not an instruction/],
    ['far behind the section', table(3, [[2 ** 52, 1, 2]]), /is not an instruction/],
    [
      'twice for one instruction',
      table(3, [
        [0, 1, 2],
        [0, 1, 2],
      ]),
      /occurs twice/,
    ],
    ['to a symbol that is not there', table(3, [[0, 1, 99]]), /names no symbol/],
    ['of an unknown type', table(3, [[0, 2, 2]]), /unknown type 2/],
    ['of no section', table(0, [[0, 1, 2]]), /relocates no section/],
    ['of a section that is not there', table(99, [[0, 1, 2]]), /relocates no section/],
    ['by symbols of another table', table(3, [[0, 1, 2]], { link: 1 }), /not those of the symbol table/],
    ['with entries of no size', table(3, [[0, 1, 2]], { entrySize: 0 }), /entries have 0 bytes/],
    ['with addends', table(3, [[0, 1, 2]], { type: 4, entrySize: 24 }), /addends/],
  ]
  test.each(refused)('%s: refused', (_, bytes, message) =>
    expectRefusal(() => readObject(bytes), 'elf_malformed', message),
  )
  test('of data are not instructions', () => {
    expect(readObject(table(4, [[3, 77, 99]])).programs).toHaveLength(1)
  })
})
