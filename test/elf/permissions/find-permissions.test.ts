import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseManifest } from '../../../src/domain/manifest.ts'
import { readObject } from '../../../src/elf/bpf-object.ts'
import { findSection, readElf } from '../../../src/elf/elf-file.ts'
import { findPermissions, permissionFinder } from '../../../src/elf/permissions/find-permissions.ts'
import { compileBpf } from '../../support/compile-bpf.ts'
import { findingsIn, foundIn } from './found.ts'

const source = (name: string): Buffer => compileBpf(`test/elf/permissions/sources/${name}.bpf.c`)
const HEAD = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n'
/** An XDP program of these instructions in assembler, behind `r0 = 2`. */
const assembled = (code: string): Buffer =>
  compileBpf(
    `${HEAD}SEC("xdp") __attribute__((naked)) int x(struct xdp_md *ctx) { asm volatile("r0 = 2; ${code}; exit"); }`,
  )

describe('each finding says', () => {
  test('what does it, in which function, at which instruction and line', () => {
    const [first, ...others] = findingsIn(source('packets'), 'writes_below', 'xdp')
    const lines = readFileSync('test/elf/permissions/sources/packets.bpf.c', 'utf8').split('\n')
    expect(first).toEqual({
      ...{ permission: 'modify-packet', entry: 'writes_below', function: 'put' },
      ...{ what: 'writes through a pointer to the packet', instruction: expect.any(Number) },
      source: `./packets.bpf.c:${lines.findIndex((line) => line.includes('*at = byte;')) + 1}`,
    })
    expect(others).toEqual([])
  })
  test('helpers by name and number, kernel functions by name', () => {
    expect(findingsIn(source('beyond'), 'signals', 'xdp')[0]?.what).toBe('helper bpf_send_signal#109')
    expect(findingsIn(source('beyond'), 'calls_helper_of_tomorrow', 'xdp')[0]?.what).toBe(
      'helper helper#9999',
    )
    expect(findingsIn(source('beyond'), 'calls_kernel', 'xdp')[0]?.what).toBe(
      'kernel function somebodys_function',
    )
  })
  test('what the programs do that a tail call may find, as done by the entry', () => {
    const found = findingsIn(source('beyond'), 'jumps', 'xdp')
    expect(found.find(({ permission }) => permission === 'modify-packet')).toMatchObject({
      entry: 'jumps',
      function: 'jumped_to',
    })
  })
  test('no line where the object has none, and the same otherwise', () => {
    const text = `${HEAD}SEC("xdp") int x(struct xdp_md *ctx) { return XDP_DROP; }\n`
    const [bare] = findingsIn(compileBpf(text, { debug: false }), 'x', 'xdp')
    const [full] = findingsIn(compileBpf(text), 'x', 'xdp')
    expect(full?.source).toMatch(/:\d+$/)
    expect(bare).not.toHaveProperty('source')
    expect({ ...bare, source: full?.source }).toEqual(full)
  })
})

describe('what is not known is unknown', () => {
  test.each([
    ['an instruction', '.byte 0xef, 0, 0, 0, 0, 0, 0, 0'],
    ['an indirect call', '.byte 0x8d, 0, 0, 0, 1, 0, 0, 0'],
    ['an indirect jump', '.byte 0x0d, 1, 0, 0, 0, 0, 0, 0'],
    ['an atomic operation', '.byte 0xdb, 0x0a, 0xf8, 0xff, 0x77, 0, 0, 0'],
    ['a jump out of the function', '.byte 0x05, 0, 99, 0, 0, 0, 0, 0'],
    ['a call out of a list', 'call 4242'],
  ])('%s', (_, code) => expect(foundIn(assembled(code), 'x', 'xdp')).toContain('unknown'))
  test('but what is known is not', () =>
    expect(foundIn(assembled('r1 = 4; *(u64 *)(r10 - 8) = r1; r1 = *(u64 *)(r10 - 8)'), 'x', 'xdp')).toEqual(
      [],
    ))
  test('a loop without an end', () =>
    expect(foundIn(assembled('.byte 0x05, 0, 0xff, 0xff, 0, 0, 0, 0'), 'x', 'xdp')).toEqual(['unknown']))
  test('a program that takes too many steps, and all that come behind it', () => {
    const body = 'v = v * 3 + data[v & 7]; if (v & 1) v ^= 5;'.repeat(400)
    const object = readObject(
      compileBpf(`${HEAD}volatile __u64 data[8];
static __noinline __u64 turn(__u64 v) { ${body} return v; }
SEC("xdp") int x(struct xdp_md *ctx) { return turn(1) & 1 ? XDP_PASS : XDP_DROP; }\n`),
    )
    const finder = permissionFinder(2000)
    const ask = { object, entry: 'x', hook: 'xdp' } as const
    expect(finder(ask).map(({ permission }) => permission)).toContain('unknown')
    expect(finder(ask).map(({ permission }) => permission)).toContain('unknown')
    expect(findPermissions([ask]).map(({ permission }) => permission)).not.toContain('unknown')
  })
})

describe('what a loader writes is any number', () => {
  test('a constant that CO-RE writes is no constant, one beside it is', () => {
    const object = compileBpf('test/elf/sources/core.bpf.c')
    expect(foundIn(object, 'relocated', 'xdp')).toEqual(['drop', 'transmit', 'redirect'])
    expect(foundIn(object, 'unrelocated', 'xdp')).toEqual([])
  })
})

describe('a hook decides what a verdict means', () => {
  const text = (verdict: number): string => `${HEAD}SEC("xdp") int x(void *ctx) { return ${verdict}; }\n`
  test.each([
    [0, ['drop'], []],
    [1, ['drop'], []],
    [2, [], ['drop']],
    [3, ['transmit'], []],
    [4, ['redirect'], ['drop']],
    [7, ['drop'], ['redirect']],
    [-1, ['drop'], []],
  ])('%i on XDP needs %o, on TC %o', (verdict, xdp, tc) => {
    const object = compileBpf(text(verdict))
    expect(foundIn(object, 'x', 'xdp')).toEqual(xdp)
    expect(foundIn(object, 'x', 'tc-egress')).toEqual(tc)
  })
})

describe('programs that are there', () => {
  test.each(['scrub', 'ratelimit', 'counter'])('%s has what its manifest declares', (name) => {
    const manifest = parseManifest(readFileSync(`programs/${name}/hookline.yaml`, 'utf8'))
    const bytes = compileBpf(`programs/${name}/${name}.bpf.c`)
    const [program] = manifest.programs
    expect(foundIn(bytes, program?.entry ?? '', 'xdp')).toEqual(manifest.permissions)
  })
  // Debian's libxdp1, which the set-up installs; its folder is named after the machine
  const folder = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/bpf`)
    .find((path) => existsSync(`${path}/xdpfilt_dny_all.o`))
  test.each([
    ['xdpfilt_alw_all', 'xdpfilt_alw_all', ['drop', 'share-maps']],
    ['xdpfilt_dny_udp', 'xdpfilt_dny_udp', ['drop', 'share-maps']],
    ['xsk_def_xdp_prog', 'xsk_def_prog', ['drop', 'redirect']],
    ['xdpdump_xdp', 'xdpdump', ['export-data']],
  ])('%s of xdp-tools', (file, entry, expected) =>
    expect(foundIn(readFileSync(`${folder}/${file}.o`), entry, 'xdp')).toEqual(expected),
  )
})

test('no instruction of an object, turned into any other, ends the search otherwise than by findings', () => {
  const bytes = source('verdicts')
  const section = findSection(readElf(bytes), 'xdp')
  const start = section === undefined ? 0 : bytes.indexOf(section.data.bytes)
  for (let code = 0; code < 256; code++) {
    const copy = Buffer.from(bytes)
    copy[start] = code
    const entry = 'passes'
    try {
      expect(Array.isArray(foundIn(copy, entry, 'xdp'))).toBe(true)
    } catch (error) {
      // a second half is lacking, or a call meets no function: the reader says so
      expect(error).toMatchObject({ code: 'elf_malformed' })
    }
  }
})
