import { afterEach, beforeAll, expect, test } from 'vitest'
import { XDP_VERDICTS } from '../../src/domain/hook.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { keysOf, lookupElement } from '../../src/kernel/bpf-map.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import { KernelError } from '../../src/kernel/libc.ts'
import type { LoadedOriginal } from '../../src/kernel/loader.ts'
import { fillMap } from '../../src/kernel/map-fill.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { ethernet, ipv4, udp } from '../support/packets.ts'
import { loadAlone, loadEntry } from './load-entry.ts'

const ENTRIES = 10_000
const OBJECT = `#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct cidr { __u32 prefixlen; __u32 address; };
#define MAP(name, kind, k, flags) \\
  struct { __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, ${ENTRIES}); __uint(map_flags, flags); \\
           __type(key, k); __type(value, __u32); } name SEC(".maps");
MAP(rules, LPM_TRIE, struct cidr, BPF_F_NO_PREALLOC)
MAP(hashed, HASH, __u32, 0)
MAP(recent, LRU_HASH, __u32, 0)
MAP(listed, ARRAY, __u32, 0)
MAP(devices, DEVMAP, __u32, 0)
SEC("xdp") int by_source(struct xdp_md *ctx) {
  struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
  if ((void *)(ip + 1) > (void *)(long)ctx->data_end) return XDP_ABORTED;
  struct cidr key = { 32, ip->saddr };
  __u32 *verdict = bpf_map_lookup_elem(&rules, &key);
  __u32 zero = 0;
  bpf_map_lookup_elem(&hashed, &zero);
  bpf_map_lookup_elem(&recent, &zero);
  bpf_map_lookup_elem(&listed, &zero);
  bpf_map_lookup_elem(&devices, &zero);
  return verdict ? *verdict : XDP_PASS;
}
`
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const numbered = (count: number, from = 0): { key: Buffer; value: Buffer }[] =>
  Array.from({ length: count }, (_, at) => ({ key: number(at + from), value: number(at * 3) }))
const cidr = (bits: number, ...address: number[]): Buffer =>
  Buffer.concat([number(bits), Buffer.from(address)])

describeAsRoot('filling a map', () => {
  let object: LoadedOriginal
  const open: LoadedOriginal[] = []
  let bytes: Buffer
  beforeAll(() => {
    bytes = compileBpf(OBJECT)
  })
  afterEach(() => {
    for (const one of open.splice(0)) one.close()
  })
  function map(name: string): { number: number } {
    object = loadEntry(bytes, 'by_source')
    open.push(object)
    const fd = object.maps.get(name)
    if (fd === undefined) throw new Error(`no map ${name}`)
    return fd
  }
  function refusal(work: () => void): KernelError {
    try {
      work()
    } catch (error) {
      if (error instanceof KernelError) return error
      throw error
    }
    throw new Error('nothing was refused')
  }

  test.each([
    ['hashed', 2 * LIMITS.map_batch_items + 1],
    ['hashed', LIMITS.map_batch_items],
    ['hashed', 0],
    ['recent', 1000],
    ['listed', ENTRIES],
  ])('%s holds exactly the %i items that were given', (name, count) => {
    const content = numbered(count)
    const filled = map(name)
    fillMap(filled, content)
    for (const { key, value } of content) expect(lookupElement(filled, key, 4)).toEqual(value)
    expect([...keysOf(filled, 4)]).toHaveLength(count)
  })

  test('an LPM trie answers a packet by the longest prefix that fits it', () => {
    const rules = map('rules')
    const verdict = (name: string): Buffer => number(XDP_VERDICTS.indexOf(name as never))
    fillMap(rules, [
      { key: cidr(8, 10, 0, 0, 0), value: verdict('drop') },
      { key: cidr(24, 10, 1, 2, 0), value: verdict('tx') },
      { key: cidr(32, 10, 1, 2, 3), value: verdict('pass') },
    ])
    using program = loadAlone(object)
    const from = (source: string): string | undefined =>
      XDP_VERDICTS[testRun(program, ethernet(ipv4(udp(), { source }))).verdict]
    expect(['10.9.9.9', '10.1.2.9', '10.1.2.3', '11.0.0.1'].map(from)).toEqual([
      ...['drop', 'tx', 'pass', 'pass'],
    ])
  })

  test('a type of map without batches is filled one by one', () => {
    const LOOPBACK = number(1)
    const content = Array.from({ length: 20 }, (_, at) => ({ key: number(at), value: LOOPBACK }))
    const devices = map('devices')
    fillMap(devices, content)
    for (const { key, value } of content) expect(lookupElement(devices, key, 4)).toEqual(value)
    expect(lookupElement(devices, number(20), 4)).toBeUndefined()
    const bad = content.with(7, { key: number(ENTRIES), value: LOOPBACK })
    expect(refusal(() => fillMap(devices, bad)).message).toMatch(/item 8 of 20: E2BIG/)
  })

  test('more items than the map holds are refused, and the first of them is named', () => {
    const error = refusal(() => fillMap(map('hashed'), numbered(ENTRIES + 5)))
    expect(error.message).toMatch(new RegExp(`item ${ENTRIES + 1} of ${ENTRIES + 5}: E2BIG`))
  })

  test('an index behind the end of an array is refused', () => {
    const content = [...numbered(3), ...numbered(1, ENTRIES)]
    expect(refusal(() => fillMap(map('listed'), content)).message).toMatch(/item 4 of 4: E2BIG/)
  })

  test('a prefix longer than its address is refused, in a later batch too', () => {
    const content = Array.from({ length: 6000 }, (_, at) => ({
      key: cidr(at === 5000 ? 33 : 32, 10, 0, at >> 8, at & 255),
      value: number(1),
    }))
    expect(refusal(() => fillMap(map('rules'), content)).message).toMatch(/item 5001 of 6000: EINVAL/)
  })
})
