import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { countedSince, Lab, linkCounters } from '../../tools/lab/namespaces.ts'
import {
  newRun,
  notReceived,
  type ReceiveProgress,
  type SendProgress,
  startReceiver,
  startSender,
} from '../../tools/lab/traffic.ts'
import { describeAsRoot } from '../support/needs-root.ts'

function pair(lab: Lab) {
  const { a, b } = lab.link(
    { namespace: lab.namespace('sender'), interface: 'eth1' },
    { namespace: lab.namespace('receiver'), interface: 'eth1' },
  )
  return { from: a, at: b, run: newRun() }
}

describeAsRoot('traffic', () => {
  test('arrives whole: 20,000 packets of three classes, none lost, none twice', async () => {
    using lab = new Lab()
    const { from, at, run } = pair(lab)
    const before = [linkCounters(from), linkCounters(at)] as const
    const receiver = await startReceiver({ lab, at, run })
    const sender = await startSender({
      ...{ lab, from, run, count: 20_000, rate_pps: 20_000 },
      mix: { good: 8, bogus: 1, flood: 1 },
    })
    const sent = await sender.done
    const received = await receiver.stop()
    expect(sent.sent).toEqual({ good: 16_000, bogus: 2_000, flood: 2_000 })
    expect(notReceived(sent, received)).toEqual({ good: 0, bogus: 0, flood: 0 })
    expect(received.socketDrops).toBe(0)
    for (const arrivals of Object.values(received.classes))
      expect(arrivals).toMatchObject({ received: arrivals.distinct, duplicates: 0, beyond: 0, missing: [] })
    // a full queue refuses, and the sender offers again: it may cost time, never a packet
    expect(countedSince(before[0], linkCounters(from)).txDropped).toBeGreaterThanOrEqual(sent.refused)
    expect(countedSince(before[1], linkCounters(at))).toMatchObject({ rxDropped: 0, rxErrors: 0 })
  })

  test('keeps to its rate', async () => {
    using lab = new Lab()
    const { from, run } = pair(lab)
    const sender = await startSender({ lab, from, run, mix: { good: 1 }, rate_pps: 5_000, count: 5_000 })
    const { elapsed_ms, sent } = await sender.done
    expect(sent).toEqual({ good: 5_000, bogus: 0, flood: 0 })
    expect(elapsed_ms).toBeGreaterThan(950) // never faster; a loaded machine may be slower
  })

  test('that overflows the receiver is counted there, and its gaps are listed', async () => {
    using lab = new Lab()
    const { from, at, run } = pair(lab)
    const receiver = await startReceiver({ lab, at, run, bufferBytes: 4096 })
    process.kill(receiver.pid, 'SIGSTOP')
    const sender = await startSender({ lab, from, run, mix: { good: 1 }, count: 500 })
    const sent = await sender.done
    process.kill(receiver.pid, 'SIGCONT')
    const received = await receiver.stop()
    expect(received.socketDrops).toBeGreaterThan(400)
    expect(notReceived(sent, received).good).toBeGreaterThan(400)
    expect(received.classes.good.distinct).toBeLessThan(100)
  })

  test('that the queue between has no room for shows in the counters of the sender', async () => {
    using lab = new Lab()
    const { from, at, run } = pair(lab)
    // the other end takes no frame longer than 100 bytes: each is dropped between the two ends
    execFileSync('ip', ['-n', at.namespace.name, 'link', 'set', 'dev', at.interface, 'mtu', '100'])
    const before = linkCounters(from)
    const receiver = await startReceiver({ lab, at, run })
    const sender = await startSender({ lab, from, run, mix: { flood: 1 }, count: 50, seconds: 0.5 })
    const sent = await sender.done
    const received = await receiver.stop()
    const dropped = countedSince(before, linkCounters(from)).txDropped
    expect(dropped).toBeGreaterThan(0)
    // whatever the kernel told the sender, every packet that it offered is accounted for
    expect(sent.sent.flood + sent.refused).toBe(dropped)
    expect(received.classes.flood.received).toBe(0)
  })

  test('that never came leaves a gap with its numbers', async () => {
    using lab = new Lab()
    const { from, at, run } = pair(lab)
    const sender = await startSender({ lab, from, run, mix: { good: 1 }, rate_pps: 1_000, count: 600 })
    await new Promise((resolve) => setTimeout(resolve, 200))
    const receiver = await startReceiver({ lab, at, run })
    const sent = await sender.done
    const { classes } = await receiver.stop()
    const gap = classes.good.missing[0]
    expect(gap?.[0]).toBe(0)
    expect(classes.good.missing).toHaveLength(1)
    expect((gap?.[1] ?? 0) + 1 + classes.good.distinct).toBe(sent.sent.good)
  })

  test('can be watched, stopped, and ends by itself when idle', async () => {
    using lab = new Lab()
    const { from, at, run } = pair(lab)
    const seen: ReceiveProgress[] = []
    const made: SendProgress[] = []
    const receiver = await startReceiver({
      ...{ lab, at, run, idleSeconds: 0.3 },
      onProgress: (progress) => seen.push(progress),
    })
    const sender = await startSender({
      ...{ lab, from, run, mix: { good: 1 }, rate_pps: 1_000 },
      onProgress: (progress) => made.push(progress),
    })
    await expect.poll(() => made.length > 0 && seen.length > 0, { timeout: 5_000 }).toBe(true)
    const sent = await sender.stop()
    const received = await receiver.done
    expect(made[0]?.sent.good).toBeGreaterThan(0)
    expect(made[0]?.sent.good).toBeLessThanOrEqual(sent.sent.good)
    expect(seen[0]?.classes.good.received).toBeGreaterThan(0)
    expect(received.classes.good.distinct).toBe(sent.sent.good)
  })

  test('that cannot start says why', async () => {
    using lab = new Lab()
    const { from, at, run } = pair(lab)
    await expect(startReceiver({ lab, at: { ...at, interface: 'eth9' }, run })).rejects.toThrow(
      /ended by 1: traffic: eth9: No such device/,
    )
    await expect(startSender({ lab, from, run, mix: {} })).rejects.toThrow(
      /ended by 2: .*--good.* are needed/,
    )
  })
})
