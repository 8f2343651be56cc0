import { describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { describeObject } from '../../src/elf/describe.ts'
import { compileBpf } from '../support/compile-bpf.ts'

const read = (name: string, options?: Parameters<typeof compileBpf>[1]) =>
  readObject(compileBpf(`test/elf/sources/${name}.bpf.c`, options))

describe('programs', () => {
  const object = read('functions')
  const program = (name: string) => object.programs.find((each) => each.name === name)
  test('are the global functions outside of .text, in the order of the file', () =>
    expect(object.programs.map(({ name, section }) => [name, section])).toEqual([
      ['plain', 'xdp'],
      ['calls', 'xdp/calls'],
      ['callbacks', 'xdp.frags/callbacks'],
      ['tails', 'xdp.frags'],
      ['kernel', 'xdp/kernel'],
      ['on_tc', 'tc'],
      ['elsewhere', 'uprobe'],
    ]))
  test('that do nothing reach nothing', () =>
    expect(program('plain')).toEqual({
      name: 'plain',
      section: 'xdp',
      instructions: 2,
      frags: false,
      helpers: [],
      helperIds: [],
      subprograms: [],
      tailCalls: false,
      tailCallers: 0,
      callbacks: false,
      kfuncs: [],
      maps: [],
      coreRelocations: 0,
      functions: [{ name: 'plain', slots: 2, typeId: expect.any(Number), global: true }],
    }))
  test('reach what static and global subprograms use, however deep', () =>
    expect(program('calls')).toMatchObject({
      helpers: ['bpf_get_prandom_u32', 'bpf_get_smp_processor_id', 'bpf_ktime_get_ns', 'bpf_map_update_elem'],
      helperIds: [2, 5, 7, 8],
      subprograms: ['deep', 'global_sum', 'stamp'],
      maps: ['seen'],
      callbacks: false,
    }))
  test('reach what their callbacks use', () =>
    expect(program('callbacks')).toMatchObject({
      callbacks: true,
      frags: true,
      helpers: ['bpf_for_each_map_elem', 'bpf_loop'],
      subprograms: ['count_one', 'step'],
      maps: ['totals'],
    }))
  test('that make tail calls say so', () =>
    expect(program('tails')).toMatchObject({ tailCalls: true, frags: true, maps: ['jumps'] }))
  test('that call kernel functions name them', () => {
    expect(program('kernel')).toMatchObject({ kfuncs: ['hook_kernel_check'], helpers: [] })
    expect(object.kernelSymbols).toEqual(['hook_kernel_check', 'hook_kernel_variable'])
  })
  test('settings of the kernel’s build are no kernel symbols', () => {
    const source = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
extern int LINUX_KERNEL_VERSION __kconfig;
SEC("xdp") int entry(void *ctx) { return LINUX_KERNEL_VERSION > 0; }
`
    expect(readObject(compileBpf(source)).kernelSymbols).toEqual([])
  })
})

describe('an object', () => {
  test('tells its licence and byte order', () =>
    expect(read('functions')).toMatchObject({ license: 'Dual BSD/GPL', byteOrder: 'little' }))
  test('counts CO-RE relocations, of each program and all it reaches', () => {
    const object = read('core')
    expect(object.coreRelocations).toBe(3)
    expect(object.programs.map(({ name, coreRelocations }) => [name, coreRelocations])).toEqual([
      ['relocated', 3],
      ['unrelocated', 0],
    ])
    expect(object.btf?.types).toBeGreaterThan(10)
  })
  test('without BTF is read all the same', () => {
    const object = read('config', { debug: false })
    expect(object.btf).toBeUndefined()
    expect(object.programs).toMatchObject([{ name: 'configured', helpers: ['bpf_trace_printk'] }])
    expect(object.variables.find(({ name }) => name === 'cfg_rate')).toMatchObject({
      type: undefined,
      size: 4,
      initial: Buffer.from('64000000', 'hex'),
    })
  })
  test('is the same for the same bytes', () => {
    const report = () => describeObject(compileBpf('test/elf/sources/maps.bpf.c'), 'maps.bpf.o')
    expect(report()).toEqual(report())
  })
})

test('maps have their kinds, sizes, flags and layouts', () => {
  const rows = read('maps').maps.map((map) => [
    map.name,
    map.typeName,
    map.keySize,
    map.valueSize,
    map.maxEntries,
    map.flags,
    map.pinned,
    map.layout,
  ])
  const flow =
    'struct 20 {from@0 u32; to@32 u32; ports@64 [2]struct 4 {low@0 u16; high@16 u16}; protocol@128 u8; pad@136 [3]u8}'
  const verdict =
    'struct 64 {action@0 u32; delta@32 i32; hits@64:20 u32; kind@84:3 u32; balance@87:5 i32; ' +
    'both@128 union 8 {wide@0 u64; @0 struct 8 {left@0 u32; right@32 i32}}; table@192 [3][5]u8; on@312 bool; ' +
    'label@320 [6]i8; ratio@384 f32; never@448 ptr}'
  expect(rows).toEqual([
    ['events', 'ringbuf', 0, 0, 4096, 0, false, 'key 0 bytes value 0 bytes'],
    ['flows', 'lru_hash', 20, 64, 1000, 0, false, `key ${flow} value ${verdict}`],
    ['inner_one', 'array', 4, 4, 2, 0, false, 'key u32 value u32'],
    ['outer', 'array_of_maps', 4, 4, 2, 0, false, 'key u32 value map {array 2 flags 0 key u32 value u32}'],
    ['port_drops', 'percpu_array', 4, 8, 3, 0, false, 'key u32 value u64'],
    ['ports', 'devmap', 4, 8, 8, 0, false, 'key 4 bytes value 8 bytes'],
    [
      'prefixes',
      'lpm_trie',
      20,
      4,
      256,
      1,
      false,
      'key struct 20 {prefix@0 u32; address@32 [16]u8} value u32',
    ],
    ['shared', 'hash', 8, 8, 16, 0, true, 'key u64 value u64'],
  ])
})

describe('global variables', () => {
  const object = read('config')
  const rows = object.variables.map((each) => [
    each.name,
    each.section,
    each.offset,
    each.type,
    each.volatile,
    each.initial.toString('hex'),
  ])
  test('of read-only data have places, types and what the source says', () =>
    expect(rows.filter(([, section]) => String(section).startsWith('.rodata'))).toEqual([
      ['cfg_rate', '.rodata', 0, 'u32', true, '64000000'],
      ['cfg_byte', '.rodata', 4, 'u8', true, '07'],
      ['cfg_port', '.rodata', 6, 'u16', true, '901f'],
      ['cfg_mask', '.rodata', 8, 'u64', true, 'f0ffffffffffffff'],
      ['cfg_shift', '.rodata', 16, 'i8', true, 'fd'],
      ['cfg_bias', '.rodata', 18, 'i16', true, 'd4fe'],
      ['cfg_offset', '.rodata', 20, 'i32', true, '90eefeff'],
      ['cfg_skew_ns', '.rodata', 24, 'i64', true, '000efad5feffffff'],
      ['cfg_enabled', '.rodata', 32, 'bool', true, '01'],
      ['cfg_mode', '.rodata', 36, 'u32', true, '02000000'],
      ['cfg_mac', '.rodata', 40, undefined, false, '020000000001'],
      ['fixed', '.rodata', 48, 'u32', false, '05000000'],
      ['limits', '.rodata.limits', 0, 'u32', true, '09000000'],
    ]))
  test('of writable data are found, static ones left out', () =>
    expect(rows.filter(([, section]) => !String(section).startsWith('.rodata'))).toEqual([
      ['packets', '.bss', 0, 'u64', false, '0000000000000000'],
      ['last', '.data', 0, 'u32', false, '01000000'],
      ['window', '.data.window', 0, 'u32', false, '04000000'],
      ['pair', '.bss.pair', 0, undefined, false, '0000000000000000'],
    ]))
  test('make their sections maps, static ones part of the layout', () => {
    expect(object.programs[0]?.maps).toEqual([
      '.bss',
      '.bss.pair',
      '.data',
      '.data.window',
      '.rodata',
      '.rodata.limits',
    ])
    expect(object.maps.find(({ name }) => name === '.data')?.layout).toBe(
      'section 8 {last@0 u32; hidden@32 u32}',
    )
  })
})
