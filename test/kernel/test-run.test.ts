import { beforeAll, expect, test } from 'vitest'
import { lookupElement } from '../../src/kernel/bpf-map.ts'
import { seededRandom } from '../../tools/fuzz/random.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { ethernet, icmp, ipv4, tcp, udp } from '../support/packets.ts'
import { compileSource } from './chain-entries.ts'
import { corpus, forTc } from './corpus.ts'
import { loadOriginal, type Original, type OriginalRequest } from './load-original.ts'
import { mapContent } from './map-content.ts'
import { stayOnOneCpu } from './one-cpu.ts'
import { runOn } from './test-run.ts'

const [TCP, UDP, ICMP] = [ethernet(ipv4(tcp())), ethernet(ipv4(udp())), ethernet(ipv4(icmp()))]
const PASS = 2

const load = (source: string, hook: OriginalRequest['hook'], more: Partial<OriginalRequest> = {}): Original =>
  loadOriginal(compileSource(source), { entry: source.replaceAll('-', '_'), hook, ...more })

function fdOf(original: Original, name: string): number {
  const fd = original.maps.get(name)
  if (fd === undefined) throw new Error(`no map ${name}`)
  return fd
}
/** The u64 at an array's index, or in its only element at a byte offset. */
function word(original: Original, map: string, index: number, { bytes = 8, at = 0 } = {}): number {
  const key = Buffer.alloc(4)
  key.writeUInt32LE(index)
  const value = lookupElement({ number: fdOf(original, map) }, key, bytes)
  return Number(value?.readBigUInt64LE(at))
}

describeAsRoot('running unmodified programs', () => {
  beforeAll(stayOnOneCpu)

  test('XDP metadata goes from one program to the next with the context, and is part of the packet without', () => {
    using meta = load('meta', 'xdp')
    const first = runOn(meta.program, 'xdp', { bytes: TCP })
    expect(first.packet.bytes.subarray(8)).toEqual(TCP)
    const sum = (bytes: Buffer): number => bytes.readUInt32LE(4)
    const second = runOn(meta.program, 'xdp', first.packet)
    expect(sum(second.packet.bytes)).toBe(5 * sum(first.packet.bytes) + TCP.readUInt8(17) + 1)
    const without = runOn(meta.program, 'xdp', { bytes: first.packet.bytes })
    expect(without.packet.bytes.subarray(8)).toEqual(first.packet.bytes)
  })

  test('an XDP packet has 3520 bytes in its first buffer, and more in others', () => {
    using buffers = load('buffers', 'xdp')
    const firstBuffer = (bytes: number): number =>
      runOn(buffers.program, 'xdp', { bytes: Buffer.alloc(bytes) }).packet.context.readUInt32LE(4)
    expect([3519, 3520, 3521, 9000].map(firstBuffer)).toEqual([3519, 3520, 3520, 3520])
    expect(() => firstBuffer(13)).toThrow(/EINVAL/)
  })

  test('mark, cb and time stamp of a TC packet go from one program to the next', () => {
    using fields = load('tc-fields', 'tc-ingress')
    const first = runOn(fields.program, 'tc-ingress', { bytes: TCP })
    const second = runOn(fields.program, 'tc-ingress', first.packet)
    const mark = (context: Buffer): number => context.readUInt32LE(8)
    expect(mark(first.packet.context)).toBe(TCP.readUInt8(17))
    expect(mark(second.packet.context)).toBe(4 * TCP.readUInt8(17))
    expect(second.packet.context.readUInt32LE(48)).toBe(2) // cb[0] counts the runs
    using time = load('tc-time', 'tc-ingress')
    const stamped = runOn(time.program, 'tc-ingress', { bytes: UDP })
    expect(stamped.packet.context.readBigUInt64LE(152)).toBe(1000n)
    expect(runOn(time.program, 'tc-ingress', stamped.packet).verdict).toBe(2) // it saw the 1000
  })

  test('TC takes every frame of the corpus for it, and packets of 3712 bytes', () => {
    using verdicts = load('tc-verdicts', 'tc-ingress')
    const run = (bytes: Buffer): number => runOn(verdicts.program, 'tc-ingress', { bytes }).verdict
    expect(run(Buffer.alloc(3712))).toBe(0)
    expect(() => run(Buffer.alloc(13))).toThrow(/EINVAL/)
    const frames = forTc(corpus(seededRandom(3, 0)))
    const first = (frame: Buffer): number => frame.readUInt8(0)
    const plain = frames.filter((frame) => first(frame) < 254) // the program makes other numbers of the rest
    expect(plain.map(run)).toEqual(plain.map(first))
  })

  test('a program’s own tail calls reach their targets, and an empty slot falls through', () => {
    using jump = load('jump', 'xdp')
    for (const frame of [TCP, UDP, ICMP, UDP]) runOn(jump.program, 'xdp', { bytes: frame })
    expect([0, 1, 2].map((index) => word(jump, 'reached', index))).toEqual([1, 2, 1])
    using inside = load('jump-sub', 'xdp')
    // the target returns drop or tx to the main function, which makes pass of drop
    const verdicts = [TCP, Buffer.from(TCP)].map((bytes, order) => {
      bytes.writeUInt8(order, 17)
      return runOn(inside.program, 'xdp', { bytes }).verdict
    })
    expect(verdicts).toEqual([0, PASS])
  })

  test('legacy access behind the end ends the program, but in a subprogram only that', () => {
    using legacy = load('tc-legacy-short', 'tc-ingress')
    const begunAndEnded = (): number[] => [0, 8].map((at) => word(legacy, '.bss', 0, { bytes: 16, at }))
    const run = (bytes: number): number =>
      runOn(legacy.program, 'tc-ingress', { bytes: Buffer.alloc(bytes) }).verdict
    expect(run(40)).toBe(0)
    expect(begunAndEnded().sort()).toEqual([0, 1])
    expect(run(60)).toBe(3)
    expect(begunAndEnded().sort()).toEqual([1, 2])
  })

  test('both entries of an object can share its maps', () => {
    const bytes = compileSource('both-hooks')
    using first = loadOriginal(bytes, { entry: 'both_hooks_xdp', hook: 'xdp' })
    using second = loadOriginal(bytes, { entry: 'both_hooks_tc', hook: 'tc-ingress', reuse: first.maps })
    runOn(first.program, 'xdp', { bytes: UDP })
    const { packet } = runOn(second.program, 'tc-ingress', { bytes: UDP })
    expect(packet.context.readUInt32LE(8)).toBe(1) // the mark is the XDP program's count
    expect(word(first, 'by_protocol', 17)).toBe(3)
    using apart = loadOriginal(bytes, { entry: 'both_hooks_tc', hook: 'tc-ingress' })
    expect(runOn(apart.program, 'tc-ingress', { bytes: UDP }).packet.context.readUInt32LE(8)).toBe(0)
  })

  test('queues and stacks are listed in order, and are empty then', () => {
    using queue = load('queue', 'xdp')
    const frame = (byte: number): Buffer => {
      const copy = Buffer.alloc(60)
      copy.writeUInt8(byte, 23)
      return copy
    }
    for (const byte of [1, 5, 7]) runOn(queue.program, 'xdp', { bytes: frame(byte) })
    const content = (name: string): string[] => Object.values(mapContent({ number: fdOf(queue, name) }))
    expect(content('waiting')).toEqual(['01000000', '05000000', '07000000'])
    expect(content('latest')).toEqual(['07000000', '05000000', '01000000'])
    expect(content('waiting')).toEqual([])
  })

  test('a timer is armed once, and not due', () => {
    using timer = load('timer', 'xdp')
    for (let packet = 0; packet < 5; packet++) runOn(timer.program, 'xdp', { bytes: TCP })
    const packetsAndArmed = [0, 8].map((at) => word(timer, 'timers', 0, { bytes: 32, at }))
    expect(packetsAndArmed).toEqual([5, 1])
  })
})
