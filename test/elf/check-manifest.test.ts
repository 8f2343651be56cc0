import { describe, expect, test } from 'vitest'
import { parseManifest } from '../../src/domain/manifest.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { checkManifestAgainstObjects } from '../../src/elf/check-manifest.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { codeOf, expectRefusal } from './codes.ts'

const config = readObject(compileBpf('test/elf/sources/config.bpf.c'))
const maps = readObject(compileBpf('test/elf/sources/maps.bpf.c'))
const bare = readObject(compileBpf('test/elf/sources/config.bpf.c', { debug: false }))

const PROGRAM = '{ object: config.o, entry: configured, hook: xdp }'
/** Checks a manifest whose programs and other parts are these lines of YAML. */
const check =
  (parts: { programs?: string; rest?: string }, objects = { 'config.o': config, 'maps.o': maps }) =>
  () =>
    checkManifestAgainstObjects(
      parseManifest(
        `name: acme/test\nversion: 1.0.0\nsummary: A test\nlicense: MIT\nprograms: [${parts.programs ?? PROGRAM}]\n${parts.rest ?? ''}`,
      ),
      new Map(Object.entries(objects)),
    )

describe('programs of a manifest', () => {
  test('that the objects have: accepted', () => {
    const programs = `${PROGRAM}, { object: maps.o, entry: use_maps, hook: xdp }`
    expect(codeOf(check({ programs }))).toBe('accepted')
  })
  test('of a file that is not there: refused', () =>
    expectRefusal(
      check({ programs: '{ object: other.o, entry: configured, hook: xdp }' }),
      'object_mismatch',
      /no object file "other.o"/,
    ))
  test('of an entry that the object has not: refused, with those it has', () =>
    expectRefusal(
      check({ programs: '{ object: config.o, entry: use_maps, hook: xdp }' }),
      'entry_not_found',
      /config\.o has no program "use_maps"; it has: configured/,
    ))
})

describe('configuration of a manifest', () => {
  const item = (variable: string, type: string) => ({
    rest: `config: [{ name: x, variable: ${variable}, type: ${type}, default: ${type === 'bool' ? 'true' : 1} }]`,
  })
  test.each([
    ['cfg_rate', 'u32'],
    ['cfg_skew_ns', 'i64'],
    ['cfg_enabled', 'bool'],
    ['cfg_mode', 'u32'],
    ['limits', 'u32'],
  ])('of %s as %s: accepted', (variable, type) =>
    expect(codeOf(check(item(variable, type)))).toBe('accepted'),
  )
  const refused: [string, string, RegExp][] = [
    ['cfg_speed', 'u32', /no object has a global variable cfg_speed/],
    ['cfg_rate', 'u64', /cfg_rate of config\.o is u32, not u64/],
    ['cfg_rate', 'i32', /is u32, not i32/],
    ['cfg_enabled', 'u8', /is bool, not u8/],
    ['cfg_mac', 'u8', /is no scalar \(6 bytes\), not u8/],
    ['packets', 'u64', /is in section \.bss; declare it `const volatile`/],
    ['last', 'u32', /is in section \.data/],
    ['hidden', 'u32', /no object has a global variable hidden/],
    ['fixed', 'u32', /is not volatile/],
  ]
  test.each(refused)('of %s as %s: refused', (variable, type, message) =>
    expectRefusal(check(item(variable, type)), 'object_mismatch', message),
  )
  test('of an object without BTF: refused, as types are unknown', () =>
    expectRefusal(
      check(item('cfg_rate', 'u32'), { 'config.o': bare, 'maps.o': maps }),
      'object_mismatch',
      /no scalar \(4 bytes\)/,
    ))
  test('in an object that no program is of: refused', () =>
    expectRefusal(
      check({ programs: '{ object: maps.o, entry: use_maps, hook: xdp }', ...item('cfg_rate', 'u32') }),
      'object_mismatch',
      /no object has a global variable cfg_rate/,
    ))
})

describe('maps of a manifest', () => {
  const programs = '{ object: maps.o, entry: use_maps, hook: xdp }'
  test('that the object has: accepted', () =>
    expect(
      codeOf(
        check({
          programs,
          rest: 'maps: [{ name: flows, role: state }]\nmetrics: [{ name: drops, map: port_drops, type: counter }]',
        }),
      ),
    ).toBe('accepted'))
  const refused: [string, string, RegExp][] = [
    ['a map', 'maps: [{ name: flow, role: state }]', /map "flow" is in no object/],
    [
      'a metric’s map',
      'metrics: [{ name: d, map: drops, type: counter }]',
      /metric "d": map "drops" is in no object/,
    ],
    [
      'a list’s map',
      'config: [{ name: rules, map: rules, maxItems: 1, key: { a: u32 } }]',
      /configuration "rules": map "rules" is in no object/,
    ],
    ['a variable’s name', 'maps: [{ name: cfg_rate, role: state }]', /map "cfg_rate" is in no object/],
  ]
  test.each(refused)('%s that is not there: refused', (_, rest, message) =>
    expectRefusal(check({ programs, rest }), 'object_mismatch', message),
  )
  test.each([
    ['that fits', 'value: { action: u32 }, default: [{ flow: 1, action: 2 }]', 'accepted'],
    ['of another width', 'value: { action: u16 }', 'object_mismatch'],
    ['for more than the map holds', 'maxItems: 9', 'object_mismatch'],
    ['whose default does not fit', 'default: [{ flow: 1 }, { flow: 4294967296 }]', 'invalid_config'],
    ['whose default is there twice', 'default: [{ flow: 1 }, { flow: 1 }]', 'invalid_config'],
  ])('with a list %s: %s', (_, more, code) => {
    const rest = `config: [{ name: list, map: few, key: { flow: u32 }, ${more.includes('maxItems') ? '' : 'maxItems: 8, '}${more} }]`
    const object = readObject(
      compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} few SEC(".maps");
SEC("xdp") int use_maps(void *ctx) { return 2; }
`),
    )
    expect(codeOf(check({ programs, rest }, { 'maps.o': object } as never))).toBe(code)
  })
  const counted = (type: string) =>
    readObject(
      compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, ${type});
} counts SEC(".maps");
SEC("xdp") int entry(void *ctx) { return 2; }
`),
    )
  const both = {
    programs: '{ object: a.o, entry: entry, hook: xdp }, { object: b.o, entry: entry, hook: tc-ingress }',
    rest: 'maps: [{ name: counts, role: state }]',
  }
  const wide = counted('__u64')
  test('that two objects share: accepted when they mean the same', () =>
    expect(codeOf(check(both, { 'a.o': wide, 'b.o': counted('unsigned long long') } as never))).toBe(
      'accepted',
    ))
  test('that two objects define differently: refused', () =>
    expectRefusal(
      check(both, { 'a.o': wide, 'b.o': counted('__s64') } as never),
      'object_mismatch',
      /map "counts" differs between a\.o and b\.o/,
    ))
})
