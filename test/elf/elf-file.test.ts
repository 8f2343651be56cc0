import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { readElf } from '../../src/elf/elf-file.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { expectRefusal } from './codes.ts'
import { type CraftedSection, craftWith, TYPE } from './craft-elf.ts'

const u16 = (offset: number, value: number) => (bytes: Buffer) => bytes.writeUInt16LE(value, offset)
const u32 = (offset: number, value: number) => (bytes: Buffer) => bytes.writeUInt32LE(value, offset)
const u64 = (offset: number, value: bigint) => (bytes: Buffer) => bytes.writeBigUInt64LE(value, offset)
const byte = (offset: number, value: number) => (bytes: Buffer) => bytes.writeUInt8(value, offset)

test('the least object is accepted', () => {
  expect(readElf(craftWith()).sections.map(({ name, size }) => [name, size])).toEqual([
    ['', 0],
    ['.strtab', 27],
    ['.symtab', 48],
    ['xdp', 16],
  ])
})

describe('a file that is something else is named for what it is', () => {
  const cases: [string, Buffer, string, RegExp][] = [
    ['nothing', Buffer.alloc(0), 'elf_not_elf', /magic/],
    ['a text', Buffer.from('#!/bin/sh\nexit 1\n'), 'elf_not_elf', /magic/],
    ['the magic number alone', Buffer.from('7f454c46', 'hex'), 'elf_truncated', /ends after 4 bytes/],
    ['a header cut short', craftWith().subarray(0, 63), 'elf_truncated', /ends after 63 bytes/],
    ['a file cut anywhere behind', craftWith().subarray(0, 200), 'elf_truncated', /section headers/],
    ['more than fits a release', Buffer.alloc(LIMITS.file_bytes + 1), 'elf_too_large', /8388609 bytes/],
  ]
  test.each(cases)('%s', (_, bytes, code, message) => expectRefusal(() => readObject(bytes), code, message))
  test('a big-endian BPF object', () => {
    const source = 'int prog(void *c) { return 0; }\nint x;\n'
    expectRefusal(() => readObject(compileBpf(source, { target: 'bpfeb' })), 'elf_wrong_endian', /big-endian/)
  })
})

describe('a changed ELF header', () => {
  const cases: [string, (bytes: Buffer) => unknown, string, RegExp][] = [
    ['class 32 bits', byte(4, 1), 'elf_wrong_class', /32-bit/],
    ['an unknown class', byte(4, 9), 'elf_malformed', /class 9/],
    ['big-endian', byte(5, 2), 'elf_wrong_endian', /big-endian/],
    ['an unknown byte order', byte(5, 0), 'elf_malformed', /byte order 0/],
    ['an unknown version', byte(6, 2), 'elf_malformed', /version/],
    ['x86-64', u16(18, 62), 'elf_not_bpf', /machine 62/],
    ['an executable', u16(16, 2), 'elf_not_bpf', /relocatable/],
    ['other header sizes', u16(52, 52), 'elf_malformed', /e_ehsize/],
    ['other section header sizes', u16(58, 0), 'elf_malformed', /e_shentsize/],
    ['no sections', u16(60, 0), 'elf_malformed', /no section names/],
    ['too many sections', u16(60, 0xffff), 'elf_too_many', /65535 sections/],
    ['more sections than the file has', u16(60, 100), 'elf_truncated', /section headers/],
    ['no section names', u16(62, 0), 'elf_malformed', /no section names/],
    ['section names outside', u16(62, 4), 'elf_malformed', /no section names/],
    ['section names in no string table', u16(62, 3), 'elf_malformed', /e_shstrndx/],
    ['section headers inside the header', u64(40, 8n), 'elf_malformed', /overlap/],
    ['section headers behind the end', u64(40, 1n << 40n), 'elf_truncated', /ends at byte/],
    ['a section header offset that wraps', u64(40, (1n << 64n) - 64n), 'elf_malformed', /absurd/],
  ]
  test.each(cases)('%s', (_, change, code, message) => {
    const bytes = craftWith()
    change(bytes)
    expectRefusal(() => readObject(bytes), code, message)
  })
})

describe('a changed section header', () => {
  /** Changes a field of the header of section 3, `xdp`. */
  const ofProgram = (change: (at: number) => (bytes: Buffer) => unknown) => (bytes: Buffer) =>
    change(Number(bytes.readBigUInt64LE(40)) + 3 * 64)(bytes)
  const cases: [string, (bytes: Buffer) => unknown, string, RegExp][] = [
    ['a name outside', ofProgram((at) => u32(at, 1000)), 'elf_malformed', /section 1.*outside/],
    ['a size past the end', ofProgram((at) => u64(at + 32, 4096n)), 'elf_truncated', /section 3 would end/],
    ['a huge size', ofProgram((at) => u64(at + 32, 1n << 63n)), 'elf_malformed', /absurd/],
    [
      'an offset that wraps',
      ofProgram((at) => u64(at + 24, -8n & 0xffffffffffffffffn)),
      'elf_malformed',
      /absurd/,
    ],
    ['an offset past the end', ofProgram((at) => u64(at + 24, 1n << 32n)), 'elf_truncated', /section 3/],
    ['its bytes in another section', ofProgram((at) => u64(at + 24, 70n)), 'elf_malformed', /overlap/],
    ['its bytes in the header', ofProgram((at) => u64(at + 24, 0n)), 'elf_malformed', /ELF header.*overlap/],
    [
      'its bytes in the section headers',
      (bytes) => ofProgram((at) => u64(at + 24, bytes.readBigUInt64LE(40)))(bytes),
      'elf_malformed',
      /overlap/,
    ],
    ['an unused type with a size', ofProgram((at) => u32(at + 4, 0)), 'elf_malformed', /unused section/],
  ]
  test.each(cases)('%s', (_, change, code, message) => {
    const bytes = craftWith()
    change(bytes)
    expectRefusal(() => readObject(bytes), code, message)
  })
})

describe('section names', () => {
  const named = (name: string): CraftedSection => ({ name, data: Buffer.alloc(4) })
  const refused: [string, Buffer, RegExp][] = [
    ['two of one name', craftWith([named('license'), named('license')]), /two sections named license/],
    ['an escape sequence', craftWith([named('\x1b[2J')]), /not printable/],
    ['a line break', craftWith([named('a\nb')]), /not printable/],
    ['beyond ASCII', craftWith([named('caf\xe9')]), /not printable/],
    ['longer than any name', craftWith([named('n'.repeat(513))]), /no end within 512/],
  ]
  test.each(refused)('%s: refused', (_, bytes, message) =>
    expectRefusal(() => readObject(bytes), 'elf_malformed', message),
  )
  test('as long as a name may be: accepted', () => {
    expect(readElf(craftWith([named('n'.repeat(512))])).sections[4]?.name).toHaveLength(512)
  })
  test('a string table whose last name has no end: refused', () => {
    const bytes = craftWith()
    const strings = readElf(bytes).sections[1]?.data.bytes ?? Buffer.alloc(0)
    strings.fill('x', 1)
    expectRefusal(() => readObject(bytes), 'elf_malformed', /no end/)
  })
  test('a section without bytes may claim any place', () => {
    const empty = { name: '.bss', type: TYPE.nobits, size: 4096, data: Buffer.alloc(0) }
    expect(readObject(craftWith([empty])).maps).toMatchObject([{ name: '.bss', valueSize: 4096 }])
  })
})
