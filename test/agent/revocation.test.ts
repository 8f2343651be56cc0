import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { emulated } from '../support/emulated.ts'
import { loadedTags } from '../support/loaded-programs.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  chainOf,
  Fleet,
  type FleetNode,
  KNOB_MANIFEST,
  knobObject,
  statusOf,
  untilKept,
  xdpProgramOn,
} from './fleet.ts'
import { compile } from './held-release.ts'

const PACKETS = 100
const MOST_MS = 120_000

/** A program whose state has a timer, armed for a day ahead by its first packet: the timer keeps the program loaded. */
const timerObject = (step: number): Buffer =>
  compile(
    `
    struct element { __u64 packets; __u64 armed; struct bpf_timer timer; };
    struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct element); } seen SEC(".maps");
    static int when_due(void *map, __u32 *key, struct element *element) { element->packets = 0; return 0; }
    const volatile __u32 cfg_drop = 0;
    SEC("xdp") int xdp_knob(struct xdp_md *ctx) {
      __u32 zero = 0;
      struct element *element = bpf_map_lookup_elem(&seen, &zero);
      if (!element) return XDP_ABORTED;
      if (!element->armed && !bpf_timer_init(&element->timer, &seen, 1)) {
        bpf_timer_set_callback(&element->timer, when_due);
        element->armed = !bpf_timer_start(&element->timer, 24ULL * 3600 * 1000000000, 0);
      }
      element->packets += STEP;
      return cfg_drop ? XDP_DROP : XDP_PASS;
    }
  `,
    { STEP: step },
  )

/** The manifest of what runs later, too. */
const TIMER_MANIFEST = { ...KNOB_MANIFEST, permissions: ['drop', 'timers'] }

describeAsRoot('a revocation', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await Fleet.start()
  })
  afterAll(() => fleet?.close())

  const revoke = (ref: string, key = fleet.publisher.path): Promise<unknown> =>
    fleet.hookline('revoke', ref, '--key', key, '--reason', 'faulty', '--message', 'drops what it should not')
  /** Revokes, and waits for the kernel to run something else on a node's interface. */
  async function revokeAndSee(node: FleetNode, ref: string, key?: string): Promise<void> {
    const before = xdpProgramOn(node.edge)
    await revoke(ref, key)
    await expect.poll(() => xdpProgramOn(node.edge), { timeout: emulated(20_000) }).not.toBe(before)
  }
  async function arrive(node: FleetNode): Promise<number> {
    const [lab, run] = [fleet.lab, newRun()]
    const receiver = await startReceiver({ lab, at: node.edge, run })
    const mix = { good: 1 }
    await (await startSender({ lab, from: node.client, run, mix, count: PACKETS, rate_pps: 2000 })).done
    await sleep(100) // what is on the way
    return (await receiver.stop()).classes.good.distinct
  }
  const use = (program: string, onRevoke: string, range = '^1.0') => ({
    ...{ onRevoke, instances: [{ use: `${program}@${range}` }] },
  })
  const goneTag = (tag: string) => expect.poll(() => loadedTags().has(tag), { timeout: 10_000 }).toBe(false)
  // tags are looked for on the whole host: no other test loads a program of these steps
  let step = 500
  const publish = async (program: string, ...versions: string[]): Promise<void> => {
    for (const version of versions) await fleet.publishKnob(version, ++step, program)
  }
  const instanceOf = (node: FleetNode, name: string) =>
    statusOf(node)?.functions.find((one) => one.name === name)

  test(
    'detach: the entries leave the chain, the rest goes on, and nothing of the program stays loaded',
    async () => {
      await publish('acme/gone', '1.0.0', '1.1.0')
      await publish('acme/stays', '1.0.0')
      const node = await fleet.node('d', { extra: ['--metrics', '127.0.0.1:0'] })
      const said = await node.agent.line((line) => line.includes('/metrics'))
      const metrics = async (): Promise<string> =>
        (await fetch(/http\S+metrics/.exec(said)?.[0] ?? '')).text()
      await fleet.apply('rest', node, { ...use('acme/stays', 'previous'), priority: 10 })
      await fleet.apply('detach', node, use('acme/gone', 'detach'))
      await fleet.untilRuns(node, 'detach', 'acme/stays@1.0.0', 'acme/gone@1.1.0')
      await untilKept(node, 'detach')
      const { programTag } = chainOf(node)
      expect(await metrics()).toContain('\nhookline_revocation_actions_total{action="detach"} 0\n')

      await revokeAndSee(node, 'acme/gone@1.1.0')
      await fleet.until(node, 'the end', ({ functions }) =>
        functions.some(({ withdrawn }) => withdrawn?.[0]?.action === 'detach'),
      )
      expect(chainOf(node).entries.map(({ release }) => release)).toEqual(['acme/stays@1.0.0'])
      expect(instanceOf(node, 'detach')).toMatchObject({
        error: { code: 'release_revoked' },
        withdrawn: [{ instance: 'gone', release: 'acme/gone@1.1.0' }],
      })
      expect(statusOf(node)?.revocations).toMatchObject({ believed: 1, ignored: 0, detach: 1 })
      await node.agent.line((line) =>
        line.includes('acme/gone@1.1.0 is revoked: detach/gone left its chains'),
      )
      const metered = await metrics()
      expect(metered).toContain('\nhookline_revocation_actions_total{action="detach"} 1\n')
      expect(metered).toContain(
        '\nhookline_withdrawn_instance{function="detach",instance="gone",release="acme/gone@1.1.0",action="detach"} 1\n',
      )
      await goneTag(programTag)
      expect(await arrive(node)).toBe(PACKETS)

      // a release that mends it is taken by itself
      await fleet.publishKnob('1.2.0', 9, 'acme/gone')
      await fleet.untilRuns(node, 'detach', 'acme/stays@1.0.0', 'acme/gone@1.2.0')
    },
    MOST_MS,
  )

  test(
    'of one instance leaves the others of its function, and one of a file is whoever has it',
    async () => {
      const [one, two] = ['acme/one', 'acme/two']
      await fleet.publish(one, '1.0.0', { 'knob.bpf.o': knobObject(71) }, KNOB_MANIFEST)
      await fleet.publish(two, '1.0.0', { 'knob.bpf.o': knobObject(72) }, KNOB_MANIFEST)
      const node = await fleet.node('i')
      const instances = [{ use: `${one}@^1.0` }, { use: `${two}@^1.0` }]
      await fleet.apply('both', node, { onRevoke: 'detach', instances })
      await fleet.untilRuns(node, 'both', `${one}@1.0.0`, `${two}@1.0.0`)
      await untilKept(node, 'both')
      const entries = (): (string | undefined)[] =>
        statusOf(node)?.chains[0]?.entries.map(({ release }) => release) ?? []
      await revokeAndSee(node, `${one}@1.0.0`)
      await expect.poll(entries, { timeout: 20_000 }).toEqual([`${two}@1.0.0`])
      await revokeAndSee(node, sha256Digest(knobObject(72)), fleet.operator.path)
      await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).toBe(undefined)
      // the kernel is ahead of the report
      await expect
        .poll(() => instanceOf(node, 'both')?.withdrawn?.map(({ release }) => release), { timeout: 20_000 })
        .toEqual([`${one}@1.0.0`, `${two}@1.0.0`])
    },
    MOST_MS,
  )

  test(
    'previous: another release of the range runs, on new state, and survives a restart, a reboot and a silent registry',
    async () => {
      for (const [at, version] of ['1.0.0', '1.1.0'].entries())
        await fleet.publish('acme/back', version, { 'knob.bpf.o': timerObject(at + 1) }, TIMER_MANIFEST)
      const node = await fleet.node('p')
      await fleet.apply('back', node, use('acme/back', 'previous'))
      await fleet.untilRuns(node, 'back', 'acme/back@1.1.0')
      await untilKept(node, 'back')
      const { programTag } = chainOf(node)
      expect(await arrive(node)).toBe(PACKETS) // the timer is armed
      await revokeAndSee(node, 'acme/back@1.1.0')
      await fleet.untilRuns(node, 'back', 'acme/back@1.0.0')
      await goneTag(programTag)
      expect(await arrive(node)).toBe(PACKETS)
      expect(statusOf(node)?.revocations).toMatchObject({ previous: 1 })
      const withdrawn = [{ instance: 'back', release: 'acme/back@1.1.0', action: 'previous' }]
      expect(instanceOf(node, 'back')).toMatchObject({ state: 'running', withdrawn })

      await node.agent.stop()
      await fleet.detach(node) // as after a reboot: nothing is in bpffs
      fleet.startAgent(node)
      await fleet.untilRuns(node, 'back', 'acme/back@1.0.0')
      expect(instanceOf(node, 'back')).toMatchObject({ state: 'running', withdrawn })
      expect(JSON.stringify(await fleet.hookline('status'))).toContain('"action":"previous"')

      // what mends it ends that, too
      await fleet.publish('acme/back', '1.2.0', { 'knob.bpf.o': timerObject(9) }, TIMER_MANIFEST)
      await fleet.untilRuns(node, 'back', 'acme/back@1.2.0')
      expect(instanceOf(node, 'back')).not.toHaveProperty('withdrawn')
    },
    MOST_MS,
  )

  test(
    'drop: every packet is dropped until something allowed is there',
    async () => {
      await publish('acme/closed', '1.0.0', '1.1.0')
      const node = await fleet.node('x')
      await fleet.apply('closed', node, use('acme/closed', 'drop'))
      await fleet.untilRuns(node, 'closed', 'acme/closed@1.1.0')
      await untilKept(node, 'closed')
      const { programTag } = chainOf(node)
      await revokeAndSee(node, 'acme/closed@1.1.0')
      const dropping = (): Promise<unknown> =>
        fleet.until(node, 'the drop', ({ functions }) =>
          functions.some(({ withdrawn }) => withdrawn?.[0]?.action === 'drop'),
        )
      await dropping()
      expect(await arrive(node)).toBe(0)
      await goneTag(programTag)

      await fleet.registry.stop()
      await node.agent.stop()
      await fleet.detach(node)
      fleet.startAgent(node)
      await dropping()
      expect(await arrive(node)).toBe(0)
      await fleet.startRegistry()
      await fleet.publishKnob('1.2.0', 9, 'acme/closed')
      await fleet.untilRuns(node, 'closed', 'acme/closed@1.2.0')
      expect(await arrive(node)).toBe(PACKETS)
    },
    MOST_MS,
  )

  test(
    'drop: on TC too, and stays although it cuts the node off from its registry',
    async () => {
      const tc = compile(`SEC("tc") int tc_knob(struct __sk_buff *skb) { return STEP ? -1 : 0; }`, {
        STEP: 1,
      })
      const { config: _, ...manifest } = KNOB_MANIFEST
      await fleet.publish(
        'acme/shut',
        '1.0.0',
        { 'knob.bpf.o': tc },
        {
          ...manifest,
          programs: [{ object: 'knob.bpf.o', entry: 'tc_knob', hook: 'tc-ingress' }],
        },
      )
      const node = await fleet.node('c', { inside: true, extra: ['--confirm', '2'] })
      await fleet.apply('shut', node, use('acme/shut', 'drop'))
      await fleet.untilRuns(node, 'shut', 'acme/shut@1.0.0')
      await untilKept(node, 'shut')
      const { programTag } = chainOf(node)
      await revoke('acme/shut@1.0.0')
      await fleet.until(node, 'the drop', ({ functions }) =>
        functions.some(
          ({ withdrawn, error }) => withdrawn?.[0]?.action === 'drop' && error?.code === 'release_revoked',
        ),
      )
      await arrive(node) // on TC it is counted by who listens before
      const shot = (): number => chainOf(node).entries[0]?.packets.shot ?? 0
      await expect.poll(shot, { timeout: 5000 }).toBeGreaterThanOrEqual(PACKETS)
      expect(chainOf(node).entries[0]?.packets).toMatchObject({ ok: 0, next: 0 })
      const { programId } = chainOf(node)
      await goneTag(programTag)
      await sleep(5000) // more than --confirm: an unconfirmed change would have been taken back
      expect(chainOf(node)).toMatchObject({ programId, hook: 'tc-ingress' })
    },
    MOST_MS,
  )

  test(
    'ends what an older release left in state that was carried over, and what is kept to go back to',
    async () => {
      for (const [at, version] of ['1.0.0', '1.1.0'].entries())
        await fleet.publish('acme/timer', version, { 'knob.bpf.o': timerObject(at + 5) }, TIMER_MANIFEST)
      const node = await fleet.node('t')
      await fleet.apply('timer', node, use('acme/timer', 'previous', '1.0.0'))
      await fleet.untilRuns(node, 'timer', 'acme/timer@1.0.0')
      await untilKept(node, 'timer')
      expect(await arrive(node)).toBe(PACKETS)
      const { programTag } = chainOf(node)
      await fleet.apply('timer', node, use('acme/timer', 'previous', '1.1.0'))
      await fleet.untilRuns(node, 'timer', 'acme/timer@1.1.0')
      await untilKept(node, 'timer')
      const { programId } = chainOf(node)
      expect(loadedTags().has(programTag)).toBe(true) // by the timer, and as the generation before
      await revoke('acme/timer@1.0.0')
      await goneTag(programTag)
      expect(xdpProgramOn(node.edge)).toBe(programId)
      expect(await arrive(node)).toBe(PACKETS)
    },
    MOST_MS,
  )

  describe('is not believed', () => {
    test(
      'of another program’s signer, and of an operator whom the node does not name',
      async () => {
        const [stranger, neighbour] = [await fleet.key('stranger'), await fleet.key('neighbour')]
        await publish('acme/kept', '1.0.0')
        await fleet.hookline('key', 'add', neighbour.publicPath, '--namespace', 'acme')
        await fleet.hookline('key', 'add', stranger.publicPath, '--operator')
        const rules = `  - { match: "other/*", signers: [{ key: "${neighbour.key.fingerprint}" }] }`
        const node = await fleet.node('k', { policy: fleet.policy(rules) })
        await fleet.apply('kept', node, use('acme/kept', 'detach', '1.0.0'))
        await fleet.untilRuns(node, 'kept', 'acme/kept@1.0.0')
        await untilKept(node, 'kept')
        const { programId } = chainOf(node)
        for (const [at, { path }] of [stranger, neighbour].entries()) {
          await revoke('acme/kept@1.0.0', path)
          const { errors } = await fleet.until(
            node,
            'the refusal',
            ({ revocations }) => revocations?.ignored === at + 1,
          )
          expect(errors.map(({ code }) => code)).toContain('revocation_ignored')
        }
        expect(xdpProgramOn(node.edge)).toBe(programId)
        expect(statusOf(node)?.revocations).toMatchObject({ ignored: 2, detach: 0 })
        // an owner who names the key believes what was signed by it
        const both = `operators: [{ key: "${stranger.key.fingerprint}" }, {`
        writeFileSync(node.trust, fleet.policy(rules).replace('operators: [{', both))
        await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).toBe(undefined)
      },
      MOST_MS,
    )
  })
})
