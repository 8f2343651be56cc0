import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { entriesOf } from '../../src/agent/instance.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { XDP_VERDICTS } from '../../src/domain/hook.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { Originals } from '../../src/kernel/originals.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { compile, heldRelease } from '../agent/held-release.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { ethernet, ipv4, ipv6, tcp } from '../support/packets.ts'
import { mapContent } from './map-content.ts'

const BPFFS = '/sys/fs/bpf'
const ROOT = join(BPFFS, 'hookline', `test-${process.pid}-lists`)
const MAPS = join(ROOT, 'maps')

/** Judges by source prefix, IPv4 and IPv6, then by destination port; counts what it saw in a state map. */
const FILTER = `
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
struct prefix4 { __u32 prefixlen; __u8 address[4]; };
struct prefix6 { __u32 prefixlen; struct in6_addr address; };
struct rule { __u32 hits_before; enum { ALLOW, DENY } action; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 64); __uint(map_flags, BPF_F_NO_PREALLOC);
         __type(key, struct prefix4); __type(value, struct rule); } rules4 SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 64); __uint(map_flags, BPF_F_NO_PREALLOC);
         __type(key, struct prefix6); __type(value, struct rule); } rules6 SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, __be16); __type(value, bool); } ports SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");
SEC("xdp") int xdp_limit(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  __u32 zero = 0;
  __u64 *count = bpf_map_lookup_elem(&seen, &zero);
  if (count) __sync_fetch_and_add(count, 1);
  if ((void *)(eth + 1) > end) return XDP_ABORTED;
  struct rule *rule = 0;
  struct tcphdr *tcp = 0;
  if (eth->h_proto == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end) return XDP_ABORTED;
    struct prefix4 key = { .prefixlen = 32 };
    __builtin_memcpy(key.address, &ip->saddr, 4);
    rule = bpf_map_lookup_elem(&rules4, &key);
    tcp = (void *)(ip + 1);
  } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end) return XDP_ABORTED;
    struct prefix6 key = { .prefixlen = 128, .address = ip->saddr };
    rule = bpf_map_lookup_elem(&rules6, &key);
    tcp = (void *)(ip + 1);
  }
  if (rule) return rule->action == DENY ? XDP_DROP : XDP_PASS;
  if (!tcp || (void *)(tcp + 1) > end) return XDP_ABORTED;
  __be16 port = tcp->dest;
  bool *open = bpf_map_lookup_elem(&ports, &port);
  return open && *open ? XDP_TX : XDP_PASS;
}
`
const ACTION = { action: { enum: { allow: 0, deny: 1 } } }
const CONFIG = [
  { name: 'rules', map: 'rules4', maxItems: 64, key: { prefix: 'cidr' }, value: ACTION },
  { name: 'rules6', map: 'rules6', maxItems: 64, key: { prefix: 'cidr' }, value: ACTION },
  { name: 'ports', map: 'ports', maxItems: 64, key: { port: 'port' }, value: { open: 'bool' } },
]

describeAsRoot('lists in a kernel', () => {
  let object: Buffer
  beforeAll(() => {
    ensureBpffs(BPFFS)
    object = compile(FILTER)
  })
  beforeEach(() => mkdirSync(ROOT, { recursive: true }))
  afterEach(() => {
    removeTree(ROOT)
    removeIfEmpty(join(BPFFS, 'hookline'))
  })

  function images(config: object): EntryImage[] {
    const spec = FunctionSpec.parse({
      ...{ kind: 'function', name: 'edge', selector: {}, interfaces: ['eth1'] },
      instances: [{ use: 'acme/limit@^1.0', config }],
    })
    return spec.instances.flatMap((instance) =>
      entriesOf(spec, instance, heldRelease({ 'limit.bpf.o': object }, { config: CONFIG })).map(
        ({ image }) => image,
      ),
    )
  }
  const originals = new Originals(directLoader, MAPS)
  const build = (generation: number, config: object) =>
    buildGeneration(
      { loader: directLoader, originals, tc: 'tcx' },
      join(ROOT, `gen-${generation}`),
      images(config),
    )
  function verdicts(generation: number, ...frames: Buffer[]): string[] {
    using program = requirePin(join(ROOT, `gen-${generation}`, 'program'))
    return frames.map((frame) => XDP_VERDICTS[testRun(program, frame).verdict] ?? 'other')
  }
  const from4 = (source: string, destination = 80): Buffer => ethernet(ipv4(tcp({ destination }), { source }))
  const from6 = (source: string): Buffer => ethernet(ipv6(tcp(), { source }))

  test('decide what happens to packets: the longest prefix, both families, ports', async () => {
    await build(1, {
      rules: [
        { prefix: '10.0.0.0/8', action: 'deny' },
        { prefix: '10.1.0.0/16', action: 'allow' },
        { prefix: '10.1.2.3', action: 'deny' },
      ],
      rules6: [
        { prefix: '2001:db8::/32', action: 'deny' },
        { prefix: '2001:db8:7::/48', action: 'allow' },
      ],
      ports: [
        { port: 443, open: true },
        { port: 80, open: false },
      ],
    })
    expect(verdicts(1, from4('10.9.9.9'), from4('10.1.9.9'), from4('10.1.2.3'), from4('11.0.0.1'))).toEqual([
      ...['drop', 'pass', 'drop', 'pass'],
    ])
    expect(verdicts(1, from6('2001:db8::1'), from6('2001:db8:7::1'), from6('2001:db9::1'))).toEqual([
      ...['drop', 'pass', 'pass'],
    ])
    expect(verdicts(1, from4('11.0.0.1', 443), from4('11.0.0.1', 80))).toEqual(['tx', 'pass'])
  })

  test('belong to a generation, while state is carried on: what ran before is as it was', async () => {
    const [denied, other] = [from4('10.0.0.1'), from4('172.16.0.1')]
    const first = { rules: [{ prefix: '10.0.0.0/8', action: 'deny' }] }
    const second = { rules: [{ prefix: '172.16.0.0/12', action: 'deny' }] }
    await build(1, first)
    await build(2, second)
    expect([verdicts(1, denied, other), verdicts(2, denied, other)]).toEqual([
      ['drop', 'pass'],
      ['pass', 'drop'],
    ])
    await build(3, first) // a rollback
    expect(verdicts(3, denied, other)).toEqual(['drop', 'pass'])
    const pins = readdirSync(join(MAPS, 'edge', 'limit'))
    const named = (name: string): string[] => pins.filter((pin) => pin.startsWith(`${name}-`))
    expect([named('rules4').length, named('rules6').length, named('ports').length]).toEqual([2, 1, 1])
    const [state = '', ...more] = named('seen')
    expect(more).toEqual([])
    using seen = requirePin(join(MAPS, 'edge', 'limit', state))
    expect(mapContent(seen)).toEqual({ '00000000': '0600000000000000' })
  })

  test('are empty when nothing is given', async () => {
    await build(1, {})
    expect(verdicts(1, from4('10.0.0.1', 443), from6('2001:db8::1'))).toEqual(['pass', 'pass'])
  })
})
