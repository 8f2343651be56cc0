import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Hook, noPackets, packetsOf, type VerdictCounts, XDP_VERDICTS } from '../../src/domain/hook.ts'
import { programInfo, xdpLinkInfo } from '../../src/kernel/bpf-info.ts'
import { updateLink } from '../../src/kernel/bpf-link.ts'
import { loadXdpProgram, testRun } from '../../src/kernel/bpf-program.ts'
import {
  ensureBpffs,
  openPin,
  pin,
  pinName,
  removeIfEmpty,
  removeTree,
  requirePin,
} from '../../src/kernel/bpffs.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { interfaceIndex, KernelError } from '../../src/kernel/libc.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { inNetns } from '../../src/kernel/netns.ts'
import { createXdpLink } from '../../src/kernel/xdp-link.ts'
import type {
  BuiltGeneration,
  ChainKernel,
  ChainSite,
  EntryImage,
  PinnedGeneration,
} from '../../src/ports/chain-kernel.ts'
import { Lab, type LinkEnd } from '../../tools/lab/namespaces.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { program, verdict } from '../bytecode/assembler.ts'
import { expectRefusal } from '../elf/codes.ts'
import { needs, whyNoTcx } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { ethernet, ipv4, tcp } from '../support/packets.ts'
import { compileSource, entryImage } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { mapContent } from './map-content.ts'

const BPFFS = '/sys/fs/bpf'
const AGENT = `test-${process.pid}-chains`
const ROOT = join(BPFFS, 'hookline', AGENT)
const PACKETS = 1000
const RATE_PPS = 20_000
const EPERM = 1

const none: VerdictCounts = noPackets('xdp')
const chainsOf = (agent: string, netns: string): ChainKernel =>
  hookChains({ bpffs: BPFFS, agent, netns, loader: directLoader })

/** All names below a folder of pins. */
const tree = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()

describeAsRoot('chains on an interface', () => {
  let lab: Lab
  let ends: { a: LinkEnd; b: LinkEnd }
  let chains: ChainKernel
  let ifindex: number
  let key: string
  let site: ChainSite
  let globals: Buffer
  let maps: Buffer
  let other: Buffer
  let verdicts: Buffer
  beforeAll(() => {
    ensureBpffs(BPFFS)
    globals = compileSource('globals')
    maps = compileSource('maps')
    other = compileSource('maps', { flags: ['-DWIDER'] })
    verdicts = compileSource('verdict')
  })
  beforeEach(() => {
    lab = new Lab()
    ends = lab.link(
      { namespace: lab.namespace('sender'), interface: 'eth1' },
      { namespace: lab.namespace('receiver'), interface: 'eth1' },
    )
    chains = chainsOf(AGENT, ends.b.namespace.path)
    ifindex = inNetns(ends.b.namespace.path, () => interfaceIndex('eth1'))
    site = siteOf(chains, ifindex)
    key = site.key
  })
  afterEach(() => {
    chains.collectMaps(new Set())
    lab.close()
    removeTree(ROOT)
  })
  afterAll(() => removeIfEmpty(join(BPFFS, 'hookline')))

  const siteOf = (kernel: ChainKernel, index: number, hook: Hook = 'xdp'): ChainSite => ({
    key: kernel.keyOf(index, hook),
    hook,
    at: { name: 'eth1', ifindex: index, defaultRoute: false },
    allowGeneric: false,
  })
  const pass = (): Parameters<ChainKernel['build']>[2] => [
    entryImage(globals, 'globals', { instance: 'count', variables: { cfg_every: 0 } }),
    entryImage(maps, 'maps', { instance: 'sort', proceed: ['pass', 'drop'] }),
  ]
  const loadVerdict = (value: number): Fd =>
    loadXdpProgram({ name: 'foreign', code: program(verdict(value)), license: 'GPL', flags: 0 })

  const pinnedOf = ({ forms: _, ...pinned }: BuiltGeneration): PinnedGeneration => pinned

  /** Sends packets and gives how many of them came through. */
  async function traffic(): Promise<number> {
    const run = newRun()
    const receiver = await startReceiver({ lab, at: ends.b, run })
    const sender = await startSender({
      lab,
      from: ends.a,
      run,
      mix: { good: 1 },
      count: PACKETS,
      rate_pps: RATE_PPS,
    })
    expect((await sender.done).sent.good).toBe(PACKETS)
    return (await receiver.stop()).classes.good.distinct
  }

  test('count every packet by its verdict, from the moment they are attached', async () => {
    const built = await chains.build(site, 1, [
      entryImage(globals, 'globals', { variables: { cfg_every: 4 } }),
      entryImage(verdicts, 'verdict', {}), // the first byte of the MAC is 2: pass
    ])
    expect(built.forms).toEqual(['fused', 'fused'])
    expect(chains.pinned()).toEqual([{ key, link: undefined, generations: [pinnedOf(built)] }])
    await traffic()
    expect(chains.counters(key, 1, 2)).toEqual([none, none])

    const { linkId } = chains.activate(site, 1)
    const link = { linkId, programId: built.programId, ifindex, mode: 'native' }
    expect(chains.pinned()).toEqual([{ key, link, generations: [pinnedOf(built)] }])
    expect(await traffic()).toBe((PACKETS * 3) / 4)
    expect(chains.counters(key, 1, 2)).toEqual([
      { ...none, drop: PACKETS / 4, pass: (PACKETS * 3) / 4 },
      { ...none, pass: (PACKETS * 3) / 4 },
    ])
  })

  test.for(['tcx', 'clsact'] as const)('run on TC by %s as they do on XDP', async (tc, context) => {
    if (tc === 'tcx') needs(tc, whyNoTcx(), context)
    const tcMaps = compileSource('tc-maps')
    const direct = compileSource('tc-cooperative')
    const on = (every: number): EntryImage[] => [
      entryImage(tcMaps, 'tc_maps', { hook: 'tc-ingress', variables: { cfg_every: every } }),
      entryImage(direct, 'tc_cooperative', { hook: 'tc-ingress', instance: 'two' }),
    ]
    const { path } = ends.b.namespace
    const kernel = hookChains({ bpffs: BPFFS, agent: AGENT, netns: path, loader: directLoader, tc })
    const place = siteOf(kernel, ifindex, 'tc-ingress')
    await kernel.build(place, 1, on(4))
    const first = kernel.activate(place, 1)
    expect(first).toMatchObject({ ifindex, mode: tc })
    expect(kernel.pinned()).toMatchObject([{ key: place.key, link: first, generations: [{ generation: 1 }] }])
    await traffic() // what arrives is seen before TC: the counters tell
    const [sorted, passed] = kernel.counters(place.key, 1, 2)
    expect(sorted).toEqual({ ...noPackets('tc-ingress'), shot: PACKETS / 4, ok: (PACKETS * 3) / 4 })
    expect(passed && packetsOf(passed)).toBe((PACKETS * 3) / 4)
    const { programId } = await kernel.build(place, 2, on(0))
    expect(kernel.activate(place, 2)).toEqual({ ...first, programId })
    await traffic()
    expect(kernel.counters(place.key, 2, 2).map(packetsOf)).toEqual([PACKETS, PACKETS])
    kernel.detach(place.key)
    expect(kernel.pinned()).toEqual([])
    kernel.collectMaps(new Set())
  })

  test('change by one update of the same link, which keeps state and not constants', async () => {
    await chains.build(site, 1, pass())
    const { linkId } = chains.activate(site, 1)
    await traffic()
    const pins = tree(join(ROOT, 'maps'))
    const before = state()
    expect(Object.keys(before).length).toBeGreaterThan(5)

    // the same instances, one configured otherwise, in another order
    const second = [
      ...pass().slice(1),
      entryImage(globals, 'globals', { instance: 'count', variables: { cfg_every: 1 } }),
    ]
    const built = await chains.build(site, 2, second)
    expect(state()).toEqual(before)
    const running = { linkId, programId: built.programId, ifindex, mode: 'native' }
    expect(chains.activate(site, 2)).toEqual(running)
    expect(chains.activate(site, 2)).toEqual(running) // nothing to do
    expect(chains.pinned()[0]?.link).toEqual(running)
    await traffic()
    expect(tree(join(ROOT, 'maps'))).toEqual(pins)
    expect(chains.counters(key, 1, 2).map(packetsOf)).toEqual([PACKETS, PACKETS])
    const [sorted, counted] = chains.counters(key, 2, 2)
    expect(sorted && packetsOf(sorted)).toBe(PACKETS)
    expect(counted).toEqual({ ...none, drop: PACKETS }) // cfg_every is 1 now: constants are new
    const seen = Object.entries(state()).find(([name]) => name.includes('seen-'))
    expect(seen?.[1]).toEqual({ '00000000': `${2 * PACKETS}` }) // state went on

    chains.discard(key, 1)
    expect(chains.pinned()[0]?.generations.map(({ generation }) => generation)).toEqual([2])
    expect(() => chains.counters(key, 1, 2)).toThrow(KernelError)
  })

  /** The content of every pinned state map. */
  function state(): Record<string, Record<string, string>> {
    const folder = join(ROOT, 'maps', 'test')
    return Object.fromEntries(
      readdirSync(folder).flatMap((instance) =>
        readdirSync(join(folder, instance)).map((name) => {
          using map = requirePin(join(folder, instance, name))
          return [`${instance}/${name}`, mapContent(map)] as const
        }),
      ),
    )
  }

  test('begin with a new map where its layout has changed, and keep the others', async () => {
    await chains.build(site, 1, [entryImage(maps, 'maps')])
    chains.activate(site, 1)
    await traffic()
    const before = state()
    await chains.build(site, 2, [entryImage(other, 'maps')])
    const after = state()
    const added = Object.keys(after).filter((name) => !(name in before))
    expect(added.map((name) => name.replace(/-[0-9a-f]+$/, ''))).toEqual(['one/by_size'])
    for (const name of added) expect(Object.values(after[name] ?? {}).join('')).toMatch(/^0+$/)
    for (const [name, content] of Object.entries(before)) expect(after[name]).toEqual(content)

    const keep = entryImage(other, 'maps').maps.flatMap(({ stateKey }) => stateKey ?? [])
    chains.collectMaps(new Set(keep))
    expect(Object.keys(state()).sort()).toEqual(keep.map((name) => pinName(name).replace('test/', '')).sort())
  })

  test('are refused where a foreign link sits, which stays untouched', async () => {
    await chains.build(site, 1, pass())
    using foreign = loadVerdict(1)
    using link = inNetns(ends.b.namespace.path, () => createXdpLink(foreign, ifindex))
    expectRefusal(() => chains.activate(site, 1), 'hook_busy', /another XDP program/)
    expect(xdpLinkInfo(link)).toMatchObject({ ifindex, programId: programInfo(foreign).id })
    expect(chains.pinned()[0]?.link).toBeUndefined()
    expect(await traffic()).toBe(0) // the foreign program drops
    link.close()
    chains.activate(site, 1)
    expect(chains.pinned()[0]?.link).toBeDefined()
  })

  test('are refused where a program was attached by ip link', async () => {
    await chains.build(site, 1, pass())
    const folder = mkdtempSync(join(tmpdir(), 'hookline-test-'))
    try {
      const path = join(folder, 'verdict.o')
      writeFileSync(path, verdicts)
      const inside = ['-n', ends.b.namespace.name]
      execFileSync('ip', [...inside, 'link', 'set', 'dev', 'eth1', 'xdpdrv', 'obj', path, 'sec', 'xdp'])
      const shown = (): string =>
        /prog\/xdp id (\d+)/.exec(
          execFileSync('ip', [...inside, 'link', 'show', 'dev', 'eth1'], { encoding: 'utf8' }),
        )?.[1] ?? ''
      const id = shown()
      expect(id).not.toBe('')
      expectRefusal(() => chains.activate(site, 1), 'hook_busy', /another XDP program/)
      expect(shown()).toBe(id)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('are not switched when another program runs than the one expected', async () => {
    const { programId } = await chains.build(site, 1, pass())
    chains.activate(site, 1)
    using link = requirePin(join(ROOT, key, 'link'))
    using wrong = loadVerdict(2)
    using next = loadVerdict(1)
    let errno = 0
    try {
      updateLink(link, next, wrong)
    } catch (error) {
      if (error instanceof KernelError) errno = error.errno
    }
    expect(errno).toBe(EPERM)
    expect(xdpLinkInfo(link).programId).toBe(programId)
    using right = requirePin(join(ROOT, key, 'gen-1', 'program'))
    updateLink(link, next, right)
    expect(xdpLinkInfo(link).programId).toBe(programInfo(next).id)
  })

  test('detach with exactly their own pins, and leave a neighbour agent alone', async () => {
    const neighbour = join(BPFFS, 'hookline', `${AGENT}-2`)
    const theirs = chainsOf(`${AGENT}-2`, ends.a.namespace.path)
    try {
      const theirIndex = inNetns(ends.a.namespace.path, () => interfaceIndex('eth1'))
      const theirSite = siteOf(theirs, theirIndex)
      await theirs.build(theirSite, 1, pass())
      theirs.activate(theirSite, 1)
      const untouched = [tree(neighbour), theirs.pinned()]

      await chains.build(site, 1, [entryImage(verdicts, 'verdict', {})])
      chains.activate(site, 1)
      await chains.build({ ...site, key: '1-1-xdp' }, 1, pass())
      chains.detach(key)
      expect(chains.pinned().map((chain) => chain.key)).toEqual(['1-1-xdp'])
      expect([tree(neighbour), theirs.pinned()]).toEqual(untouched)
      expect(await traffic()).toBe(PACKETS)
      chains.detach('1-1-xdp')
      chains.collectMaps(new Set())
      expect(readdirSync(join(BPFFS, 'hookline'))).toContain(`${AGENT}-2`)
      expect(readdirSync(join(BPFFS, 'hookline'))).not.toContain(AGENT)
      chains.detach(key) // nothing there: nothing to do
    } finally {
      removeTree(neighbour)
    }
  })

  test('show builds that were cut short as what never runs, and leave them: another may be at it', async () => {
    const built = await chains.build(site, 3, pass())
    for (const name of ['gen-1', 'gen-2', 'gen-0', 'other']) mkdirSync(join(ROOT, key, name))
    using counters = requirePin(join(ROOT, key, 'gen-3', 'counters'))
    pin(counters, join(ROOT, key, 'gen-2', 'counters'))
    mkdirSync(join(ROOT, 'no-chain'))
    const half = (generation: number) => ({ generation, programId: 0, programTag: '' })
    expect(chains.pinned()).toEqual([
      { key, link: undefined, generations: [half(1), half(2), pinnedOf(built)] },
    ])
    expect(readdirSync(join(ROOT, key)).sort()).toEqual(['gen-0', 'gen-1', 'gen-2', 'gen-3', 'other'])
    for (const generation of [1, 2]) chains.discard(key, generation)
    expect(chains.pinned()).toEqual([{ key, link: undefined, generations: [pinnedOf(built)] }])
    // and a build over such a folder is whole
    mkdirSync(join(ROOT, key, 'gen-4'))
    pin(counters, join(ROOT, key, 'gen-4', 'counters'))
    expect((await chains.build(site, 4, pass())).generation).toBe(4)
    expect(readdirSync(join(ROOT, key, 'gen-4')).sort()).toEqual(['counters', 'program'])
  })

  test('of an interface that is gone have no link, and clean up after themselves', async () => {
    const { namespace } = ends.b
    const side = lab.namespace('side')
    execFileSync('ip', [
      ...['-n', namespace.name, 'link', 'add', 'name', 'gone0'],
      ...['type', 'veth', 'peer', 'name', 'gone1', 'netns', side.name],
    ])
    const index = inNetns(namespace.path, () => interfaceIndex('gone0'))
    const goneSite = siteOf(chains, index)
    const gone = goneSite.key
    await chains.build(goneSite, 1, pass())
    chains.activate(goneSite, 1)
    expect(chains.pinned()[0]?.link?.ifindex).toBe(index)
    execFileSync('ip', ['-n', namespace.name, 'link', 'delete', 'dev', 'gone0'])
    expect(chains.pinned()[0]).toMatchObject({ key: gone, link: undefined })
    expectRefusal(() => chains.activate(goneSite, 1), 'interface_missing', /is gone/)
    using link = openPin(join(ROOT, gone, 'link'))
    expect(link).toBeUndefined()
    chains.detach(gone)
    expect(chains.pinned()).toEqual([])
  })

  test('hold no descriptor but the maps of their originals, which go with the instances', async () => {
    const before = bpfDescriptors()
    await chains.build(site, 1, pass())
    chains.activate(site, 1)
    const maps = bpfDescriptors().filter((name) => !before.includes(name))
    expect(maps.length).toBeGreaterThan(0)
    expect(maps.every((name) => name.endsWith('bpf-map'))).toBe(true)
    await chains.build(site, 2, pass())
    chains.activate(site, 2)
    chains.counters(key, 2, 2)
    chains.pinned()
    chains.discard(key, 1)
    expect(bpfDescriptors()).toHaveLength(before.length + maps.length) // the same originals
    chains.detach(key)
    chains.collectMaps(new Set())
    expect(bpfDescriptors()).toEqual(before)
  })

  test('keep arrays of programs until no packet looks into them, also those of a generation before', async () => {
    const jump = (): EntryImage[] => [
      entryImage(compileSource('jump'), 'jump', { proceed: XDP_VERDICTS }),
      entryImage(verdicts, 'verdict', {}),
    ]
    await chains.build(site, 1, jump())
    expect(readdirSync(join(ROOT, key, 'gen-1')).sort()).toEqual(['arrays', 'counters', 'program'])
    chains.activate(site, 1)
    chains.collectMaps(new Set()) // as another process would begin: only pins are left
    const before = { sent: await traffic() }
    expect(before.sent).toBe(PACKETS)
    const frame = ethernet(ipv4(tcp()))
    using program = requirePin(join(ROOT, key, 'gen-1', 'program'))
    const [first] = chains.counters(key, 1, 2)
    testRun(program, frame)
    testRun(program, frame) // the target of the tail call says tx to every other packet
    const [second] = chains.counters(key, 1, 2)
    expect((second?.tx ?? 0) - (first?.tx ?? 0)).toBe(1)
    await chains.build(site, 2, pass())
    chains.activate(site, 2)
    chains.discard(key, 1)
    expect(readdirSync(join(ROOT, key)).sort()).toEqual(['gen-2', 'link'])
  })
})
