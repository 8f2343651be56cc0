import { describe, expect, test } from 'vitest'
import { parseManifest, requireSupported } from '../../src/domain/manifest.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { checkManifestAgainstObjects } from '../../src/elf/check-manifest.ts'
import { describeObject } from '../../src/elf/describe.ts'
import { draftManifest } from '../../src/elf/draft-manifest.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { craftWith } from './craft-elf.ts'

/** The draft for one of the test sources, read back and checked against its object. */
function draft(name: string, version?: string) {
  const bytes = compileBpf(`test/elf/sources/${name}.bpf.c`)
  const file = `${name}.bpf.o`
  const text = draftManifest(describeObject(bytes, file), {
    namespace: 'acme',
    ...(version === undefined ? {} : { version }),
  })
  const manifest = parseManifest(text)
  checkManifestAgainstObjects(manifest, new Map([[file, readObject(bytes)]]))
  return { text, manifest }
}

describe('a draft', () => {
  test('has every constant that may be set, with what the source says as default', () => {
    const { manifest } = draft('config')
    requireSupported(manifest)
    expect(manifest.config).toEqual([
      { name: 'rate', variable: 'cfg_rate', type: 'u32', default: 100 },
      { name: 'byte', variable: 'cfg_byte', type: 'u8', default: 7 },
      { name: 'port', variable: 'cfg_port', type: 'u16', default: 8080 },
      { name: 'mask', variable: 'cfg_mask', type: 'u64', default: '18446744073709551600' },
      { name: 'shift', variable: 'cfg_shift', type: 'i8', default: -3 },
      { name: 'bias', variable: 'cfg_bias', type: 'i16', default: -300 },
      { name: 'offset', variable: 'cfg_offset', type: 'i32', default: -70000 },
      { name: 'skew-ns', variable: 'cfg_skew_ns', type: 'i64', default: -5000000000 },
      { name: 'enabled', variable: 'cfg_enabled', type: 'bool', default: true },
      { name: 'mode', variable: 'cfg_mode', type: 'u32', default: 2 },
      { name: 'limits', variable: 'limits', type: 'u32', default: 9 },
    ])
  })
  test('has every map, per-cpu counters as metrics', () => {
    const { manifest } = draft('maps')
    expect(manifest.maps.map(({ name, role }) => `${name}: ${role}`)).toEqual([
      'events: state',
      'flows: state',
      'inner_one: state',
      'outer: state',
      'port_drops: metric',
      'ports: state',
      'prefixes: state',
      'shared: state',
    ])
    expect(manifest).toMatchObject({ name: 'acme/maps', license: 'GPL-2.0-only', config: [] })
    expect(manifest.requires).toBeUndefined()
  })
  test('has the programs of hooks, and leaves out those of none', () => {
    const { manifest } = draft('functions')
    expect(manifest.programs.map(({ entry, hook }) => `${entry}: ${hook}`)).toEqual([
      'plain: xdp',
      'calls: xdp',
      'callbacks: xdp',
      'tails: xdp',
      'kernel: xdp',
      'on_tc: tc-ingress',
    ])
    expect(manifest.license).toBe('BSD-2-Clause OR GPL-2.0-only')
  })
  test('asks for BTF when CO-RE needs it', () => {
    const { manifest } = draft('core', '2.1.0-rc.1')
    expect(manifest).toMatchObject({ version: '2.1.0-rc.1', license: 'MIT OR GPL-2.0-only' })
    expect(manifest.requires?.features).toEqual(['btf'])
  })
  test('says above each guess what to look at', () => {
    const { text } = draft('maps')
    expect(text).toMatch(/^# A draft/)
    expect(text).toMatch(
      /^# SPDX expression; the object says "GPL"\. GPL alone needs source.*\nlicense: GPL-2.0-only$/m,
    )
    expect(text).toMatch(
      /^# hook (.*) is a guess.*\nprograms:\n {2}- \{ object: maps\.bpf\.o, entry: use_maps, hook: xdp \}$/m,
    )
  })
})

describe('names of a draft', () => {
  const report = describeObject(craftWith(), 'x.o')
  const nameOf = (name: string) =>
    parseManifest(draftManifest({ ...report, name }, { namespace: 'acme' })).name
  test.each([
    ['ratelimit.bpf.o', 'acme/ratelimit'],
    ['Rate_Limit.O2.o', 'acme/rate-limit-o2'],
    ['9lives.o', 'acme/lives'],
    ['x.o', 'acme/program'],
    ['123.o', 'acme/program'],
    [`${'long'.repeat(20)}.o`, `acme/${'long'.repeat(9)}lon`],
  ])('%s becomes %s', (file, name) => expect(nameOf(file)).toBe(name))
  test('two variables of one name are set apart', () => {
    const source = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile int cfg_rate = 1, rate = 2, RATE = 3;
SEC("xdp") int entry(void *ctx) { return cfg_rate + rate + RATE; }
`
    const manifest = parseManifest(
      draftManifest(describeObject(compileBpf(source), 'a.o'), { namespace: 'acme' }),
    )
    expect(manifest.config.map(({ name }) => name)).toEqual(['rate', 'rate-2', 'rate-3'])
    expect(manifest).toMatchObject({ license: 'LicenseRef-unknown' })
  })
  test('what two objects share is drafted once', () => {
    const bytes = compileBpf('test/elf/sources/config.bpf.c')
    const both = ['config.x86.o', 'config.arm64.o'].map((file) => describeObject(bytes, file))
    const manifest = parseManifest(draftManifest(both, { namespace: 'acme' }))
    expect(manifest.programs).toHaveLength(1)
    expect(manifest.config).toHaveLength(11)
  })
})
