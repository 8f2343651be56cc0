import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { ListConfig, type ListItem } from '../../src/domain/list-config.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { encodeItems } from '../../src/elf/encode-item.ts'
import { listLayout } from '../../src/elf/list-layout.ts'
import type { BpfMapDefinition } from '../../src/elf/maps.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { expectRefusal } from './codes.ts'

const SOURCE = `#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
struct prefix4 { __u32 prefixlen; __u8 address[4]; };
struct prefix6 { struct bpf_lpm_trie_key head; struct in6_addr address; };
enum action { ALLOW, DENY };
struct verdict { __u8 pad; enum action action; bool log; char name[8]; };
struct flow {
  struct { __be32 addr; __be16 port; } src, dst;
  union { __u8 proto; struct { __u8 low : 4, high : 4; }; };
  struct { __u8 mac[6]; };
  struct in6_addr via;
  __u64 *last;
};
#define MAP(name, kind, n, flags, k, v) \\
  struct { __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, n); __uint(map_flags, flags); \\
           __type(key, k); __type(value, v); } name SEC(".maps");
MAP(rules, LPM_TRIE, 100, BPF_F_NO_PREALLOC, struct prefix4, struct verdict)
MAP(rules6, LPM_TRIE, 100, BPF_F_NO_PREALLOC, struct prefix6, __u32)
MAP(flows, HASH, 100, 0, struct flow, __u64)
MAP(ports, LRU_HASH, 100, 0, __u16, bool)
MAP(slots, ARRAY, 4, 0, __u32, __be32)
MAP(names, HASH, 100, 0, char[16], __u32)
MAP(counts, PERCPU_ARRAY, 4, 0, __u32, __u64)
MAP(sealed, HASH, 100, BPF_F_RDONLY, __u32, __u64)
MAP(wide, HASH, 1 << 17, 0, __u32, char[1024])
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __uint(key_size, 4); __uint(value_size, 4); } sizes SEC(".maps");
SEC("xdp") int entry(void *ctx) { return 2; }
`
const { maps } = readObject(compileBpf(SOURCE))
const mapNamed = (name: string): BpfMapDefinition => {
  const map = maps.find((each) => each.name === name)
  if (map === undefined) throw new Error(`no map ${name}`)
  return map
}
const list = (map: string, key: object, value?: object, maxItems = 4): ListConfig =>
  ListConfig.parse({ name: 'items', map, maxItems, key, ...(value === undefined ? {} : { value }) })
const encode = (config: ListConfig, ...items: ListItem[]): string[] =>
  encodeItems(config, mapNamed(config.map), items, 'items').map(
    ({ key, value }) => `${key.toString('hex')} ${value.toString('hex')}`,
  )
const ACTION = { enum: { allow: 0, deny: 1 } }

describe('an item becomes bytes', () => {
  test('a whole key that is a prefix, and members of a value; what is not named is zero', () => {
    const config = list('rules', { prefix: 'cidr' }, { action: ACTION, name: 'string' })
    expect(
      encode(
        config,
        { prefix: '10.1.0.0/16', action: 'deny', name: 'lab' },
        { prefix: '10.1.2.3', action: 'allow', name: '' },
      ),
    ).toEqual([
      `100000000a010000 ${'00000000 01000000 00 6c61620000000000 000000'.replaceAll(' ', '')}`,
      `200000000a010203 ${'00'.repeat(20)}`,
    ])
  })
  test('a prefix of IPv6 with the kernel’s own header', () =>
    expect(
      encode(list('rules6', { net: 'cidr' }, { mark: 'u32' }), { net: '2001:db8::/32', mark: 7 }),
    ).toEqual([`2000000020010db8${'00'.repeat(12)} 07000000`]))
  test('members of structs within, of anonymous ones and of unions', () => {
    const key = {
      ...{ 'src.addr': 'ipv4', 'src.port': 'port', 'dst.addr': 'be32', 'dst.port': 'be16' },
      ...{ proto: 'u8', mac: 'mac', via: 'ip' },
    }
    const item = {
      ...{ 'src.addr': '10.0.0.1', 'src.port': 443, 'dst.addr': 1, 'dst.port': 2, proto: 6 },
      ...{ mac: '02:00:00:00:00:01', via: '10.0.0.2' },
    }
    const expected =
      '0a000001 01bb 0000 00000001 0002 0000 06 020000000001 00 00000000000000000000ffff0a000002 0000000000000000'
    expect(encode(list('flows', key), item)).toEqual([`${expected.replaceAll(' ', '')} ${'00'.repeat(8)}`])
  })
  test('a scalar goes by any name', () => {
    expect(encode(list('ports', { port: 'port' }, { open: 'bool' }), { port: 80, open: true })).toEqual([
      '0050 01',
    ])
    expect(
      encode(list('slots', { index: 'u32' }, { gateway: 'ipv4' }), { index: 3, gateway: '10.0.0.1' }),
    ).toEqual(['03000000 0a000001'])
    expect(encode(list('names', { host: 'string' }), { host: 'a' })).toEqual([
      `61${'00'.repeat(15)} 00000000`,
    ])
  })
  test('no items, no elements', () => expect(encode(list('ports', { port: 'u16' }))).toEqual([]))
})

describe('an item is refused, by its index', () => {
  const config = list('rules', { prefix: 'cidr' }, { action: ACTION })
  const good = { prefix: '10.0.0.0/8', action: 'deny' }
  const refused: [string, ListItem[], RegExp][] = [
    [
      'with an unknown member',
      [good, { ...good, mark: 1 }],
      /^items\[1\] has a member "mark"; .*prefix, action$/,
    ],
    ['that lacks a member', [{ prefix: '10.0.0.0/8' }], /^items\[0\] has no action$/],
    ['that lacks what every object inherits', [{ prefix: '10.0.0.0/8', toString: 'deny' }], /"toString"/],
    ['with a value out of range', [{ ...good, action: 'log' }], /^items\[0\]: action = "log" is none of/],
    ['of another family', [{ ...good, prefix: '::/0' }], /^items\[0\]: prefix = "::\/0" is not IPv4$/],
    [
      'whose key is there already, written otherwise',
      [good, { prefix: '10.0.0.1', action: 'deny' }, { prefix: '10.0.0.1/32', action: 'allow' }],
      /^items\[2\] has the same key as items\[1\]$/,
    ],
  ]
  test.each(refused)('%s', (_, items, message) =>
    expectRefusal(() => encode(config, ...items), 'invalid_config', message),
  )
  test('whose index is behind the array’s end', () => {
    const slots = list('slots', { index: 'u32' })
    expect(encode(slots, { index: 0 }, { index: 3 })).toHaveLength(2)
    expectRefusal(() => encode(slots, { index: 4 }), 'invalid_config', /items\[0\]: index 4 .* last, 3/)
  })
  test('when all together have too many bytes', () => {
    const wide = list('wide', { number: 'u32' }, undefined, 1 << 17)
    const count = Math.floor(LIMITS.list_bytes / 1028)
    const items = Array.from({ length: count + 1 }, (_, number) => ({ number }))
    expect(encode(wide, ...items.slice(1))).toHaveLength(count)
    expectRefusal(() => encode(wide, ...items), 'invalid_config', /items have \d+ bytes, a list at most/)
  })
})

describe('a list that cannot fill its map is refused', () => {
  const refused: [string, ListConfig, RegExp][] = [
    ['per-cpu', list('counts', { index: 'u32' }), /type percpu_array; a list fills hash, lru_hash, lpm_trie/],
    ['read-only', list('sealed', { a: 'u32' }), /BPF_F_RDONLY/],
    ['too small', list('slots', { index: 'u32' }, undefined, 5), /holds 4 entries, fewer than maxItems 5/],
    ['of sizes alone', list('sizes', { a: 'u32' }), /key has no type; declare it with __type/],
    [
      'without the member',
      list('flows', { addr: 'ipv4' }),
      /has no member addr; it has: src, dst, proto, low, high/,
    ],
    ['without the member within', list('flows', { 'src.mac': 'mac' }), /has no member src\.mac/],
    ['of one value', list('ports', { a: 'u16', b: 'u16' }), /has no member a: it is one value/],
    ['with a bit-field', list('flows', { low: 'u8' }), /low is a bit-field/],
    ['of another width', list('ports', { port: 'u32' }), /port has 2 bytes, u32 has 4/],
    ['of another sign', list('ports', { port: 'i16' }), /port is u16, not i16/],
    ['of no number', list('flows', { src: 'u64' }), /src is a struct, not u64/],
    ['of a pointer', list('flows', { last: 'u64' }), /last is no plain value, not u64/],
    ['of no text', list('rules', { prefix: 'cidr' }, { log: 'string' }), /log is bool, not string/],
    ['of no prefix', list('flows', { src: 'cidr' }), /src is a struct, not cidr/],
    [
      'whose enum is too wide',
      list('ports', { p: { enum: { a: 65_536 } } }),
      /u16, which does not hold a: 65536/,
    ],
    ['whose enum is negative', list('ports', { p: { enum: { a: -1 } } }), /does not hold a: -1/],
    ['whose enum is a struct', list('flows', { src: { enum: { a: 1 } } }), /src is no integer/],
    ['whose members overlap', list('flows', { 'src.addr': 'ipv4', src: 'u64' }), /src/],
    [
      'a trie by its parts',
      list('rules', { prefixlen: 'u32', address: 'ipv4' }),
      /LPM trie: its whole key is one cidr/,
    ],
    ['an array by a name', list('slots', { index: 'ipv4' }), /array: its key is one u32 or enum/],
  ]
  test.each(refused)('%s', (_, config, message) =>
    expectRefusal(() => listLayout(config, mapNamed(config.map)), 'object_mismatch', message),
  )
  test('unlike its twins', () => {
    for (const config of [
      list('slots', { index: { enum: { first: 0 } } }, undefined, 4),
      list('flows', { 'src.addr': 'u32', 'dst.addr': 'ipv4' }),
      list('rules', { address: 'cidr' }, { log: 'bool', action: 'u32' }),
    ])
      expect(() => listLayout(config, mapNamed(config.map))).not.toThrow()
  })
})
