import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  addressBytes,
  arp,
  ETHERTYPE,
  ethernet,
  extension,
  fragment,
  icmp,
  ipv4,
  ipv6,
  PROTOCOL,
  TCP,
  tcp,
  udp,
} from '../support/packets.ts'
import { buildStarter, loadStarter, type StarterProgram } from './starter-program.ts'

const KEY_BYTES = 16
const from4 = (source: string): Buffer => ethernet(ipv4(udp(), { source }))
const from6 = (source: string): Buffer => ethernet(ipv6(udp(), { source }))

/** Verdicts of so many packets, one after the other. */
const verdicts = (program: StarterProgram, frame: Buffer, packets: number): string[] =>
  Array.from({ length: packets }, () => program.run(frame))
const passes = (program: StarterProgram, frame: Buffer, packets: number): number =>
  verdicts(program, frame, packets).filter((verdict) => verdict === 'pass').length

describeAsRoot('hookline/ratelimit', () => {
  let built: ReturnType<typeof buildStarter>
  beforeAll(() => {
    built = buildStarter('ratelimit')
  })
  afterAll(() => built.remove())

  test('lets a burst pass, then drops, and counts both', () => {
    using program = loadStarter(built, { rate: 1, burst: 5 })
    expect(verdicts(program, from4('192.0.2.1'), 8)).toEqual([
      ...Array<string>(5).fill('pass'),
      ...Array<string>(3).fill('drop'),
    ])
    expect(program.counters('rl_passed')).toEqual([5])
    expect(program.counters('rl_dropped')).toEqual([3])
  })

  test('gives tokens back as time passes, at the rate', async () => {
    using program = loadStarter(built, { rate: 100, burst: 10 })
    const frame = from4('192.0.2.1')
    const start = performance.now()
    program.run(frame, 1000) // empties the bucket
    const emptied = program.counters('rl_passed')[0] ?? 0
    expect(emptied).toBeGreaterThanOrEqual(10)
    await sleep(55)
    const passed = passes(program, frame, 10)
    const most = 10 + Math.ceil((performance.now() - start) / 10)
    expect(passed).toBeGreaterThanOrEqual(5)
    expect(emptied + passed).toBeLessThanOrEqual(most)
  })

  test('holds no more than the burst, however long a source rests', async () => {
    using program = loadStarter(built, { rate: 1000, burst: 3 })
    const frame = from4('192.0.2.1')
    program.run(frame)
    await sleep(50) // 50 tokens' worth
    const start = performance.now()
    const passed = passes(program, frame, 20)
    expect(passed).toBeGreaterThanOrEqual(3)
    expect(passed).toBeLessThanOrEqual(3 + Math.ceil(performance.now() - start))
  })

  test.each([
    [1_000_000, 1],
    [10_000_000, 1],
    [10_000_000, 10_000_000],
    [1, 10_000_000],
  ])('keeps to its bounds at %i packets/s and a burst of %i', (rate, burst) => {
    using program = loadStarter(built, { rate, burst })
    const frame = from4('192.0.2.1')
    const repeat = 200_000
    const start = process.hrtime.bigint()
    program.run(frame, repeat)
    const elapsed_s = Number(process.hrtime.bigint() - start) / 1e9
    const [passed = 0] = program.counters('rl_passed')
    const [dropped = 0] = program.counters('rl_dropped')
    expect(passed + dropped).toBe(repeat)
    expect(passed).toBeGreaterThanOrEqual(Math.min(burst, repeat))
    expect(passed).toBeLessThanOrEqual(burst + rate * 1.0007 * elapsed_s + 1)
  })

  test('charges every packet once when cpus take from one bucket at the same time', async () => {
    const [burst, cpus, repeat] = [50_000, 2, 400_000]
    using program = loadStarter(built, { rate: 1, burst })
    const frame = from4('192.0.2.1')
    const kernel = new URL('../../src/kernel/', import.meta.url)
    const start = performance.now()
    const workers = Array.from(
      { length: cpus },
      () =>
        new Worker(
          `const { workerData } = require('node:worker_threads')
           Promise.all([import('${kernel}bpf-program.ts'), import('${kernel}fd.ts')]).then(([{ testRun }, { Fd }]) =>
             testRun(new Fd(workerData.program), Buffer.from(workerData.frame), workerData.repeat))`,
          { eval: true, workerData: { program: program.fd.number, frame, repeat } },
        ),
    )
    const codes = await Promise.all(workers.map((worker) => once(worker, 'exit')))
    expect(codes).toEqual(workers.map(() => [0]))
    const [passed = 0] = program.counters('rl_passed')
    expect(passed + (program.counters('rl_dropped')[0] ?? 0)).toBe(cpus * repeat)
    expect(passed).toBeGreaterThanOrEqual(burst)
    // what time gave back, and at most one packet a cpu that lost every race
    expect(passed).toBeLessThanOrEqual(burst + Math.ceil((performance.now() - start) / 1000) + cpus)
  })

  test('keeps sources apart', () => {
    using program = loadStarter(built, { rate: 1, burst: 2 })
    expect(passes(program, from4('192.0.2.1'), 4)).toBe(2)
    expect(passes(program, from4('192.0.2.2'), 4)).toBe(2)
    expect(passes(program, from6('2001:db8::1'), 4)).toBe(2)
    expect(program.keys('rl_buckets', KEY_BYTES)).toHaveLength(3)
  })

  test('takes an IPv6 /64 for one source, the next /64 for another', () => {
    using program = loadStarter(built, { rate: 1, burst: 2 })
    expect(passes(program, from6('2001:db8:0:1::1'), 1)).toBe(1)
    expect(passes(program, from6('2001:db8:0:1:ffff::9'), 4)).toBe(1)
    expect(passes(program, from6('2001:db8:0:2::1'), 4)).toBe(2)
    expect(
      program
        .keys('rl_buckets', KEY_BYTES)
        .map((key) => key.toString('hex'))
        .sort(),
    ).toEqual([
      addressBytes('2001:db8:0:1::').toString('hex'),
      addressBytes('2001:db8:0:2::').toString('hex'),
    ])
  })

  test.each([
    ['IPv4 /24 joins', { ipv4_prefix: 24 }, from4('192.0.2.1'), from4('192.0.2.255'), true],
    ['IPv4 /24 parts', { ipv4_prefix: 24 }, from4('192.0.2.1'), from4('192.0.3.1'), false],
    ['IPv4 /0 joins', { ipv4_prefix: 0 }, from4('192.0.2.1'), from4('10.0.0.1'), true],
    ['IPv4 /0 parts', { ipv4_prefix: 0, ipv6_prefix: 0 }, from4('192.0.2.1'), from6('2001:db8::1'), false],
    ['IPv4 /32 parts', {}, from4('192.0.2.1'), from4('192.0.2.0'), false],
    ['IPv6 /48 joins', { ipv6_prefix: 48 }, from6('2001:db8:1:1::1'), from6('2001:db8:1:2::1'), true],
    ['IPv6 /48 parts', { ipv6_prefix: 48 }, from6('2001:db8:1::1'), from6('2001:db8:2::1'), false],
    ['IPv6 /96 joins', { ipv6_prefix: 96 }, from6('2001:db8::1'), from6('2001:db8::2'), true],
    ['IPv6 /96 parts', { ipv6_prefix: 96 }, from6('2001:db8::1'), from6('2001:db8::1:0:1'), false],
    ['IPv6 /128 parts', { ipv6_prefix: 128 }, from6('2001:db8::1'), from6('2001:db8::2'), false],
    ['IPv6 /0 joins', { ipv6_prefix: 0 }, from6('2001:db8::1'), from6('fe80::1'), true],
  ])('%s sources as it says', (_, prefixes, first, second, joined) => {
    using program = loadStarter(built, { rate: 1, burst: 1, ...prefixes })
    expect(program.run(first)).toBe('pass')
    expect(program.run(second)).toBe(joined ? 'drop' : 'pass')
  })

  test('limits nothing at rate 0', () => {
    using program = loadStarter(built, { rate: 0, burst: 1 })
    expect(passes(program, from4('192.0.2.1'), 100)).toBe(100)
    expect(program.keys('rl_buckets', KEY_BYTES)).toEqual([])
    expect(program.counters('rl_passed')).toEqual([0])
  })

  test.each([
    ['ARP', ethernet(arp())],
    ['an IPv4 header that is cut short', ethernet({ type: ETHERTYPE.ipv4, bytes: Buffer.alloc(19, 0x45) })],
    ['an IPv6 header that is cut short', ethernet({ type: ETHERTYPE.ipv6, bytes: Buffer.alloc(39, 0x60) })],
  ])('does not limit %s', (_, frame) => {
    using program = loadStarter(built, { rate: 1, burst: 1 })
    expect(passes(program, frame, 10)).toBe(10)
    expect(program.keys('rl_buckets', KEY_BYTES)).toEqual([])
  })

  test('finds the source behind VLAN tags', () => {
    using program = loadStarter(built, { rate: 1, burst: 1 })
    expect(program.run(from4('192.0.2.1'))).toBe('pass')
    expect(program.run(ethernet(ipv4(udp(), { source: '192.0.2.1' }), { tags: [ETHERTYPE.vlan] }))).toBe(
      'drop',
    )
  })

  const syn = tcp({ flags: TCP.syn })
  test.each([
    ['a SYN', ethernet(ipv4(syn))],
    ['a SYN with ECN bits', ethernet(ipv4(tcp({ flags: TCP.syn | TCP.ece | TCP.cwr })))],
    ['a SYN behind IPv4 options', ethernet(ipv4(syn, { optionBytes: 8 }))],
    ['a SYN over IPv6', ethernet(ipv6(syn))],
    [
      'a SYN behind IPv6 extension headers',
      ethernet(
        ipv6(syn, { extensions: [extension(PROTOCOL.hopByHop), extension(PROTOCOL.destinationOptions)] }),
      ),
    ],
  ])('with new_tcp_only limits %s', (_, frame) => {
    using program = loadStarter(built, { rate: 1, burst: 1, new_tcp_only: true })
    expect(verdicts(program, frame, 3)).toEqual(['pass', 'drop', 'drop'])
    expect(program.counters('rl_passed')).toEqual([1])
  })

  test.each([
    ['a SYN-ACK', ethernet(ipv4(tcp({ flags: TCP.syn | TCP.ack })))],
    ['an ACK', ethernet(ipv4(tcp()))],
    ['an ACK over IPv6', ethernet(ipv6(tcp()))],
    ['UDP', ethernet(ipv4(udp()))],
    ['ICMP', ethernet(ipv4(icmp()))],
    ['a later fragment of IPv4', ethernet(ipv4(syn, { fragmentOffset: 3 }))],
    ['a later fragment of IPv6', ethernet(ipv6(syn, { extensions: [fragment(3, false)] }))],
  ])('with new_tcp_only does not limit %s', (_, frame) => {
    using program = loadStarter(built, { rate: 1, burst: 1, new_tcp_only: true })
    expect(verdicts(program, frame, 3)).toEqual(['pass', 'pass', 'pass'])
    expect(program.counters('rl_passed')).toEqual([0])
    expect(program.keys('rl_buckets', KEY_BYTES)).toEqual([])
  })

  test('does not take IPv6 for the IPv4 address that it maps, at /64', () => {
    using program = loadStarter(built, { rate: 1, burst: 1 })
    expect(program.run(from4('192.0.2.1'))).toBe('pass')
    expect(program.run(from6('0:0:0:0:0:ffff:c000:201'))).toBe('pass')
  })

  test('makes room for a new source when its map is full', () => {
    const other = buildStarter('ratelimit', { defines: { MAX_SOURCES: 16 } })
    try {
      using program = loadStarter(other, { rate: 1, burst: 1 })
      for (let host = 0; host < 200; host++) expect(program.run(from4(`192.0.2.${host}`))).toBe('pass')
      // the least recently seen sources made room
      expect(program.keys('rl_buckets', KEY_BYTES).length).toBeLessThanOrEqual(16)
    } finally {
      other.remove()
    }
  })
})
