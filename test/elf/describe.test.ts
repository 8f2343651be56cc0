import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { describeObject } from '../../src/elf/describe.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { codeOf } from './codes.ts'
import { code, craftElf, craftWith, INSN } from './craft-elf.ts'

describe('a report', () => {
  const bytes = compileBpf('test/elf/sources/config.bpf.c')
  const report = describeObject(bytes, 'config.bpf.o')
  test('identifies the object', () =>
    expect(report).toMatchObject({
      name: 'config.bpf.o',
      bytes: bytes.length,
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      byteOrder: 'little',
      license: 'GPL',
      gplCompatible: true,
      coreRelocations: 0,
    }))
  test('survives JSON unchanged', () => expect(JSON.parse(JSON.stringify(report))).toEqual(report))
  test('shows the values of scalars, and which may be configured', () =>
    expect(report.variables.map(({ name, value, configurable }) => [name, value, configurable])).toEqual([
      ['cfg_rate', 100, true],
      ['cfg_byte', 7, true],
      ['cfg_port', 8080, true],
      ['cfg_mask', '18446744073709551600', true],
      ['cfg_shift', -3, true],
      ['cfg_bias', -300, true],
      ['cfg_offset', -70000, true],
      ['cfg_skew_ns', -5000000000, true],
      ['cfg_enabled', true, true],
      ['cfg_mode', 2, true],
      ['cfg_mac', null, false],
      ['fixed', 5, false],
      ['limits', 9, true],
      ['packets', 0, false],
      ['last', 1, false],
      ['window', 4, false],
      ['pair', null, false],
    ]))
  test('of an object without BTF or licence says so', () =>
    expect(describeObject(craftWith(), 'a.o')).toMatchObject({
      btf: null,
      license: null,
      gplCompatible: false,
    }))
  test('of a file that is no object is the reader’s error', () =>
    expect(codeOf(() => describeObject(Buffer.from('text'), 'a.o'))).toBe('elf_not_elf'))
})

describe('a hook is guessed from the section', () => {
  test.each([
    ['xdp', 'xdp'],
    ['xdp.frags/big', 'xdp'],
    ['xdp_ratelimiting', 'xdp'],
    ['tc', 'tc-ingress'],
    ['tc/ingress', 'tc-ingress'],
    ['tcx/ingress', 'tc-ingress'],
    ['classifier', 'tc-ingress'],
    ['tc/egress', 'tc-egress'],
    ['tcx/egress', 'tc-egress'],
    ['tcp_hook', null],
    ['kprobe/tcp_sendmsg', null],
  ])('%s: %s', (name, hook) => {
    const bytes = craftElf([code(name, INSN.mov, INSN.exit)], [{ name: 'entry', section: name, size: 16 }])
    expect(describeObject(bytes, 'a.o').programs).toMatchObject([{ name: 'entry', hook }])
  })
})

describe('a licence opens GPL-only helpers', () => {
  const gpl = (license: string): boolean =>
    describeObject(craftWith([{ name: 'license', data: Buffer.from(`${license}\0`) }]), 'a.o').gplCompatible
  test.each(['GPL', 'GPL v2', 'GPL and additional rights', 'Dual BSD/GPL', 'Dual MIT/GPL', 'Dual MPL/GPL'])(
    '%s: yes',
    (license) => expect(gpl(license)).toBe(true),
  )
  test.each(['gpl', 'GPL-2.0', 'GPLv2', 'GPL ', 'BSD', 'MIT', 'Proprietary', ''])('"%s": no', (license) =>
    expect(gpl(license)).toBe(false),
  )
})
