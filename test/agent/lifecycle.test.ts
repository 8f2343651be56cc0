import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packetsOf } from '../../src/domain/hook.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { requirePin } from '../../src/kernel/bpffs.ts'
import { buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
import { startLyingRegistry } from '../../tools/demo/lying-registry.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  chainOf,
  Fleet,
  type FleetNode,
  KNOB_MANIFEST,
  knobObject,
  pinsOf,
  stateOf,
  statusOf,
  xdpProgramOn,
} from './fleet.ts'
import { compile } from './held-release.ts'

const PACKETS = 200

/** A program that reads the packet without looking where it ends. */
const REFUSED_BY_VERIFIER = (): Buffer =>
  compile(`
    const volatile __u32 cfg_drop = 0;
    SEC("xdp") int xdp_knob(struct xdp_md *ctx) {
      volatile __u8 *data = (void *)(long)ctx->data;
      return *data == cfg_drop ? XDP_DROP : XDP_PASS;
    }
  `)

/**
 * Loads by itself: libbpf does without types that the kernel does not take, here a function's argument without a name.
 * In a chain the kernel refuses the types of all its functions, and says no more.
 */
const UNNAMED_BY_KERNEL = (): Buffer =>
  compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("xdp") __attribute__((naked)) int xdp_knob(struct xdp_md *ctx) { asm volatile("r0 = 2; exit"); }
`)

describeAsRoot('an agent', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
  })
  afterAll(() => fleet?.close())

  const ip = (...args: string[]): void => {
    execFileSync('ip', args, { stdio: 'pipe' })
  }
  /** Sends good packets to a node; gives how many came through. */
  async function arrive(node: FleetNode): Promise<number> {
    const [lab, run] = [fleet.lab, newRun()]
    const receiver = await startReceiver({ lab, at: node.edge, run })
    const mix = { good: 1 }
    await (await startSender({ lab, from: node.client, run, mix, count: PACKETS, rate_pps: 2000 })).done
    await sleep(100) // what is on the way
    return (await receiver.stop()).classes.good.distinct
  }
  const idsOf = (node: FleetNode) => {
    const { linkId, programId } = chainOf(node)
    return { linkId, programId }
  }
  /** Waits until the agent has nothing to do with a function any more. */
  const untilRemoved = (node: FleetNode, name: string) =>
    fleet.until(node, `${name} removed`, (observed) => stateOf(observed, name) === 'removed')

  describe('whose registry is away', () => {
    test('goes on, says so, adopts its chain when started again, and follows when the registry is back', async () => {
      const node = await fleet.node('away')
      await fleet.apply('away', node)
      await fleet.untilRuns(node, 'away', 'acme/knob@1.0.0')
      const ids = idsOf(node)
      await fleet.registry.stop()
      const away = ({ errors }: { errors: { code: string }[] }): boolean =>
        errors.some(({ code }) => code === 'registry_unavailable')
      expect(await fleet.until(node, 'the loss', away)).toMatchObject({ chains: [ids] })
      expect(
        node.agent.lines.some((line) => line.includes('[registry_unavailable]; what runs goes on')),
      ).toBe(true)
      expect(await arrive(node)).toBe(PACKETS)

      await node.agent.stop()
      expect(xdpProgramOn(node.edge)).toBe(ids.programId)
      fleet.startAgent(node)
      const alone = await fleet.until(
        node,
        'adoption',
        (report) => report.chains.length === 1 && away(report),
      )
      expect(alone).toMatchObject({ chains: [ids], functions: [{ name: 'away', state: 'running' }] })

      expect(node.agent.lines.join('\n')).toMatch(/adopted what runs: xdp on \S+ \(generation 1, 1 entry\)/)

      await fleet.startRegistry()
      await fleet.apply('away', node, { priority: 7 })
      await fleet.until(node, 'the new order', ({ chains }) => chains[0]?.functions[0]?.revision === 2)
      expect(idsOf(node)).toEqual(ids) // the order changed nothing of the chain
      expect(statusOf(node)?.errors).toEqual([])
    })
  })

  describe('that ends', () => {
    test('by SIGTERM leaves its chain; --detach leaves nothing', async () => {
      const node = await fleet.node('ends')
      await fleet.apply('ends', node, { instances: [{ use: 'acme/knob@^1.0', config: { drop: 1 } }] })
      const { programId } = await fleet.untilRuns(node, 'ends', 'acme/knob@1.0.0')
      await node.agent.stop()
      expect(await node.agent.ended).toBe(0)
      expect(xdpProgramOn(node.edge)).toBe(programId)
      expect(await arrive(node)).toBe(0)
      expect(pinsOf(node)?.some((path) => path.startsWith('maps/ends/knob/seen-'))).toBe(true)

      const lines = await fleet.detach(node)
      expect(lines.join()).toContain('(xdp)')
      expect(statusOf(node)).toMatchObject({ chains: [], functions: [] })
      expect(lines.at(-1)).toContain(`detached 1 chain of ${node.name}; no pin is left`)
      expect(xdpProgramOn(node.edge)).toBeUndefined()
      expect(pinsOf(node)).toBeUndefined()
      expect(await arrive(node)).toBe(PACKETS)
    })
  })

  describe('whose pins somebody removed', () => {
    test('puts the chain back by itself', async () => {
      const node = await fleet.node('pins')
      await fleet.apply('pins', node)
      const { programId } = await fleet.untilRuns(node, 'pins', 'acme/knob@1.0.0')
      rmSync(join('/sys/fs/bpf/hookline', node.name), { recursive: true })
      expect(xdpProgramOn(node.edge)).not.toBe(programId)
      await fleet.until(node, 'another chain', ({ chains, errors }) => {
        const [chain] = chains
        return chain !== undefined && chain.programId !== programId && errors.length === 0
      })
      expect(xdpProgramOn(node.edge)).toBe(chainOf(node).programId)
    })
  })

  describe('whose registry offers nothing', () => {
    test('gives an interface that comes back the chain it had, from what it kept', async () => {
      const node = await fleet.node('hollow')
      await fleet.apply('hollow', node)
      await fleet.untilRuns(node, 'hollow', 'acme/knob@1.0.0')
      const liar = await startLyingRegistry(fleet.url)
      try {
        const nothing = { functions: [], resolutions: [], releases: [], keys: [], revocations: [] }
        liar.tell({ blobs: new Map(), desired: () => nothing })
        await node.agent.stop()
        fleet.startAgent(node, { url: liar.url })
        await fleet.untilRefused(node, 'hollow', 'order_withheld')
        const [inside, outside] = [node.edge.namespace.name, node.client.namespace.name]
        ip('-n', inside, 'link', 'delete', 'eth0')
        await fleet.until(node, 'the loss', ({ chains }) => chains.length === 0)
        ip('link', 'add', 'eth0', 'netns', inside, 'type', 'veth', 'peer', 'eth0', 'netns', outside)
        ip('-n', inside, 'link', 'set', 'eth0', 'up')
        const back = await fleet.until(node, 'the chain', ({ chains }) => chains.length === 1)
        expect(back.chains[0]?.entries[0]?.release).toBe('acme/knob@1.0.0')
        expect(xdpProgramOn(node.edge)).toBe(back.chains[0]?.programId)
      } finally {
        await liar.close()
      }
    })
  })

  describe('with two functions for one hook', () => {
    test('runs both as one chain, by priority and name, on one link as they come and go', async () => {
      const node = await fleet.node('two')
      await fleet.publishKnob('1.0.0', 3, 'acme/first')
      const onlyRuns = (...names: string[]) =>
        fleet.until(node, `a chain of ${names}`, ({ chains: [chain, ...more] }) => {
          const inChain = chain?.functions.map(({ name }) => name)
          return more.length === 0 && inChain?.join() === names.join()
        })
      await fleet.apply('two-b', node)
      await fleet.untilRuns(node, 'two-b', 'acme/knob@1.0.0')
      const { linkId } = chainOf(node)
      await fleet.apply('two-a', node, { instances: [{ use: 'acme/first@^1.0' }] })
      await onlyRuns('two-a', 'two-b')
      const entries = () =>
        chainOf(node).entries.map(({ position, function: name, release }) => [position, name, release])
      expect(entries()).toEqual([
        [1, 'two-a', 'acme/first@1.0.0'],
        [2, 'two-b', 'acme/knob@1.0.0'],
      ])
      expect(await arrive(node)).toBe(PACKETS)
      await expect
        .poll(() => chainOf(node).entries.map(({ packets }) => packetsOf(packets)), { timeout: 5000 })
        .toEqual([PACKETS, PACKETS])

      await fleet.apply('two-b', node, { priority: 1 })
      await onlyRuns('two-b', 'two-a')
      expect(entries().map(([, name]) => name)).toEqual(['two-b', 'two-a'])
      const drops = { priority: 1, instances: [{ use: 'acme/knob@^1.0', config: { drop: 1 } }] }
      await fleet.apply('two-b', node, drops)
      await fleet.until(node, 'the third order', ({ chains }) => chains[0]?.functions[0]?.revision === 3)
      expect(await arrive(node)).toBe(0)
      await expect
        .poll(() => chainOf(node).entries.map(({ packets }) => packetsOf(packets)), { timeout: 5000 })
        .toEqual([PACKETS, 0]) // nothing goes on behind what drops

      await fleet.remove('two-b')
      await onlyRuns('two-a')
      expect(chainOf(node).linkId).toBe(linkId) // never without a program in between
      expect(await arrive(node)).toBe(PACKETS)
      await fleet.remove('two-a')
      await untilRemoved(node, 'two-a')
      await expect.poll(() => pinsOf(node), { timeout: 5000 }).toBeUndefined()
      expect(xdpProgramOn(node.edge)).toBeUndefined()
    })

    test('switches the one whose release is good, and keeps the other as it ran when its release is bad', async () => {
      const node = await fleet.node('blame')
      await fleet.publishKnob('1.0.0', 1, 'acme/bad')
      await fleet.publishKnob('1.0.0', 2, 'acme/good')
      await fleet.apply('bad', node, { instances: [{ use: 'acme/bad@^1.0' }] })
      await fleet.apply('good', node, { instances: [{ use: 'acme/good@^1.0' }] })
      await fleet.untilRuns(node, 'good', 'acme/bad@1.0.0', 'acme/good@1.0.0')
      const { linkId } = chainOf(node)
      await fleet.publish('acme/bad', '1.0.1', { 'knob.bpf.o': REFUSED_BY_VERIFIER() }, KNOB_MANIFEST)
      await fleet.publishKnob('1.0.1', 4, 'acme/good')
      await fleet.untilRefused(node, 'bad', 'verifier_refused')
      const chain = await fleet.untilRuns(node, 'good', 'acme/bad@1.0.0', 'acme/good@1.0.1')
      expect(chain.linkId).toBe(linkId)
      expect(chain.entries.map(({ function: name }) => name)).toEqual(['bad', 'good'])
    })

    test('runs the one that ran before after the host restarted, not one that never could', async () => {
      const node = await fleet.node('proven')
      await fleet.publishKnob('1.0.0', 1, 'acme/guard')
      const { config: _, ...manifest } = KNOB_MANIFEST
      await fleet.publish('acme/nameless', '1.0.0', { 'knob.bpf.o': UNNAMED_BY_KERNEL() }, manifest)
      await fleet.apply('guard', node, { instances: [{ use: 'acme/guard@^1.0' }] })
      await fleet.untilRuns(node, 'guard', 'acme/guard@1.0.0')
      await fleet.apply('early', node, { priority: 1, instances: [{ use: 'acme/nameless@^1.0' }] })
      await fleet.untilRefused(node, 'early', 'kernel_refused')
      await node.agent.kill()
      rmSync(join('/sys/fs/bpf/hookline', node.name), { recursive: true, force: true })
      await expect.poll(() => xdpProgramOn(node.edge)).toBeUndefined()
      fleet.startAgent(node)
      await fleet.untilRefused(node, 'early', 'kernel_refused')
      await fleet.untilRuns(node, 'guard', 'acme/guard@1.0.0')
      await fleet.remove('early')
      await fleet.remove('guard')
    })
  })

  describe('told another version or configuration', () => {
    test('keeps the state of what did not change through upgrade, rollback and configuration', async () => {
      const node = await fleet.node('state')
      const publish = async (version: string, defines: Record<string, number>) => {
        const dir = fleet.path(`ratelimit-${version}`)
        buildProgram(join(PROGRAMS, 'ratelimit'), { version, defines, outDir: dir })
        await fleet.hookline('publish', dir, '--key', fleet.publisher.path)
      }
      const allBuckets = (): { path: string; id: number }[] =>
        (pinsOf(node) ?? [])
          .filter((path) => path.startsWith('maps/state/ratelimit/rl_buckets-'))
          .map((path) => {
            using fd = requirePin(join('/sys/fs/bpf/hookline', node.name, path))
            return { path, id: mapInfo(fd).id }
          })
      const buckets = (): { path: string; id: number } => {
        const [one = expect.fail('no buckets'), ...more] = allBuckets()
        expect(more).toEqual([])
        return one
      }
      const instances = (config: object) => ({ instances: [{ use: 'hookline/ratelimit@^1.0', config }] })
      await publish('1.0.0', {})
      await fleet.apply('state', node, instances({}))
      const { linkId } = await fleet.untilRuns(node, 'state', 'hookline/ratelimit@1.0.0')
      const before = buckets()
      await publish('1.0.1', { DEFAULT_BURST: 3000 })
      await fleet.untilRuns(node, 'state', 'hookline/ratelimit@1.0.1')
      expect(buckets()).toEqual(before)
      await fleet.hookline('function', 'rollback', 'state', '--key', fleet.operator.path)
      await fleet.untilRuns(node, 'state', 'hookline/ratelimit@1.0.0')
      expect(buckets()).toEqual(before)
      await fleet.apply('state', node, instances({ rate: 1, burst: 1 }))
      const chain = await fleet.untilRuns(node, 'state', 'hookline/ratelimit@1.0.1')
      expect([buckets(), chain.linkId]).toEqual([before, linkId])
      expect(await arrive(node)).toBeLessThan(PACKETS / 2) // few sources, a packet each: the configuration holds
      await publish('1.0.2', { MAX_SOURCES: 1024 })
      await fleet.untilRuns(node, 'state', 'hookline/ratelimit@1.0.2')
      // another layout: a new map, beside that of what ran before
      await expect.poll(() => allBuckets().length, { timeout: 5000 }).toBe(2)
      expect(allBuckets()).toContainEqual(before)
      // while a change waits to be confirmed, the way back leads past it, and what lies there is kept
      const waiting = (): string[] =>
        readdirSync(join(node.state, 'chains')).filter((file) =>
          readFileSync(join(node.state, 'chains', file), 'utf8').includes('"unconfirmed"'),
        )
      await expect.poll(waiting, { timeout: 10_000 }).toEqual([])
      await publish('1.0.3', { MAX_SOURCES: 1024, DEFAULT_BURST: 3000 })
      await fleet.untilRuns(node, 'state', 'hookline/ratelimit@1.0.3')
      await expect
        .poll(() => allBuckets().map(({ id }) => id === before.id), { timeout: 5000 })
        .toEqual([false])
    })

    test('does what the newest configuration says', async () => {
      const node = await fleet.node('config')
      for (const [revision, drop, expected] of [
        [1, 0, PACKETS],
        [2, 1, 0],
        [3, 0, PACKETS],
      ] as const) {
        await fleet.apply('config', node, { instances: [{ use: 'acme/knob@^1.0', config: { drop } }] })
        await fleet.until(
          node,
          `drop ${drop}`,
          ({ chains }) => chains[0]?.functions[0]?.revision === revision,
        )
        expect(await arrive(node)).toBe(expected)
      }
      const beyond = { instances: [{ use: 'acme/knob@^1.0', config: { drop: 2 } }] }
      await fleet.applyUnchecked('config', 4, node, beyond)
      await fleet.untilRefused(node, 'config', 'invalid_config')
      expect(await arrive(node)).toBe(PACKETS)
    })

    test('keeps its chain when the kernel’s verifier refuses the new one, and the whole log', async () => {
      const node = await fleet.node('verifier')
      await fleet.publishKnob('1.0.0', 1, 'acme/careless')
      const use = { instances: [{ use: 'acme/careless@^1.0' }] }
      await fleet.apply('verifier', node, use)
      await fleet.untilRuns(node, 'verifier', 'acme/careless@1.0.0')
      const ids = idsOf(node)
      await fleet.publish('acme/careless', '1.0.1', { 'knob.bpf.o': REFUSED_BY_VERIFIER() }, KNOB_MANIFEST)
      const { functions } = await fleet.untilRefused(node, 'verifier', 'verifier_refused')
      expect(functions[0]?.error?.message).toMatch(/^on eth0 \(xdp\): .*invalid access to packet/)
      const log = readFileSync(join(node.state, 'logs/verifier.log'), 'utf8')
      expect(log).toMatch(/invalid access to packet/)
      expect(log.split('\n').length).toBeGreaterThan(5)
      expect(idsOf(node)).toEqual(ids)
      expect(xdpProgramOn(node.edge)).toBe(ids.programId)
      await fleet.publishKnob('1.0.2', 2, 'acme/careless')
      expect((await fleet.untilRuns(node, 'verifier', 'acme/careless@1.0.2')).linkId).toBe(ids.linkId)
    })
  })

  describe('whose interfaces come and go', () => {
    test('attaches to those that fit, again when one is made anew, and not by a pattern to the default route’s', async () => {
      const node = await fleet.node('come')
      const [inside, outside] = [node.edge.namespace.name, node.client.namespace.name]
      const make = (name: string): void => {
        ip('link', 'add', name, 'netns', inside, 'type', 'veth', 'peer', name, 'netns', outside)
        ip('-n', inside, 'link', 'set', name, 'up')
      }
      const on = (...names: string[]) =>
        fleet.until(node, `chains on ${names}`, ({ chains }) => {
          const all = chains.map((chain) => chain.interface).sort()
          return JSON.stringify(all) === JSON.stringify(names)
        })
      await fleet.apply('come', node, { interfaces: ['eth*'] })
      await on('eth0')
      make('eth1')
      make('dummy1') // fits no pattern
      const [, first] = (await on('eth0', 'eth1')).chains
      ip('-n', inside, 'link', 'delete', 'eth1')
      await on('eth0')
      make('eth1')
      const [, second] = (await on('eth0', 'eth1')).chains
      expect(second?.linkId).not.toBe(first?.linkId)
      expect(pinsOf(node)?.filter((path) => path.endsWith('/link'))).toHaveLength(2)

      make('up0') // fits no pattern yet
      ip('-n', inside, 'route', 'add', 'default', 'dev', 'up0')
      await fleet.apply('come', node, { interfaces: ['eth*', 'up*'] })
      await fleet.untilRefused(node, 'come', 'default_route_interface')
      await on('eth0', 'eth1')
      await fleet.apply('come', node, { interfaces: ['eth*', 'up0'] })
      expect(stateOf(await on('eth0', 'eth1', 'up0'), 'come')).toBe('running')
      // who runs there stays, also when only a pattern fits any more
      await fleet.apply('come', node, { interfaces: ['eth*', 'up*'] })
      const stays = await fleet.until(
        node,
        'the newest order',
        ({ functions }) => functions[0]?.revision === 4,
      )
      expect(stateOf(stays, 'come')).toBe('running')
      await on('eth0', 'eth1', 'up0')
    })
  })

  describe('whose trust.yaml changes', () => {
    test('holds what runs while it cannot be read or trusts nobody, and catches up by itself afterwards', async () => {
      const node = await fleet.node('trust')
      await fleet.publishKnob('1.0.0', 1, 'acme/slow')
      await fleet.apply('trust', node, { instances: [{ use: 'acme/slow@^1.0' }] })
      await fleet.untilRuns(node, 'trust', 'acme/slow@1.0.0')
      const ids = idsOf(node)
      writeFileSync(node.trust, 'operators: [')
      await fleet.publishKnob('1.0.1', 2, 'acme/slow')
      await fleet.until(node, 'the broken policy', ({ errors }) => errors[0]?.code === 'invalid_policy')
      expect(idsOf(node)).toEqual(ids)
      writeFileSync(node.trust, 'operators: []\n')
      await fleet.untilRefused(node, 'trust', 'operator_not_allowed')
      expect([idsOf(node), xdpProgramOn(node.edge)]).toEqual([ids, ids.programId])
      writeFileSync(node.trust, fleet.policy())
      const chain = await fleet.untilRuns(node, 'trust', 'acme/slow@1.0.1')
      expect(chain.linkId).toBe(ids.linkId)
    })
  })

  test('says nothing that it cannot carry out is running', async () => {
    const node = await fleet.node('unknown')
    const publish = (version: string): Promise<unknown> =>
      fleet.publish('acme/nothing', version, { 'knob.bpf.o': knobObject(9) }, KNOB_MANIFEST)
    await publish('0.9.0')
    await fleet.apply('unknown', node, { instances: [{ use: 'acme/nothing@^1.0' }] })
    const { chains } = await fleet.untilRefused(node, 'unknown', 'version_not_found')
    expect([chains, xdpProgramOn(node.edge)]).toEqual([[], undefined])
    await publish('1.0.0')
    await fleet.untilRuns(node, 'unknown', 'acme/nothing@1.0.0') // it was waited for
  })
})
