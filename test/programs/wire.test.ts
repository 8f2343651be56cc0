import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ConfigValue } from '../../src/domain/manifest.ts'
import { interfaceIndex } from '../../src/kernel/libc.ts'
import { inNetns } from '../../src/kernel/netns.ts'
import { createXdpLink } from '../../src/kernel/xdp-link.ts'
import { Lab } from '../../tools/lab/namespaces.ts'
import { newRun, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { buildStarter, loadStarter } from './starter-program.ts'

const PACKETS = 20_000
const MIX = { good: 8, bogus: 1, flood: 1 }

describeAsRoot('on a wire', () => {
  const built = new Map<string, ReturnType<typeof buildStarter>>()
  beforeAll(() => {
    for (const name of ['scrub', 'ratelimit', 'counter']) built.set(name, buildStarter(name))
  })
  afterAll(() => {
    for (const { remove } of built.values()) remove()
  })

  /** Sends the mixture through a program in native mode; gives both ends' reports and the program's counters. */
  async function through(
    name: string,
    config: Readonly<Record<string, ConfigValue>>,
    counters: readonly string[],
    rate_pps: number,
  ) {
    const release = built.get(name)
    if (release === undefined) throw new Error(`${name} is not built`)
    using lab = new Lab()
    const { a, b } = lab.link(
      { namespace: lab.namespace('sender'), interface: 'eth1' },
      { namespace: lab.namespace('receiver'), interface: 'eth1' },
    )
    using program = loadStarter(release, config)
    using link = inNetns(b.namespace.path, () => createXdpLink(program.fd, interfaceIndex(b.interface)))
    expect(link.number).toBeGreaterThan(0)
    const run = newRun()
    const receiver = await startReceiver({ lab, at: b, run })
    const sender = await startSender({ lab, from: a, run, mix: MIX, count: PACKETS, rate_pps })
    const { sent } = await sender.done
    const { classes } = await receiver.stop()
    expect(sent).toEqual({ good: PACKETS * 0.8, bogus: PACKETS * 0.1, flood: PACKETS * 0.1 })
    return { sent, classes, counted: counters.map((map) => program.counters(map)) }
  }

  test('scrub drops all that is bogus and nothing else', async () => {
    const { sent, classes, counted } = await through('scrub', {}, ['scrub_drops'], 20_000)
    expect(classes.bogus.received).toBe(0)
    expect(classes.good.distinct).toBe(sent.good)
    expect(classes.flood.distinct).toBe(sent.flood)
    expect(counted[0]?.reduce((sum, count) => sum + count, 0)).toBe(sent.bogus)
  })

  test('ratelimit holds the flood to its rate and lets slower sources pass', async () => {
    // 16 good sources at 500/s each; the flood comes at 1000/s
    const limit = { rate: 600, burst: 100 }
    const { sent, classes, counted } = await through('ratelimit', limit, ['rl_passed', 'rl_dropped'], 10_000)
    const seconds = (classes.good.last_ms - classes.good.first_ms) / 1000
    expect(classes.good.distinct).toBe(sent.good)
    expect(classes.flood.distinct).toBeLessThan(limit.burst + limit.rate * (seconds + 0.1))
    expect(classes.flood.distinct).toBeGreaterThan(limit.rate)
    expect(counted[1]?.[0]).toBeGreaterThanOrEqual(sent.flood - classes.flood.distinct)
  })

  test('counter lets everything pass', async () => {
    const { sent, classes, counted } = await through('counter', {}, ['counter_packets'], 20_000)
    for (const name of ['good', 'bogus', 'flood'] as const) expect(classes[name].distinct).toBe(sent[name])
    expect(counted[0]?.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(PACKETS)
  })
})
