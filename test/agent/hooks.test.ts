import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { type Hook, packetsOf } from '../../src/domain/hook.ts'
import type { ObservedChain } from '../../src/domain/node.ts'
import { requirePin } from '../../src/kernel/bpffs.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { tcxSupported } from '../../src/kernel/tcx-hook.ts'
import type { LinkEnd } from '../../tools/lab/namespaces.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { compileSource, entryImage } from '../kernel/chain-entries.ts'
import { mapContent } from '../kernel/map-content.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { attachedTo } from './attached-programs.ts'
import { Fleet, type FleetNode, pinsOf, stateOf, statusOf, untilKept, xdpProgramOn } from './fleet.ts'
import { compile } from './held-release.ts'

const PACKETS = 200
/** Neighbour discovery and the like. */
const STRAY = 20

/** One object with an entry for every hook: each counts into its place of one map and looks at what another one counted. */
const EVERY_HOOK = `
  #include <linux/pkt_cls.h>
  struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 3); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");
  static __always_inline __u64 count(__u32 place, __u64 by) {
    __u64 *counted = bpf_map_lookup_elem(&seen, &place);
    return counted ? __sync_fetch_and_add(counted, by) : 0;
  }
  SEC("xdp") int xdp_in(struct xdp_md *ctx) { count(0, 1); return XDP_PASS; }
  SEC("tc") int tc_in(struct __sk_buff *skb) { count(1, 1); return count(0, 0) ? TC_ACT_UNSPEC : TC_ACT_SHOT; }
  SEC("tc") int tc_out(struct __sk_buff *skb) { count(2, 1); return count(1, 0) ? TC_ACT_OK : TC_ACT_SHOT; }
`
const PROGRAMS = [
  { object: 'every.bpf.o', entry: 'xdp_in', hook: 'xdp' },
  { object: 'every.bpf.o', entry: 'tc_in', hook: 'tc-ingress' },
  { object: 'every.bpf.o', entry: 'tc_out', hook: 'tc-egress' },
] as const
const EVERY: readonly Hook[] = PROGRAMS.map(({ hook }) => hook)

describeAsRoot('an agent with chains on XDP and TC', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    await publishEvery('1.0.0', PROGRAMS)
  })
  afterAll(() => fleet?.close())

  const publishEvery = (version: string, programs: readonly object[], program = 'acme/every') =>
    fleet.publish(
      program,
      version,
      { 'every.bpf.o': compile(EVERY_HOOK) },
      {
        ...{ summary: 'Counts on every hook', license: 'MIT OR GPL-2.0-only', programs },
      },
    )
  const every = { instances: [{ use: 'acme/every@^1.0' }] }
  const ip = (...args: string[]): void => {
    execFileSync('ip', args, { stdio: 'pipe' })
  }
  /** Sends good packets from one end to the other; gives how many came through. */
  async function arrive(from: LinkEnd, to: LinkEnd): Promise<number> {
    const [lab, run] = [fleet.lab, newRun()]
    const receiver = await startReceiver({ lab, at: to, run })
    await (await startSender({ lab, from, run, mix: { good: 1 }, count: PACKETS, rate_pps: 2000 })).done
    await sleep(100) // what is on the way
    return (await receiver.stop()).classes.good.distinct
  }
  /** Waits until a node runs chains on exactly these hooks of eth0, and gives them in that order. */
  async function untilOn(node: FleetNode, ...hooks: readonly Hook[]): Promise<ObservedChain[]> {
    const { chains } = await fleet.until(
      node,
      `chains on ${hooks}`,
      (observed) =>
        observed.chains
          .map(({ hook }) => hook)
          .sort()
          .join() === [...hooks].sort().join() &&
        observed.functions.every(({ state }) => state === 'running' || state === 'removed'),
    )
    return hooks.map((hook) => chains.find((chain) => chain.hook === hook) ?? expect.fail(hook))
  }
  /** What a host that starts again does to filters of clsact, which no pin holds. */
  const forgetFilters = ({ namespace, interface: name }: LinkEnd): void => {
    const tc = ['tc', 'qdisc', 'del', 'dev', name, 'clsact']
    spawnSync('nsenter', [`--net=${namespace.path}`, ...tc], { stdio: 'ignore' })
  }
  const pinnedMaps = (node: FleetNode): string[] =>
    (pinsOf(node) ?? []).filter((path) => /^maps\/[^/]+\/[^/]+\/seen-/.test(path))
  /** What the entries have counted into the map that they share. */
  function counted(node: FleetNode): number[] {
    const [path = expect.fail('no map'), ...more] = pinnedMaps(node)
    expect(more).toEqual([])
    using map = requirePin(join('/sys/fs/bpf/hookline', node.name, path))
    return Object.values(mapContent(map)).map((value) => Number(Buffer.from(value, 'hex').readBigUInt64LE()))
  }
  const expectPackets = (counts: readonly number[], ...expected: number[]): void => {
    expect(counts).toHaveLength(expected.length)
    for (const [at, least] of expected.entries()) {
      expect(counts[at]).toBeGreaterThanOrEqual(least)
      expect(counts[at]).toBeLessThanOrEqual(least + STRAY)
    }
  }

  test('runs the entries of one instance on every hook, on one map, and counts behind each', async () => {
    const node = await fleet.node('every')
    await fleet.apply('every', node, every)
    const before = await untilOn(node, ...EVERY)
    expect(before.map(({ mode, entries }) => [mode, entries.map(({ entry }) => entry)])).toEqual([
      ['native', ['xdp_in']],
      [expect.stringMatching(/^tcx$|^clsact$/), ['tc_in']],
      [expect.stringMatching(/^tcx$|^clsact$/), ['tc_out']],
    ])
    // what is not counted by one hook is dropped by the next: all three look at the same map
    expect(await arrive(node.client, node.edge)).toBe(PACKETS)
    expect(await arrive(node.edge, node.client)).toBe(PACKETS)
    expectPackets(counted(node), PACKETS, PACKETS, PACKETS)
    const packets = (): number[] =>
      (statusOf(node)?.chains ?? [])
        .sort((a, b) => EVERY.indexOf(a.hook) - EVERY.indexOf(b.hook))
        .map(({ entries }) => packetsOf(entries[0]?.packets ?? {}))
    await expect.poll(() => Math.min(...packets()), { timeout: 5000 }).toBeGreaterThanOrEqual(PACKETS)
    expectPackets(packets(), PACKETS, PACKETS, PACKETS)

    // a release without egress: that hook is let go, the others keep their link and their map
    await publishEvery('1.0.1', PROGRAMS.slice(0, 2))
    await fleet.until(node, 'no egress', ({ chains }) => chains.length === 2)
    const after = await untilOn(node, 'xdp', 'tc-ingress')
    expect(after.map(({ linkId }) => linkId)).toEqual(before.slice(0, 2).map(({ linkId }) => linkId))
    expect(pinsOf(node)?.some((path) => path.includes('tc-egress'))).toBe(false)
    expect(await arrive(node.edge, node.client)).toBe(PACKETS)
    expectPackets(counted(node), PACKETS, PACKETS, PACKETS)
  })

  test('gives an interface that is made anew its chains on every hook', async () => {
    const node = await fleet.node('anew')
    await publishEvery('1.0.0', PROGRAMS, 'acme/anew')
    await fleet.apply('anew', node, { interfaces: ['eth*'], instances: [{ use: 'acme/anew@^1.0' }] })
    const before = await untilOn(node, ...EVERY)
    const [inside, outside] = [node.edge.namespace.name, node.client.namespace.name]
    ip('-n', inside, 'link', 'delete', 'eth0')
    await fleet.until(node, 'the loss', ({ chains }) => chains.length === 0)
    ip('link', 'add', 'eth0', 'netns', inside, 'type', 'veth', 'peer', 'eth0', 'netns', outside)
    for (const each of [inside, outside]) ip('-n', each, 'link', 'set', 'eth0', 'up')
    const after = await untilOn(node, ...EVERY)
    expect(new Set(after.map(({ ifindex }) => ifindex)).has(before[0]?.ifindex ?? 0)).toBe(false)
    expect(await arrive(node.client, node.edge)).toBe(PACKETS)
    ip('link', 'add', 'eth1', 'netns', inside, 'type', 'veth', 'peer', 'eth1', 'netns', outside)
    ip('-n', inside, 'link', 'set', 'eth1', 'up')
    const all = await fleet.until(node, 'chains on two', ({ chains }) => chains.length === 6)
    expect(new Set(all.chains.map((chain) => `${chain.interface} ${chain.hook}`)).size).toBe(6)
    expect(pinnedMaps(node)).toHaveLength(1) // one instance, one map
  })

  /** The same where TC has filters only: the neighbour is a filter of the same qdisc. */
  async function besideFilter(node: FleetNode): Promise<void> {
    const tc = (...args: string[]): string =>
      execFileSync('nsenter', [`--net=${node.edge.namespace.path}`, 'tc', ...args], { encoding: 'utf8' })
    const at = ['dev', node.edge.interface, 'ingress']
    tc('filter', 'add', ...at, 'pref', '60000', 'matchall', 'action', 'pass')
    await node.agent.stop()
    expect((await fleet.detach(node)).at(-1)).toContain(`detached 3 chains of ${node.name}; no pin is left`)
    expect([pinsOf(node), attachedTo(node.edge)]).toEqual([undefined, []])
    expect(tc('filter', 'show', ...at)).toContain('matchall')
    tc('filter', 'delete', ...at, 'pref', '60000')
    fleet.startAgent(node)
    await untilOn(node, ...EVERY)
  }

  describe('that is detached', () => {
    test('leaves none of its own behind, and what others attached', async () => {
      const node = await fleet.node('gone')
      await fleet.apply('gone', node, { instances: [{ use: 'acme/every@1.0.0' }] })
      const own = await untilOn(node, ...EVERY)
      expect(attachedTo(node.edge)).toEqual(own.map(({ programId }) => programId))
      const { path: netns } = node.edge.namespace
      if (!tcxSupported()) return await besideFilter(node)
      const agent = `${node.name}-other`
      const others = hookChains({ bpffs: '/sys/fs/bpf', agent, netns, loader: directLoader })
      const at = others.interfaces().find(({ name }) => name === 'eth0') ?? expect.fail('no eth0')
      const key = others.keyOf(at.ifindex, 'tc-ingress')
      const site = { key, hook: 'tc-ingress', at, allowGeneric: false } as const
      try {
        const entry = entryImage(compileSource('tc-verdicts'), 'tc_verdicts', { hook: 'tc-ingress' })
        await others.build(site, 1, [entry])
        const foreign = others.activate(site, 1)
        await node.agent.stop()
        const lines = await fleet.detach(node)
        expect(lines.at(-1)).toContain(`detached 3 chains of ${node.name}; no pin is left`)
        expect([pinsOf(node), xdpProgramOn(node.edge)]).toEqual([undefined, undefined])
        expect(others.pinned().map(({ link }) => link)).toEqual([foreign])
        expect(attachedTo(node.edge)).toEqual([foreign.programId])
      } finally {
        others.detach(key)
        others.collectMaps(new Set())
      }
      await expect.poll(() => attachedTo(node.edge)).toEqual([])
      fleet.startAgent(node) // and it can be told to run again
      await untilOn(node, ...EVERY)
    })
  })

  describe('on a host that was started again, with its registry away,', () => {
    test('makes its chains again from what it kept, each byte checked again', async () => {
      const node = await fleet.node('boot')
      await fleet.apply('boot', node, {
        instances: [{ use: 'acme/every@1.0.0' }, { use: 'acme/knob@1.0.0', config: { drop: 1 } }],
      })
      await untilOn(node, ...EVERY)
      await untilKept(node, 'boot')
      await node.agent.kill()
      await fleet.registry.stop()
      const restart = async (): Promise<void> => {
        rmSync(join('/sys/fs/bpf/hookline', node.name), { recursive: true, force: true })
        forgetFilters(node.edge)
        await expect.poll(() => attachedTo(node.edge)).toEqual([]) // the kernel lets links go in its own time
        fleet.startAgent(node)
      }
      await restart()
      const chains = await untilOn(node, ...EVERY)
      expect(chains[0]?.entries.map(({ release }) => release)).toEqual([
        ...['acme/every@1.0.0', 'acme/knob@1.0.0'],
      ])
      expect(xdpProgramOn(node.edge)).toBe(chains[0]?.programId)
      expect(await arrive(node.client, node.edge)).toBe(0)

      // what was tampered with is not run, and nothing else of its function in its stead
      await node.agent.kill()
      const path = join(node.state, 'objects', sha256Digest(compile(EVERY_HOOK)).slice('sha256:'.length))
      const bytes = readFileSync(path)
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
      writeFileSync(path, bytes)
      await restart()
      const refused = await fleet.untilRefused(node, 'boot', 'registry_unavailable') // it would fetch it again
      expect(refused.chains).toEqual([])
      expect(attachedTo(node.edge)).toEqual([])
      expect(await arrive(node.client, node.edge)).toBe(PACKETS)

      await fleet.startRegistry()
      await untilOn(node, ...EVERY) // the honest bytes are there to be had again
      expect(stateOf(statusOf(node) ?? expect.fail('no report'), 'boot')).toBe('running')
      expect(sha256Digest(readFileSync(path))).toBe(sha256Digest(compile(EVERY_HOOK)))
    })
  })
})
