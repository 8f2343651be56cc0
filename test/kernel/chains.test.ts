import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { noPackets, packetsOf } from '../../src/domain/hook.ts'
import { programInfo, xdpLinkInfo } from '../../src/kernel/bpf-info.ts'
import { updateLink } from '../../src/kernel/bpf-link.ts'
import { loadXdpProgram } from '../../src/kernel/bpf-program.ts'
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
import type { ChainKernel, ChainSite } from '../../src/ports/chain-kernel.ts'
import { Lab, type LinkEnd } from '../../tools/lab/namespaces.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { program, verdict } from '../bytecode/assembler.ts'
import { expectRefusal } from '../elf/codes.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, entryImage } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { mapContent } from './map-content.ts'

const BPFFS = '/sys/fs/bpf'
const AGENT = `test-${process.pid}-chains`
const ROOT = join(BPFFS, 'hookline', AGENT)
const PACKETS = 1000
const RATE_PPS = 20_000
const EPERM = 1

const siteOf = (key: string, ifindex: number): ChainSite => ({
  ...{ key, hook: 'xdp', allowGeneric: false },
  at: { name: 'eth1', ifindex, defaultRoute: false },
})

/** What the kernel tells of a generation, without how it was made. */
const pinnedOf = <T extends { forms?: unknown }>({ forms: _, ...pinned }: T): Omit<T, 'forms'> => pinned

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
    chains = hookChains({ bpffs: BPFFS, agent: AGENT, netns: ends.b.namespace.path, loader: directLoader })
    ifindex = inNetns(ends.b.namespace.path, () => interfaceIndex('eth1'))
    key = chains.keyOf(ifindex, 'xdp')
    site = siteOf(key, ifindex)
  })
  afterEach(() => {
    lab.close()
    removeTree(ROOT)
  })
  afterAll(() => removeIfEmpty(join(BPFFS, 'hookline')))

  const pass = (): Parameters<ChainKernel['build']>[2] => [
    entryImage(globals, 'globals', { instance: 'count', variables: { cfg_every: 0 } }),
    entryImage(maps, 'maps', { instance: 'sort', proceed: ['pass', 'drop'] }),
  ]
  const loadVerdict = (value: number): Fd =>
    loadXdpProgram({ name: 'foreign', code: program(verdict(value)), license: 'GPL', flags: 0 })

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
    expect(chains.pinned()).toEqual([{ key, link: undefined, generations: [pinnedOf(built)] }])
    await traffic()
    expect(chains.counters(key, 1, 2)).toEqual([noPackets('xdp'), noPackets('xdp')])

    const { linkId } = chains.activate(site, 1)
    expect(chains.pinned()).toEqual([
      {
        key,
        link: { linkId, programId: built.programId, ifindex, mode: 'native' },
        generations: [pinnedOf(built)],
      },
    ])
    expect(await traffic()).toBe((PACKETS * 3) / 4)
    expect(chains.counters(key, 1, 2)).toEqual([
      { ...noPackets('xdp'), drop: PACKETS / 4, pass: (PACKETS * 3) / 4 },
      { ...noPackets('xdp'), pass: (PACKETS * 3) / 4 },
    ])
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
    expect(chains.activate(site, 2)).toMatchObject({ linkId })
    expect(chains.activate(site, 2)).toMatchObject({ linkId }) // nothing to do
    expect(chains.pinned()[0]?.link).toEqual({
      ...{ linkId, programId: built.programId, ifindex, mode: 'native' },
    })
    await traffic()
    expect(tree(join(ROOT, 'maps'))).toEqual(pins)
    expect(chains.counters(key, 1, 2).map(packetsOf)).toEqual([PACKETS, PACKETS])
    const [sorted, counted] = chains.counters(key, 2, 2)
    expect(sorted && packetsOf(sorted)).toBe(PACKETS)
    expect(counted).toEqual({ ...noPackets('xdp'), drop: PACKETS }) // cfg_every is 1 now: constants are new
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
    const theirs = hookChains({
      ...{ bpffs: BPFFS, agent: `${AGENT}-2`, netns: ends.a.namespace.path },
      loader: directLoader,
    })
    try {
      const theirIndex = inNetns(ends.a.namespace.path, () => interfaceIndex('eth1'))
      const theirKey = theirs.keyOf(theirIndex, 'xdp')
      await theirs.build(siteOf(theirKey, theirIndex), 1, pass())
      theirs.activate(siteOf(theirKey, theirIndex), 1)
      const untouched = [tree(neighbour), theirs.pinned()]

      await chains.build(site, 1, [entryImage(verdicts, 'verdict', {})])
      chains.activate(site, 1)
      await chains.build(siteOf('1-1-xdp', 1), 1, pass())
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
    const gone = chains.keyOf(index, 'xdp')
    await chains.build(siteOf(gone, index), 1, pass())
    chains.activate(siteOf(gone, index), 1)
    expect(chains.pinned()[0]?.link?.ifindex).toBe(index)
    execFileSync('ip', ['-n', namespace.name, 'link', 'delete', 'dev', 'gone0'])
    expect(chains.pinned()[0]).toMatchObject({ key: gone, link: undefined })
    expectRefusal(() => chains.activate(siteOf(gone, index), 1), 'interface_missing', /is gone/)
    using link = openPin(join(ROOT, gone, 'link'))
    expect(link).toBeUndefined()
    chains.detach(gone)
    expect(chains.pinned()).toEqual([])
  })

  test('hold no descriptor of this process but maps for the next build; it may end at any time', async () => {
    const before = bpfDescriptors()
    const programsAndLinks = (): string[] => bpfDescriptors().filter((name) => !name.includes('map'))
    await chains.build(site, 1, pass())
    chains.activate(site, 1)
    await chains.build(site, 2, pass())
    chains.activate(site, 2)
    chains.counters(key, 2, 2)
    chains.pinned()
    expect(programsAndLinks()).toEqual(before.filter((name) => !name.includes('map')))
    chains.detach(key)
    chains.collectMaps(new Set())
    expect(bpfDescriptors()).toEqual(before)
  })
})
