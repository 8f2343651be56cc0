import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest'
import type { Hook } from '../../src/domain/hook.ts'
import type { HookPoint } from '../../src/kernel/attachment.ts'
import { linkInfo } from '../../src/kernel/bpf-info.ts'
import { createLink } from '../../src/kernel/bpf-link.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, listNames, openPin, pin, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { CLSACT_HANDLES, CLSACT_PRIORITY } from '../../src/kernel/clsact-hook.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { type HookPlace, hookPoint } from '../../src/kernel/hook-point.ts'
import { KernelError } from '../../src/kernel/libc.ts'
import { inNetns } from '../../src/kernel/netns.ts'
import { filterQdisc, tcFilters } from '../../src/kernel/tc-filters.ts'
import { tcxSupported } from '../../src/kernel/tcx-hook.ts'
import { createXdpLink } from '../../src/kernel/xdp-link.ts'
import { codeOf, expectRefusal } from '../elf/codes.ts'
import { needs, whyNoTcx } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { COUNTED_BYTES, type CountingProgram, countingProgram } from './counting-program.ts'
import { bpfDescriptors } from './descriptors.ts'
import { type Router, router } from './router.ts'

const BPFFS = '/sys/fs/bpf'
const ROOT = join(BPFFS, `hookline-test-${process.pid}-hooks`)
const RATE_PPS = 10_000
const SWAPS = 60
const SWAP_PAUSE_MS = 15
const PACKETS = 100
const [XDP_DROP, XDP_PASS, TC_NEXT, TC_SHOT] = [1, 2, -1, 2] as const
/** enum bpf_attach_type, linux/bpf.h. */
const [TCX_INGRESS, TCX_EGRESS] = [46, 47] as const
const TCX_LIST_MOST = 63

const tcxKinds = [
  { hook: 'tc-ingress', tc: 'tcx', mode: 'tcx' },
  { hook: 'tc-egress', tc: 'tcx', mode: 'tcx' },
] as const
const clsactKinds = [
  { hook: 'tc-ingress', tc: 'clsact', mode: 'clsact' },
  { hook: 'tc-egress', tc: 'clsact', mode: 'clsact' },
] as const
const KINDS = [{ hook: 'xdp', mode: 'native' } as const, ...tcxKinds, ...clsactKinds]
type Kind = (typeof KINDS)[number]

describeAsRoot('a hook point', () => {
  let net: Router
  /** Programs of ours, as the agent knows them from its generations. */
  let known: Set<number>
  let loaded: CountingProgram[]
  beforeAll(() => ensureBpffs(BPFFS))
  beforeEach(() => {
    mkdirSync(ROOT)
    net = router()
    known = new Set()
    loaded = []
  })
  afterEach(() => {
    net[Symbol.dispose]()
    for (const program of loaded) program[Symbol.dispose]()
    removeTree(ROOT)
  })

  const mayNeedTcx = ({ mode }: Kind, context: TestContext): void => {
    if (mode === 'tcx') needs(mode, whyNoTcx(), context)
  }
  const program = (hook: Hook, then: number, ours = true): CountingProgram => {
    const made = countingProgram(hook, then)
    loaded.push(made)
    if (ours) known.add(made.id)
    return made
  }
  const passing = (hook: Hook): CountingProgram => program(hook, hook === 'xdp' ? XDP_PASS : TC_NEXT)
  const foreign = (hook: Hook): CountingProgram => program(hook, hook === 'xdp' ? XDP_PASS : TC_NEXT, false)
  const device = (hook: Hook): string => (hook === 'tc-egress' ? 'out' : 'in')
  const place = ({ hook, ...kind }: Kind, at: Partial<HookPlace> = {}): HookPlace => ({
    hook,
    ifindex: net.index(device(hook)),
    netns: net.namespace.path,
    linkPath: join(ROOT, `${hook}-link`),
    allowGeneric: false,
    owns: (id) => known.has(id),
    ...('tc' in kind ? { tc: kind.tc } : {}),
    ...at,
  })
  const pointOn = (kind: Kind, at: Partial<HookPlace> = {}): HookPoint => hookPoint(place(kind, at))
  const inside = <T>(work: () => T): T => inNetns(net.namespace.path, work)
  const sendSome = () => net.traffic({ count: PACKETS, rate_pps: RATE_PPS })

  describe.each(KINDS)('$hook, $mode', (kind) => {
    const { hook } = kind
    beforeEach((context) => mayNeedTcx(kind, context))

    test('is attached, read, replaced and detached; after a restart too', async () => {
      const descriptors = bpfDescriptors()
      const [one, two] = [passing(hook), program(hook, hook === 'xdp' ? XDP_DROP : TC_SHOT)]
      const point = pointOn(kind)
      expect(point.read()).toBeUndefined()
      point.detach() // nothing there: nothing to do

      const first = point.attach(one.fd)
      const { ifindex } = place(kind)
      expect(first).toEqual({ linkId: first.linkId, programId: one.id, ifindex, mode: kind.mode })
      expect(first.linkId > 0).toBe(kind.mode !== 'clsact')
      expect(pointOn(kind).read()).toEqual(first) // all of it comes from the kernel
      expect(await sendSome()).toEqual({ sent: PACKETS, received: PACKETS })
      expect(one.count()).toBe(PACKETS)
      expect(codeOf(() => pointOn(kind).attach(two.fd))).toBe('hook_busy')

      expect(pointOn(kind).replace(two.fd, one.id)).toEqual({ ...first, programId: two.id })
      expect(point.read()).toEqual({ ...first, programId: two.id })
      expect(await sendSome()).toEqual({ sent: PACKETS, received: 0 })
      expect([one.count(), two.count()]).toEqual([PACKETS, PACKETS])

      pointOn(kind).detach()
      expect(point.read()).toBeUndefined()
      expect(listNames(ROOT)).toEqual([])
      expect(await sendSome()).toEqual({ sent: PACKETS, received: PACKETS })
      expect([one.count(), two.count()]).toEqual([PACKETS, PACKETS])
      expect(point.attach(one.fd)).toMatchObject({ programId: one.id, mode: kind.mode }) // and again
      point.detach()
      for (const each of loaded.splice(0)) each[Symbol.dispose]()
      expect(bpfDescriptors()).toEqual(descriptors)
    })

    test('is not replaced when something else runs than what was to be replaced', () => {
      const [one, two, three] = [passing(hook), passing(hook), passing(hook)]
      const point = pointOn(kind)
      expect(codeOf(() => point.replace(two.fd, one.id))).toBe('hook_changed')
      expect(point.read()).toBeUndefined()
      point.attach(one.fd)
      expectRefusal(() => point.replace(three.fd, two.id), 'hook_changed', new RegExp(`program ${one.id}\\b`))
      expect(codeOf(() => point.replace(three.fd, 0))).toBe('hook_changed')
      expect(point.read()).toMatchObject({ programId: one.id })
    })

    test('loses no packet, and lets none pass by, while it is replaced under traffic', async () => {
      const programs = [passing(hook), passing(hook)] as const
      const point = pointOn(kind)
      point.attach(programs[0].fd)
      const { sent, received } = await net.traffic({
        rate_pps: RATE_PPS,
        work: async () => {
          for (let at = 0; at < SWAPS; at++) {
            const [old, next] = at % 2 === 0 ? programs : ([programs[1], programs[0]] as const)
            point.replace(next.fd, old.id)
            await sleep(SWAP_PAUSE_MS)
          }
        },
      })
      expect(sent).toBeGreaterThan(SWAPS)
      expect(received).toBe(sent)
      expect(programs[0].count() + programs[1].count()).toBe(sent)
      for (const each of programs) expect(each.count()).toBeGreaterThan(0)
    })

    const makeOther = (...index: string[]): void => {
      const names = ['name', 'other', ...index, 'type', 'veth', 'peer', 'name', 'peer']
      net.run('ip', 'link', 'add', ...names)
    }

    test('of an interface that is gone is empty, and can be attached anew when its index comes back', () => {
      const [one, two] = [passing(hook), passing(hook)]
      makeOther()
      const ifindex = net.index('other')
      const point = pointOn(kind, { ifindex })
      point.attach(one.fd)
      net.run('ip', 'link', 'delete', 'dev', 'other')
      expect(point.read()).toBeUndefined()
      expect(codeOf(() => point.replace(two.fd, one.id))).toBe('hook_changed')
      expect(codeOf(() => point.attach(two.fd))).toBe('interface_missing')
      expect(openPin(join(ROOT, `${hook}-link`))).toBeUndefined()

      makeOther('index', `${ifindex}`)
      expect(point.attach(one.fd)).toMatchObject({ programId: one.id, ifindex })
      net.run('ip', 'link', 'delete', 'dev', 'other')
      makeOther('index', `${ifindex}`)
      expect(point.read()).toBeUndefined() // the pin is of the old interface
      expect(point.attach(two.fd)).toMatchObject({ programId: two.id, ifindex })
      expect(point.read()).toMatchObject({ programId: two.id })
      net.run('ip', 'link', 'delete', 'dev', 'other')
      point.detach()
      expect(listNames(ROOT)).toEqual([])
    })

    test('of an interface that moved to another namespace is empty', () => {
      const one = passing(hook)
      makeOther()
      const point = pointOn(kind, { ifindex: net.index('other') })
      point.attach(one.fd)
      net.run('ip', 'link', 'set', 'dev', 'other', 'netns', net.lab.namespace('elsewhere').name)
      expect(point.read()).toBeUndefined()
      expect(codeOf(() => point.replace(passing(hook).fd, one.id))).toBe('hook_changed')
      point.detach()
      expect(listNames(ROOT)).toEqual([])
    })

    test('of a namespace that is gone is empty', () => {
      const one = passing(hook)
      const at = place(kind)
      hookPoint(at).attach(one.fd)
      net[Symbol.dispose]()
      expect(hookPoint(at).read()).toBeUndefined()
      expect(codeOf(() => hookPoint(at).replace(one.fd, one.id))).toBe('hook_changed')
      expect(codeOf(() => hookPoint(at).attach(one.fd))).toBe('interface_missing')
      hookPoint(at).detach()
      expect(listNames(ROOT)).toEqual([])
    })
  })

  describe.each([{ hook: 'xdp', mode: 'native' } as const, ...tcxKinds])('$hook, $mode', (kind) => {
    beforeEach((context) => mayNeedTcx(kind, context))
    test('has nothing attached when its link cannot be pinned', async () => {
      const one = passing(kind.hook)
      const point = pointOn(kind, { linkPath: join(ROOT, 'not', 'there') })
      expect(() => point.attach(one.fd)).toThrow(KernelError)
      expect(await sendSome()).toEqual({ sent: PACKETS, received: PACKETS })
      expect(one.count()).toBe(0)
    })
  })

  describe('of XDP', () => {
    const kind = { hook: 'xdp', mode: 'native' } as const
    test('is busy where a foreign program runs, which goes on', async () => {
      const [one, theirs] = [passing('xdp'), program('xdp', XDP_DROP, false)]
      const { ifindex } = place(kind)
      using link = inside(() => createXdpLink(theirs.fd, ifindex))
      const point = pointOn(kind, { allowGeneric: true })
      expectRefusal(() => point.attach(one.fd), 'hook_busy', /another XDP program/)
      expect(point.read()).toBeUndefined()
      point.detach()
      expect(linkInfo(link)).toMatchObject({ programId: theirs.id, ifindex })
      expect(await sendSome()).toEqual({ sent: PACKETS, received: 0 })
    })

    test('takes generic mode where the driver has no native one, but only if that is allowed', async () => {
      const [one, two] = [passing('xdp'), passing('xdp')]
      net.run('ip', 'link', 'add', 'name', 'bridge', 'type', 'bridge')
      const ifindex = net.index('bridge')
      expect(codeOf(() => pointOn(kind, { ifindex }).attach(one.fd))).toBe('no_native_xdp')
      expect(listNames(ROOT)).toEqual([])
      const allowed = pointOn(kind, { ifindex, allowGeneric: true })
      const attached = allowed.attach(one.fd)
      expect(attached).toMatchObject({ programId: one.id, mode: 'generic' })
      expect(net.run('ip', 'link', 'show', 'dev', 'bridge')).toContain('xdpgeneric')
      expect(pointOn(kind, { ifindex }).read()).toEqual(attached)
      expect(allowed.replace(two.fd, one.id)).toEqual({ ...attached, programId: two.id })
      allowed.detach()
      expect(net.run('ip', 'link', 'show', 'dev', 'bridge')).not.toContain('xdp')
    })

    test('takes native mode where there is one, even if generic mode is allowed', () => {
      const attached = pointOn(kind, { allowGeneric: true }).attach(passing('xdp').fd)
      expect(attached.mode).toBe('native')
      expect(net.run('ip', 'link', 'show', 'dev', 'in')).toMatch(/\bxdp\b/)
    })
  })

  describe.each(tcxKinds)('of TCX, $hook', (kind) => {
    const { hook } = kind
    beforeEach((context) => mayNeedTcx(kind, context))
    const theirLink = ({ fd }: CountingProgram): Fd =>
      inside(() => createLink(fd, net.index(device(hook)), hook === 'tc-ingress' ? TCX_INGRESS : TCX_EGRESS))

    test('is what the kernel is asked for when nobody says how', () => {
      expect(tcxSupported()).toBe(true)
      const { tc: _, ...at } = place(kind)
      const attached = hookPoint(at).attach(passing(hook).fd)
      expect(attached.mode).toBe('tcx')
      expect(filterQdisc(attached.ifindex)).toBeUndefined()
    })

    test('stands at the end of the list, and leaves its neighbours alone', async () => {
      const [before, ours, after] = [foreign(hook), passing(hook), program(hook, TC_SHOT, false)]
      const point = pointOn(kind)
      using first = theirLink(before)
      point.attach(ours.fd)
      using last = theirLink(after)
      expect(await sendSome()).toEqual({ sent: PACKETS, received: 0 })
      expect([before, ours, after].map((each) => each.count())).toEqual([PACKETS, PACKETS, PACKETS])
      const shots = program(hook, TC_SHOT)
      point.replace(shots.fd, ours.id)
      await sendSome()
      expect([before, shots, after].map((each) => each.count())).toEqual([2 * PACKETS, PACKETS, PACKETS])
      point.detach()
      expect(linkInfo(first)).toMatchObject({ programId: before.id, ifindex: net.index(device(hook)) })
      expect(linkInfo(last)).toMatchObject({ programId: after.id, ifindex: net.index(device(hook)) })
      await sendSome()
      expect([before, after].map((each) => each.count())).toEqual([3 * PACKETS, 2 * PACKETS])
    })

    test('is busy when all places of the list are taken', () => {
      const theirs = foreign(hook)
      const links = Array.from({ length: TCX_LIST_MOST - 1 }, () => theirLink(foreign(hook)))
      try {
        const point = pointOn(kind)
        const attached = point.attach(passing(hook).fd)
        expect(point.read()).toEqual(attached) // the last one is found
        point.detach()
        links.push(theirLink(theirs))
        expectRefusal(() => point.attach(passing(hook).fd), 'hook_busy', /no place is left/)
        expect(point.read()).toBeUndefined()
      } finally {
        for (const link of links) link.close()
      }
    })

    test('is not ours without the pin', () => {
      const one = passing(hook)
      const point = pointOn(kind)
      point.attach(one.fd)
      const other = pointOn(kind, { linkPath: join(ROOT, 'other') })
      expect(other.read()).toBeUndefined()
      other.detach()
      expect(point.read()).toMatchObject({ programId: one.id })
      using link = requirePin(join(ROOT, `${hook}-link`))
      expect(linkInfo(link).programId).toBe(one.id)
    })
  })

  describe.each(clsactKinds)('of clsact, $hook', (kind) => {
    const { hook } = kind
    const dev = device(hook)
    const direction = hook === 'tc-ingress' ? 'ingress' : 'egress'
    const qdisc = (): string | undefined => inside(() => filterQdisc(net.index(dev)))
    const filters = (): number[] =>
      inside(() => tcFilters(net.index(dev), hook)).map((each) => each.programId)
    const theirFilter = (
      { fd, id }: CountingProgram,
      priority: number,
      handle = 1,
      where: string = direction,
    ): void => {
      const path = join(ROOT, `${id}`)
      pin(fd, path)
      net.run(
        'tc',
        ...['filter', 'add', 'dev', dev, where, 'pref', `${priority}`, 'handle', `${handle}`],
        ...['bpf', 'direct-action', 'object-pinned', path],
      )
    }

    test('leaves a qdisc that was there, and the filters in it', async () => {
      const [before, ours, after] = [foreign(hook), passing(hook), foreign(hook)]
      net.run('tc', 'qdisc', 'add', 'dev', dev, 'clsact')
      theirFilter(before, 1)
      theirFilter(after, CLSACT_PRIORITY + 1)
      const untouched = filters()
      const point = pointOn(kind)
      point.attach(ours.fd)
      expect(await sendSome()).toEqual({ sent: PACKETS, received: PACKETS })
      expect([before, ours, after].map((each) => each.count())).toEqual([PACKETS, PACKETS, PACKETS])
      point.detach()
      expect(filters()).toEqual(untouched)
      expect(qdisc()).toBe('clsact')
      for (const priority of [1, CLSACT_PRIORITY + 1])
        net.run('tc', 'filter', 'delete', 'dev', dev, direction, 'pref', `${priority}`)
      point.attach(ours.fd)
      point.detach()
      expect(qdisc()).toBe('clsact') // empty, but not ours
    })

    test('removes the qdisc that it made, unless somebody uses it', () => {
      const point = pointOn(kind)
      point.attach(passing(hook).fd)
      expect(qdisc()).toBe('clsact')
      point.detach()
      expect(qdisc()).toBeUndefined()
      for (const where of ['ingress', 'egress']) {
        point.attach(passing(hook).fd)
        theirFilter(foreign('tc-ingress'), 7, 1, where)
        point.detach()
        expect(qdisc()).toBe('clsact')
        net.run('tc', 'qdisc', 'delete', 'dev', dev, 'clsact')
      }
    })

    test('shares the qdisc with a chain in the other direction: the last one to leave removes it', () => {
      const other = kind === clsactKinds[0] ? clsactKinds[1] : clsactKinds[0]
      const { ifindex } = place(kind)
      const [point, opposite] = [pointOn(kind), pointOn(other, { ifindex })]
      point.attach(passing(hook).fd)
      const theirs = passing(other.hook)
      opposite.attach(theirs.fd)
      point.detach()
      expect(qdisc()).toBe('clsact')
      expect(opposite.read()).toMatchObject({ programId: theirs.id })
      opposite.detach()
      expect(qdisc()).toBeUndefined()
    })

    test.each(Object.entries(CLSACT_HANDLES))(
      'is busy where a foreign filter is at our priority and handle (%s), and leaves it there',
      (_, handle) => {
        const theirs = foreign(hook)
        net.run('tc', 'qdisc', 'add', 'dev', dev, 'clsact')
        theirFilter(theirs, CLSACT_PRIORITY, handle)
        const untouched = filters()
        const point = pointOn(kind)
        expect(point.read()).toBeUndefined()
        const ours = passing(hook)
        expect(codeOf(() => point.attach(ours.fd))).toBe('hook_busy')
        expect(codeOf(() => point.replace(ours.fd, theirs.id))).toBe('hook_changed')
        point.detach()
        expect(filters()).toEqual(untouched)
        expect(untouched).toContain(theirs.id)
      },
    )

    test('gets along with a foreign filter at our priority that has another handle', () => {
      const [theirs, ours] = [foreign(hook), passing(hook)]
      net.run('tc', 'qdisc', 'add', 'dev', dev, 'clsact')
      theirFilter(theirs, CLSACT_PRIORITY)
      const point = pointOn(kind)
      expect(point.attach(ours.fd)).toMatchObject({ programId: ours.id })
      point.detach()
      expect(filters()).toContain(theirs.id)
      expect(filters()).not.toContain(ours.id)
    })

    test('finds its filter among those that are no BPF programs', () => {
      const ours = passing(hook)
      net.run('tc', 'qdisc', 'add', 'dev', dev, 'clsact')
      const all = ['u32', 'match', 'u32', '0', '0', 'flowid', '1:1']
      net.run('tc', 'filter', 'add', 'dev', dev, direction, 'pref', '60000', ...all)
      const point = pointOn(kind)
      point.attach(ours.fd)
      expect(point.read()).toMatchObject({ programId: ours.id })
      point.detach()
      expect(net.run('tc', 'filter', 'show', 'dev', dev, direction)).toContain('u32')
    })

    test(`of an interface with an ingress qdisc ${hook === 'tc-ingress' ? 'uses it' : 'is busy'}`, () => {
      const [theirs, ours] = [foreign('tc-ingress'), passing(hook)]
      net.run('tc', 'qdisc', 'add', 'dev', dev, 'ingress')
      theirFilter(theirs, 1, 1, 'ingress')
      const point = pointOn(kind)
      if (hook === 'tc-ingress') expect(point.attach(ours.fd)).toMatchObject({ programId: ours.id })
      else expectRefusal(() => point.attach(ours.fd), 'hook_busy', /ingress qdisc/)
      expect(point.read()?.programId).toBe(hook === 'tc-ingress' ? ours.id : undefined)
      point.detach()
      expect(qdisc()).toBe('ingress')
      expect(inside(() => tcFilters(net.index(dev), 'tc-ingress')).map((each) => each.programId)).toEqual([
        0, // the classifier
        theirs.id,
      ])
    })
  })

  test('runs programs that can be tried on a packet first', () => {
    const frame = Buffer.alloc(COUNTED_BYTES, 1)
    const [next, shot] = [program('tc-ingress', TC_NEXT), program('tc-ingress', TC_SHOT)]
    expect(testRun(next.fd, frame).verdict).toBe(0xffff_ffff)
    const { verdict, packet } = testRun(shot.fd, frame)
    expect(verdict).toBe(TC_SHOT)
    expect(packet).toEqual(frame)
    expect(shot.count()).toBe(1)
  })
})
