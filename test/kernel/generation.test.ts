import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { expectRefusal } from '../elf/codes.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { mapContent } from './map-content.ts'

const BPFFS = '/sys/fs/bpf'
const ROOT = join(BPFFS, 'hookline', `test-${process.pid}-generation`)
const [FOLDER, MAPS] = [join(ROOT, 'gen-1'), join(ROOT, 'maps')]

/** A program with one map, under a licence. */
const licensed = (license: string): Buffer =>
  compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "${license}";
__u64 packets;
SEC("xdp") int x(struct xdp_md *ctx) { packets++; return XDP_PASS; }
`)

/** Programs that a chain cannot hold. */
const UNFIT = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u32); } next SEC(".maps");
static int turn(__u32 at, void *with) { return 0; }
SEC("xdp") int jumps(struct xdp_md *ctx) { bpf_tail_call(ctx, &next, 1); return XDP_PASS; }
SEC("xdp") int calls_back(struct xdp_md *ctx) { bpf_loop(4, turn, 0, 0); return XDP_PASS; }
SEC("xdp") int refused(struct xdp_md *ctx) { return *(int *)(long)ctx->data; }
`

/** A map of four elements at most, and content for it. */
const LISTED = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u8); } list SEC(".maps");
SEC("xdp") int x(struct xdp_md *ctx) { __u32 zero = 0; return bpf_map_lookup_elem(&list, &zero) ? XDP_DROP : XDP_PASS; }
`
const items = (count: number): { key: Buffer; value: Buffer }[] =>
  Array.from({ length: count }, (_, at) => ({ key: Buffer.from([at, 0, 0, 0]), value: Buffer.from([at]) }))

describeAsRoot('building a generation', () => {
  const made = new Map<string, Buffer>()
  const source = (name: string, defines: Record<string, string | number> = {}): Buffer => {
    const key = JSON.stringify([name, defines])
    const bytes = made.get(key) ?? compileSource(name, { defines })
    made.set(key, bytes)
    return bytes
  }
  const depth = (main: number, sub: number, use: EntryUse = {}): EntryImage =>
    entryImage(source('depth', { MAIN: main, SUB: sub }), 'depth', use)
  const build = (...images: readonly EntryImage[]): void => buildGeneration(FOLDER, MAPS, images)

  beforeAll(() => ensureBpffs(BPFFS))
  beforeEach(() => mkdirSync(ROOT, { recursive: true }))
  afterEach(() => {
    removeTree(ROOT)
    removeIfEmpty(join(BPFFS, 'hookline'))
  })

  /** The names of pins: folders may stay. */
  const pins = (): string[] =>
    readdirSync(ROOT, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort()

  /** Refuses the images with the code, nothing left behind; and builds the twin. */
  function refusesButBuilds(
    images: readonly EntryImage[],
    code: string,
    message: RegExp,
    twin: readonly EntryImage[],
  ): void {
    const before = bpfDescriptors()
    expectRefusal(() => build(...images), code, message)
    expect(pins()).toEqual([])
    expect(bpfDescriptors()).toEqual(before)
    build(...twin)
    expect(pins()).toEqual(expect.arrayContaining(['counters', 'program']))
    expect(bpfDescriptors()).toEqual(before)
  }

  test('refuses GPL and other programs in one chain', () => {
    const [gpl, mit, free] = ['GPL', 'MIT', 'Dual MIT/GPL'].map((license) =>
      entryImage(licensed(license), 'x', { instance: license.toLowerCase().replace(/\W/g, '-') }),
    )
    if (!gpl || !mit || !free) throw new Error('three images')
    refusesButBuilds([gpl, mit], 'chain_mixed_licenses', /x \(MIT\) and x \(GPL\)/, [gpl, free])
    build(mit)
  })

  test('refuses programs with and without support for multi-buffer packets', () => {
    const plain = entryImage(source('globals'), 'globals')
    const frags = entryImage(source('globals', { SECTION: '"xdp.frags"' }), 'globals', { instance: 'two' })
    refusesButBuilds([plain, frags], 'chain_mixed_frags', /differ in support/, [frags])
  })

  test('refuses more maps than one program can use, its counters among them', () => {
    const all = entryImage(source('many-maps'), 'many_maps')
    const less = entryImage(source('many-maps', { ONE_LESS: 1 }), 'many_maps', { instance: 'less' })
    refusesButBuilds([all], 'chain_maps', /uses 65 maps, one program can use 64/, [less])
    const plus = entryImage(source('globals'), 'globals')
    removeTree(MAPS)
    expectRefusal(() => build(less, plus), 'chain_maps', /uses 68 maps/)
    build(less, less) // the same maps twice are no more maps
  })

  test('refuses an entry whose stack leaves no room for the chain’s own', () => {
    refusesButBuilds([depth(504, 0)], 'chain_stack', /520 of 512/, [depth(496, 0)])
  })

  test('refuses what only the kernel can tell: stacks too large together', () => {
    // each fits alone; in the chain the subprogram of one lies below the frame of the other
    expect(() => build(depth(8, 240))).not.toThrow()
    removeTree(FOLDER)
    refusesButBuilds(
      [depth(400, 0), depth(8, 240, { instance: 'two' })],
      'chain_stack',
      /combined stack size of 2 calls is 6\d\d\. Too large/,
      [depth(240, 0), depth(8, 240, { instance: 'two' })],
    )
  })

  test('refuses what cannot be fused', () => {
    const bytes = compileBpf(UNFIT)
    const fit = [entryImage(source('verdict'), 'verdict', {})]
    for (const [entry, code] of [
      ['jumps', 'chain_tail_call'],
      ['calls_back', 'chain_callback'],
      ['refused', 'verifier_refused'],
    ] as const) {
      refusesButBuilds([...fit, entryImage(bytes, entry, { instance: 'unfit' })], code, /./, fit)
      removeTree(FOLDER)
    }
    expectRefusal(() => build(), 'chain_too_long', /not 0/)
    expectRefusal(() => build(...Array(600).fill(fit[0])), 'chain_too_long', /not 600/)
  })

  test('keeps the pins of maps that were there before a build that fails', () => {
    const counting = entryImage(licensed('GPL'), 'x')
    build(counting)
    const before = pins().filter((name) => name.includes('.bss') || name.includes('+bss'))
    expect(before).toHaveLength(1)
    removeTree(FOLDER)
    expectRefusal(
      () => build(counting, depth(8, 0), entryImage(compileBpf(UNFIT), 'jumps', { instance: 'three' })),
      'chain_tail_call',
      /./,
    )
    expect(pins()).toEqual(before)
  })

  test('fills a map before it can be found, and pins nothing of one that cannot be filled', () => {
    const image = entryImage(compileBpf(LISTED), 'x')
    const filled = (count: number): EntryImage => ({
      ...image,
      maps: image.maps.map((map) => ({ ...map, content: items(count) })),
    })
    refusesButBuilds([filled(5)], 'kernel_refused', /item 5 of 5: E2BIG/, [filled(4)])
    const [pinned] = readdirSync(join(MAPS, 'test', 'one'))
    using map = requirePin(join(MAPS, 'test', 'one', pinned ?? ''))
    expect(mapContent(map)).toEqual({
      '00000000': '00',
      '01000000': '01',
      '02000000': '02',
      '03000000': '03',
    })
    removeTree(FOLDER)
    build(filled(1)) // the same key is the same map, as it is
    expect(Object.keys(mapContent(map))).toHaveLength(4)
  })

  test('keeps the verifier’s whole log in the error', () => {
    let log: string | undefined
    try {
      build(entryImage(compileBpf(UNFIT), 'refused'))
    } catch (error) {
      if (error instanceof DomainError) log = error.log
    }
    expect(log).toMatch(/^0: (.*\n)*.*invalid access to packet(.*\n)*processed \d+ insns/m)
  })

  test('makes a program that runs: calls deeper than its own frame included', () => {
    build(depth(240, 0, { proceed: ['pass'] }), depth(8, 240, { instance: 'two' }))
    using program = requirePin(join(FOLDER, 'program'))
    const frame = Buffer.alloc(60)
    expect(testRun(program, frame).verdict).toBe(2)
    frame.writeUInt8(1, 0)
    expect(testRun(program, frame).verdict).toBe(1)
  })
})
