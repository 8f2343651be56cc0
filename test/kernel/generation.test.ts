import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Layout } from '../../src/bytecode/layout.ts'
import { asDomainError, DomainError } from '../../src/domain/errors.ts'
import { type EntryForm, noPackets } from '../../src/domain/hook.ts'
import { createProgramArray, updateElement } from '../../src/kernel/bpf-map.ts'
import { loadXdpProgram, PROG_FLAG_FRAGS, testRun } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import { directLoader, type Loader } from '../../src/kernel/loader.ts'
import { Originals } from '../../src/kernel/originals.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { verdict } from '../bytecode/assembler.ts'
import { expectRefusal } from '../elf/codes.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { mapContent } from './map-content.ts'
import { runOn } from './test-run.ts'

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

/** The kernel takes it as a program, but not as a function that a program calls: it returns its stack's address. */
const UNFIT_AS_FUNCTION = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } next SEC(".maps");
SEC("xdp") long x(struct xdp_md *ctx)
{
	long address;

	bpf_tail_call(ctx, &next, 0);
	asm volatile("%0 = r10" : "=r"(address));
	return address;
}
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

  /** Refuses the images with the code, nothing left behind but originals; and builds the twin. */
  async function refusesButBuilds(
    images: readonly EntryImage[],
    code: string,
    message: RegExp,
    twin: readonly EntryImage[],
  ): Promise<void> {
    originals.collect(new Set())
    const before = bpfDescriptors()
    await refuses(build(...images), code, message)
    expect(pins()).toEqual([])
    originals.collect(new Set())
    originals = new Originals(directLoader, MAPS)
    await build(...twin)
    expect(pins()).toEqual(expect.arrayContaining(['counters', 'program']))
    originals.collect(new Set())
    expect(bpfDescriptors()).toEqual(before)
  }
  async function refuses(work: Promise<unknown>, code: string, message: RegExp): Promise<DomainError> {
    const error = await work.then(
      () => new Error('it was built'),
      (thrown: unknown) => thrown,
    )
    expectRefusal(
      () => {
        throw error
      },
      code,
      message,
    )
    return asDomainError(error)
  }

  test('puts GPL and other programs into programs of their own', async () => {
    const [gpl, mit, free] = ['GPL', 'MIT', 'Dual MIT/GPL'].map((license) =>
      entryImage(licensed(license), 'x', { instance: license.toLowerCase().replace(/\W/g, '-') }),
    )
    if (!gpl || !mit || !free) throw new Error('three images')
    expect(await build(gpl, free)).toEqual(['fused', 'fused'])
    expect(await build(gpl, mit, mit)).toEqual(['exit-rewrite', 'group', 'group'])
    expect(pins()).toEqual(expect.arrayContaining(['counters', 'links', 'program']))
    expect(await build(mit)).toEqual(['fused'])
  })

  test('takes multi-buffer packets only if all entries do, and refuses what then cannot be', async () => {
    const plain = entryImage(source('globals'), 'globals')
    const frags = entryImage(source('globals', { SECTION: '"xdp.frags"' }), 'globals', { instance: 'two' })
    const jumping = entryImage(source('jump', { SECTION: '"xdp.frags"' }), 'jump', { instance: 'three' })
    /** Programs of one array agree on it (bpf_prog_map_compatible, kernel/bpf/core.c). */
    const agreesWith = (flags: number): boolean => {
      using program = requirePin(join(FOLDER, 'program'))
      using like = loadXdpProgram({ name: 'like', code: verdict(2), license: 'GPL', flags })
      using array = createProgramArray('agree', 2)
      const numbered = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer)
      updateElement(array, numbered(0), numbered(like.number))
      try {
        updateElement(array, numbered(1), numbered(program.number))
        return true
      } catch {
        return false
      }
    }
    await build(frags, jumping)
    expect([agreesWith(PROG_FLAG_FRAGS), agreesWith(0)]).toEqual([true, false])
    await build(frags, plain)
    expect([agreesWith(PROG_FLAG_FRAGS), agreesWith(0)]).toEqual([false, true])
    removeTree(ROOT)
    await refusesButBuilds(
      [jumping, plain],
      'chain_mixed_frags',
      /^jump takes multi-buffer packets .* globals takes none/,
      [...[frags, jumping]],
    )
  })

  test('refuses more maps than one program can use, its counters among them', async () => {
    const all = entryImage(source('many-maps'), 'many_maps')
    const less = entryImage(source('many-maps', { ONE_LESS: 1 }), 'many_maps', { instance: 'less' })
    await refusesButBuilds([all], 'chain_maps', /65 maps, of 64 possible/, [less])
    const plus = entryImage(source('globals'), 'globals')
    expect(await build(plus, less)).toEqual(['exit-rewrite', 'exit-rewrite'])
    await refuses(build(less, plus), 'chain_maps', /65 maps/) // it goes on from there: an array of programs more
    expect(await build(less, less)).toEqual(['fused', 'fused']) // the same maps twice are no more maps
  })

  test('refuses an entry whose stack leaves no room for the chain’s own', () =>
    refusesButBuilds([depth(504, 0)], 'chain_stack', /520 bytes of stack/, [depth(496, 0)]))

  test('finds a form for stacks that are too large together', async () => {
    // each fits alone; inlined, the subprogram of one would lie below the frame of the other
    expect(await build(depth(8, 240))).toEqual(['fused'])
    expect(await build(depth(400, 0), depth(8, 240, { instance: 'two' }))).toEqual([
      ...['exit-rewrite', 'exit-rewrite'],
    ])
    expect(await build(depth(240, 0), depth(8, 240, { instance: 'two' }))).toEqual(['fused', 'fused'])
    expect(await build(depth(488, 0), depth(8, 240, { instance: 'two' }))).toEqual([
      ...['exit-rewrite', 'exit-rewrite'],
    ])
  })

  test('refuses what the verifier refuses, and says which entry it was', async () => {
    const unfit = compileBpf(UNFIT)
    const fit = [entryImage(source('verdict'), 'verdict', {})]
    const images = [...fit, entryImage(unfit, 'refused', { instance: 'unfit' })]
    await refusesButBuilds(images, 'verifier_refused', /^refused: invalid access to packet/, fit)
    const { entry, log } = await refuses(build(...images), 'verifier_refused', /./)
    expect(entry).toBe(1)
    expect(log).toMatch(/^0: (.*\n)*.*invalid access to packet(.*\n)*processed \d+ insns/m)
    expect(await build(...fit, entryImage(unfit, 'jumps'), entryImage(unfit, 'calls_back'))).toEqual([
      ...['fused', 'called', 'fused'],
    ])
    await refuses(build(), 'chain_too_long', /not 0/)
    await refuses(build(...Array(257).fill(fit[0])), 'chain_too_long', /not 257/)
  })

  test('falls back from what the kernel refuses to what it takes', async () => {
    const images = [depth(8, 0), depth(16, 0, { instance: 'two' })]
    const tried: string[] = []
    const loader: Loader = {
      ...directLoader,
      program: (image) => {
        tried.push(image.name)
        if (image.name === 'hl_chain')
          throw new DomainError('verifier_refused', 'too complex', { log: 'all' })
        return directLoader.program(image)
      },
    }
    const forms = await buildGeneration({ loader, originals, tc: 'tcx' }, FOLDER, images)
    expect(forms).toEqual(['exit-rewrite', 'exit-rewrite'])
    expect(tried).toEqual(['hl_chain', 'hl_chain_0', 'hl_chain_1'])
    expect(pins()).toEqual(['counters', 'links', 'program'])
    // a fault of the machine is none of the layout
    const broken: Loader = {
      ...directLoader,
      program: () => Promise.reject(new DomainError('loader_failed', 'gone')),
    }
    await refuses(
      buildGeneration({ loader: broken, originals, tc: 'tcx' }, FOLDER, images),
      'loader_failed',
      /gone/,
    )
    expect(pins()).toEqual([])
  })

  test.each([
    ['pass', 'xdp', 2],
    ['drop', 'xdp', 1],
    ['pass', 'tc-ingress', 0xffff_ffff],
    ['drop', 'tc-ingress', 2],
  ] as const)(
    'counts packets whose next program is gone, and says %s on %s',
    async (onMissing, hook, left) => {
      const [name, entry] = hook === 'xdp' ? ['globals', 'globals'] : ['tc-maps', 'tc_maps']
      const one = (instance: string): EntryImage =>
        entryImage(source(name), entry, { hook, onMissing, instance, variables: { cfg_every: 0 } })
      const layouts = (): Layout[] => [[0, 1].map((position) => [{ position, called: false }])]
      const builder = { loader: directLoader, originals, tc: 'tcx', layouts } as const
      const key = `1-1-${hook}`
      const folder = join(ROOT, key, 'gen-1')
      mkdirSync(join(ROOT, key))
      await buildGeneration(builder, folder, [one('first'), one('second')])
      const kernel = hookChains({
        bpffs: BPFFS,
        agent: basename(ROOT),
        netns: undefined,
        loader: directLoader,
        tc: 'tcx',
      })
      using program = requirePin(join(folder, 'program'))
      const testHook = hook === 'xdp' ? 'xdp' : 'tc-ingress'
      const run = (): number => runOn(program, testHook, { bytes: Buffer.alloc(60) }).verdict
      const proceeded = hook === 'xdp' ? 'pass' : 'ok'
      const none = noPackets(hook)
      expect(run()).toBe(hook === 'xdp' ? 2 : 0xffff_ffff)
      expect(kernel.counters(key, 1, 2)).toEqual(Array(2).fill({ ...none, [proceeded]: 1 }))
      rmSync(join(folder, 'links')) // the last reference: the kernel empties the array, as the agent must never let it
      await expect
        .poll(() => {
          run()
          return kernel.counters(key, 1, 2)[0]?.missing
        })
        .toBeGreaterThan(0)
      expect(run()).toBe(left)
      const [first, second] = kernel.counters(key, 1, 2)
      expect((first?.[proceeded] ?? 0) - (second?.[proceeded] ?? 0)).toBe(first?.missing)
    },
  )

  test.each([
    ['pass', 'pass', 1],
    ['pass', 'drop', 1],
    ['drop', 'pass', 1],
  ] as const)(
    'an entry that uses up all tail calls (%s) does not decide for the one behind it (%s)',
    async (own, next, left) => {
      const spent = entryImage(source('jump-spent'), 'jump_spent', { onMissing: own, instance: 'spent' })
      const images = [spent, entryImage(source('verdict'), 'verdict', { onMissing: next, instance: 'next' })]
      const layouts = (): Layout[] => [[[{ position: 0, called: true }], [{ position: 1, called: false }]]]
      await buildGeneration({ loader: directLoader, originals, tc: 'tcx', layouts }, FOLDER, images)
      using program = requirePin(join(FOLDER, 'program'))
      const verdicts = [0, 1, 2, 3].map((first) => testRun(program, Buffer.alloc(60, first)).verdict)
      // a kernel that counts tail calls anew in each function lets the next entry decide
      expect([Array(4).fill(left), [0, 1, 2, 3]]).toContainEqual(verdicts)
    },
  )

  test('blames the entry that the kernel refuses by itself, wherever it stands', async () => {
    const guilty = entryImage(compileBpf(UNFIT_AS_FUNCTION), 'x', { instance: 'guilty' })
    const other = entryImage(source('verdict'), 'verdict', { instance: 'other' })
    for (const [images, at] of [
      [[guilty, other], 0],
      [[other, guilty], 1],
      [[other, guilty, other], 1],
    ] as const) {
      const { entry } = await refuses(build(...images), 'verifier_refused', /./)
      expect(entry).toBe(at)
    }
  })

  test('keeps the pins of maps that were there before a build that fails', async () => {
    const counting = entryImage(licensed('GPL'), 'x')
    await build(counting)
    const before = pins().filter((name) => name.includes('.bss') || name.includes('+bss'))
    expect(before).toHaveLength(1)
    removeTree(FOLDER)
    const refused = entryImage(compileBpf(UNFIT), 'refused', { instance: 'three' })
    const other = entryImage(licensed('MIT'), 'x', { instance: 'four' })
    await refuses(build(counting, other, refused), 'verifier_refused', /./)
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

  test('makes a program that runs: calls deeper than its own frame included', async () => {
    await build(depth(240, 0, { proceed: ['pass'] }), depth(8, 240, { instance: 'two' }))
    using program = requirePin(join(FOLDER, 'program'))
    const frame = Buffer.alloc(60)
    expect(testRun(program, frame).verdict).toBe(2)
    frame.writeUInt8(1, 0)
    expect(testRun(program, frame).verdict).toBe(1)
  })
})
