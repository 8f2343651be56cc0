import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { dropEntry } from '../../src/agent/drop-entry.ts'
import { layoutsOf } from '../../src/bytecode/layout.ts'
import type { Hook } from '../../src/domain/hook.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { createPercpuArray, u32, updateElement } from '../../src/kernel/bpf-map.ts'
import { loadXdpProgram } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, pin, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { chainExaminer } from '../../src/kernel/chain-examiner.ts'
import { agentFolder, mapsFolder } from '../../src/kernel/chains.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { Originals } from '../../src/kernel/originals.ts'
import type { ComparedChain, EntryImage } from '../../src/ports/chain-kernel.ts'
import { verdict } from '../bytecode/assembler.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'

const BPFFS = '/sys/fs/bpf'
const AGENT = `test-${process.pid}-examiner`
const ROOT = agentFolder(BPFFS, AGENT)
const KEY = '1-1-xdp'
const FOLDER = join(ROOT, KEY, 'gen-1')

describeAsRoot('examining a chain', () => {
  let originals: Originals
  const examinerOf = (tc: 'tcx' | 'clsact') =>
    chainExaminer({ bpffs: BPFFS, agent: AGENT, netns: undefined, loader: directLoader, tc })
  beforeAll(() => ensureBpffs(BPFFS))
  beforeEach(() => {
    mkdirSync(ROOT, { recursive: true })
    originals = new Originals(directLoader, mapsFolder(ROOT))
  })
  afterEach(() => {
    originals.collect(new Set())
    removeTree(ROOT)
    removeIfEmpty(join(BPFFS, 'hookline'))
  })

  const image = (name: string, use: EntryUse = {}): EntryImage =>
    entryImage(compileSource(name), name.replaceAll('-', '_'), { instance: name, ...use })
  const idOf = (name: string): number => {
    using program = requirePin(join(FOLDER, name))
    return programInfo(program).id
  }
  const compare = (
    images: readonly EntryImage[],
    { programId = idOf('program'), tc = 'tcx' as 'tcx' | 'clsact' } = {},
  ): Promise<ComparedChain> => examinerOf(tc).compare(KEY, 1, programId, images)

  /** Builds a chain in the last of its possible forms, or in the first; for TC, its verdicts for where it is attached. */
  const build = (
    images: readonly EntryImage[],
    form: 'first' | 'last' = 'first',
    tc: 'tcx' | 'clsact' = 'tcx',
  ) =>
    buildGeneration(
      {
        ...{ loader: directLoader, originals, tc },
        layouts: (entries) => layoutsOf(entries).slice(form === 'first' ? 0 : -1),
      },
      FOLDER,
      images,
    )

  const TC = ['tc-calls', 'tc-maps', 'tc-verdicts']
  const chains: [string, Hook, 'tcx' | 'clsact', string[]][] = [
    ['variables, calls and maps', 'xdp', 'tcx', ['globals', 'calls', 'maps']],
    ['types of the kernel, and its configuration', 'xdp', 'tcx', ['core', 'kconfig', 'exits']],
    ['callbacks and arrays of programs', 'xdp', 'tcx', ['callback', 'jump-fixed', 'verdict']],
    ['TC, by TCX', 'tc-ingress', 'tcx', TC],
    ['TC, by clsact', 'tc-egress', 'clsact', TC],
  ]
  test.each(
    chains.flatMap(([what, hook, tc, names]) =>
      (['first', 'last'] as const).map((form) => [what, form, { hook, tc, names }] as const),
    ),
  )('finds what its entries make: %s, in its %s form', async (_, form, { hook, tc, names }) => {
    const images = names.map((name) => image(name, { hook }))
    await build(images, form, tc)
    const { programs, differences } = await compare(images, { tc })
    expect(differences).toEqual([])
    expect(programs.map(({ madeTag }) => madeTag)).toEqual(programs.map(({ tag }) => tag))
    expect(programs).toHaveLength(form === 'first' ? 1 : 3)
    // the twin: another order of the same entries is another program
    expect((await compare(images.toReversed(), { tc })).differences).not.toEqual([])
  })
  test('tells verdicts that are made for another way to attach', async () => {
    const images = TC.map((name) => image(name, { hook: 'tc-egress' }))
    await build(images, 'first', 'clsact')
    expect((await compare(images, { tc: 'tcx' })).differences).not.toEqual([])
  })
  test('finds what stands in the place of something revoked', async () => {
    const images = [image('globals'), dropEntry('test', 'gone', 'acme/gone@1.0.0', 'xdp').image]
    await build(images)
    expect((await compare(images)).differences).toEqual([])
    expect((await compare(images.slice(0, 1))).differences).toHaveLength(1)
  })
  test('leaves nothing behind', async () => {
    const images = [image('globals'), image('maps')]
    await build(images)
    const before = bpfDescriptors()
    await compare(images)
    await compare(images)
    expect(bpfDescriptors()).toEqual(before)
  })

  test('tells another program by its tag', async () => {
    const images = [image('globals')]
    await build(images)
    using other = loadXdpProgram({ name: 'other', code: verdict(2), license: 'GPL', flags: 0 })
    const { id, tag } = programInfo(other)
    const { programs, differences } = await compare(images, { programId: id })
    expect(programs).toMatchObject([{ programId: id, tag }])
    expect(programs[0]?.madeTag).not.toBe(tag)
    expect(differences).toEqual([expect.stringContaining(`tag ${tag}`)])
  })
  test('tells other constants under the same instructions', async () => {
    const use = { variables: { cfg_every: 5 } }
    await build([image('globals', use)])
    expect((await compare([image('globals', use)])).differences).toEqual([])
    const { programs, differences } = await compare([image('globals')])
    expect(programs[0]?.madeTag).toBe(programs[0]?.tag)
    expect(differences).toEqual([expect.stringMatching(/^map \d+ of program \d+ holds something else$/)])
  })
  test('tells state and counters that are not the pinned ones', async () => {
    const images = [image('globals')]
    await build(images)
    rmSync(join(FOLDER, 'counters'))
    using counters = createPercpuArray('other', 64, 1)
    pin(counters, join(FOLDER, 'counters'))
    expect((await compare(images)).differences).toEqual([expect.stringMatching(/where map \d+ is pinned$/)])
    removeTree(mapsFolder(ROOT))
    expect((await compare(images)).differences).toContain('its state map .bss is not pinned')
  })
  test('tells a program that was exchanged in the middle of a chain, and one that is missing', async () => {
    const images = [image('globals'), image('maps'), image('exits')]
    await build(images, 'last')
    using links = requirePin(join(FOLDER, 'links'))
    using other = loadXdpProgram({ name: 'other', code: verdict(2), license: 'GPL', flags: 0 })
    updateElement(links, u32(1), u32(other.number))
    const { programs, differences } = await compare(images)
    expect(programs.map(({ tag, madeTag }) => tag === madeTag)).toEqual([true, false, true])
    expect(differences).toEqual([expect.stringContaining(`program ${programInfo(other).id} has the tag`)])
    rmSync(join(FOLDER, 'links'))
    expect((await compare(images)).differences).not.toEqual([])
  })
})
