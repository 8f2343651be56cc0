import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'
import type { EntryForm } from '../../src/domain/hook.ts'
import { sumPercpuWords } from '../../src/kernel/bpf-map.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { Originals } from '../../src/kernel/originals.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'
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

/** Programs that need care, and one that the kernel refuses. */
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
  let originals: Originals
  const build = (...images: readonly EntryImage[]): Promise<EntryForm[]> =>
    buildGeneration({ loader: directLoader, originals, tc: 'tcx' }, FOLDER, images)

  beforeAll(() => ensureBpffs(BPFFS))
  beforeEach(() => {
    mkdirSync(ROOT, { recursive: true })
    originals = new Originals(directLoader, MAPS)
  })
  afterEach(() => {
    originals.collect(new Set())
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
  async function refusesButBuilds(
    images: readonly EntryImage[],
    code: string,
    message: RegExp,
    twin: readonly EntryImage[],
  ): Promise<void> {
    await refuses(images, code, message)
    expect(pins()).toEqual([])
    await build(...twin)
    expect(pins()).toEqual(expect.arrayContaining(['counters', 'program']))
  }
  const refuses = (images: readonly EntryImage[], code: string, message: RegExp): Promise<void> =>
    expect(build(...images)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })

  test('puts GPL and other programs into programs of their own', async () => {
    const [gpl, mit, free] = ['GPL', 'MIT', 'Dual MIT/GPL'].map((license) =>
      entryImage(licensed(license), 'x', { instance: license.toLowerCase().replace(/\W/g, '-') }),
    )
    if (!gpl || !mit || !free) throw new Error('three images')
    expect(await build(gpl, free, mit)).toEqual(['group', 'group', 'exit-rewrite'])
    expect(pins()).toContain('links')
    expect(await build(mit, gpl)).toEqual(['exit-rewrite', 'exit-rewrite'])
    expect(await build(gpl, free)).toEqual(['fused', 'fused'])
    expect(pins()).not.toContain('links')
  })

  test('loads programs with and without support for multi-buffer packets without it', async () => {
    const plain = entryImage(source('globals'), 'globals')
    const frags = entryImage(source('globals', { SECTION: '"xdp.frags"' }), 'globals', { instance: 'two' })
    expect(await build(plain, frags)).toEqual(['fused', 'fused'])
  })

  test('uses several programs where one cannot use all maps, and refuses an entry that has too many alone', async () => {
    const all = entryImage(source('many-maps'), 'many_maps')
    const less = entryImage(source('many-maps', { ONE_LESS: 1 }), 'many_maps', { instance: 'less' })
    await refusesButBuilds([all], 'chain_maps', /65 maps, of 64 possible/, [less])
    const plus = entryImage(source('globals'), 'globals')
    expect(await build(plus, less)).toEqual(['exit-rewrite', 'exit-rewrite'])
    expect(await build(less, less)).toEqual(['fused', 'fused']) // the same maps twice are no more maps
  })

  test('refuses an entry whose stack leaves no room for the chain’s own', async () => {
    await refusesButBuilds([depth(504, 0)], 'chain_stack', /of 512/, [depth(496, 0)])
  })

  test('keeps apart what needs too much stack together', async () => {
    // each fits alone; in one program the subprogram of one would lie below the frame of the other
    expect(await build(depth(400, 0), depth(8, 240, { instance: 'two' }))).toEqual([
      'exit-rewrite',
      'exit-rewrite',
    ])
    expect(await build(depth(240, 0), depth(8, 240, { instance: 'two' }))).toEqual(['fused', 'fused'])
  })

  test('chains callbacks, and calls what makes tail calls; refuses what the kernel refuses alone', async () => {
    const bytes = compileBpf(UNFIT)
    const fit = entryImage(source('verdict'), 'verdict', {})
    const unfit = (entry: string): EntryImage => entryImage(bytes, entry, { instance: 'unfit' })
    expect(await build(fit, unfit('calls_back'), fit)).toEqual(['fused', 'fused', 'fused'])
    expect(await build(fit, unfit('jumps'), fit)).toEqual(['fused', 'called', 'fused'])
    expect(pins()).toContain('0') // the array of programs
    removeTree(ROOT)
    mkdirSync(ROOT, { recursive: true })
    await refusesButBuilds([fit, unfit('refused')], 'verifier_refused', /./, [fit])
    await expect(build(fit, unfit('refused'))).rejects.toMatchObject({ entry: 1 })
    await refuses([], 'chain_too_long', /not 0/)
    await refuses(Array(600).fill(fit), 'chain_too_long', /not 600/)
  })

  test('makes a chain of a hundred entries, in one program and in several', async () => {
    const frame = Buffer.alloc(60)
    frame.writeUInt8(2, 0) // pass
    const hundred = (name: string, entry: string): EntryImage[] =>
      Array.from({ length: 100 }, (_, at) => entryImage(source(name), entry, { instance: `i${at}` }))
    for (const [images, form] of [
      [hundred('verdict', 'verdict'), 'fused'],
      [hundred('globals', 'globals'), 'group'],
    ] as const) {
      expect(new Set(await build(...images))).toEqual(new Set([form]))
      using program = requirePin(join(FOLDER, 'program'))
      expect(testRun(program, frame).verdict).toBe(2)
      using counters = requirePin(join(FOLDER, 'counters'))
      const words = sumPercpuWords(counters)
      expect(Array.from({ length: 100 }, (_, at) => words[at * 8 + 2])).toEqual(Array(100).fill(1n))
    }
  })

  test('keeps the pins of maps that were there before a build that fails', async () => {
    const counting = entryImage(licensed('GPL'), 'x')
    await build(counting)
    const before = pins().filter((name) => name.includes('.bss') || name.includes('+bss'))
    expect(before).toHaveLength(1)
    removeTree(FOLDER)
    await refuses(
      [counting, depth(8, 0), entryImage(compileBpf(UNFIT), 'refused', { instance: 'three' })],
      'verifier_refused',
      /./,
    )
    expect(pins()).toEqual(before)
  })

  test('fills a map before it can be found, and pins nothing of one that cannot be filled', async () => {
    const image = entryImage(compileBpf(LISTED), 'x')
    const filled = (count: number): EntryImage => ({
      ...image,
      maps: image.maps.map((map) => ({ ...map, content: items(count) })),
    })
    await refusesButBuilds([filled(5)], 'kernel_refused', /item 5 of 5: E2BIG/, [filled(4)])
    const [pinned] = readdirSync(join(MAPS, 'test', 'one'))
    using map = requirePin(join(MAPS, 'test', 'one', pinned ?? ''))
    expect(mapContent(map)).toEqual({
      '00000000': '00',
      '01000000': '01',
      '02000000': '02',
      '03000000': '03',
    })
    removeTree(FOLDER)
    await build(filled(1)) // the same key is the same map, as it is
    expect(Object.keys(mapContent(map))).toHaveLength(4)
  })

  test('keeps the verifier’s whole log in the error', async () => {
    let log: string | undefined
    try {
      await build(entryImage(compileBpf(UNFIT), 'refused'))
    } catch (error) {
      if (error instanceof DomainError) log = error.log
    }
    expect(log).toMatch(/^0: (.*\n)*.*invalid access to packet(.*\n)*processed \d+ insns/m)
  })

  test('makes a program that runs: calls deeper than its own frame included', async () => {
    await build(depth(240, 0, { proceed: ['pass'] }), depth(8, 240, { instance: 'two' }))
    using program = requirePin(join(FOLDER, 'program'))
    const frame = Buffer.alloc(60)
    expect(testRun(program, frame).verdict).toBe(2)
    frame.writeUInt8(1, 0)
    expect(testRun(program, frame).verdict).toBe(1)
  })
})
