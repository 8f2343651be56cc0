import { expect, test } from 'vitest'
import { seededRandom } from '../../tools/fuzz/random.ts'
import { ethernet, ipv4, ipv6, udp } from '../support/packets.ts'
import { corpus, forTc } from './corpus.ts'

const frames = (stream: number, options: { most?: number } = {}): Buffer[] =>
  corpus(seededRandom(1, stream), options)
/** A field of those frames that are long enough, untagged or behind tags. */
const network = (all: readonly Buffer[]): { type: number; bytes: Buffer }[] =>
  all.flatMap((frame) => {
    let at = 12
    while (frame.length >= at + 6 && [0x8100, 0x88a8].includes(frame.readUInt16BE(at))) at += 4
    return frame.length < at + 22 ? [] : [{ type: frame.readUInt16BE(at), bytes: frame.subarray(at + 2) }]
  })

test('the same seed gives the same frames, another one others', () => {
  expect(frames(1)).toEqual(frames(1))
  expect(frames(2)).not.toEqual(frames(1))
})

test('no frame is larger than asked for, and some are as large', () => {
  for (const most of [60, 1500, 3400, 9000]) {
    const sizes = frames(1, { most }).map(({ length }) => length)
    expect(Math.max(...sizes)).toBe(most)
    expect(Math.min(...sizes)).toBe(14)
  }
  expect(Math.max(...frames(1).map(({ length }) => length))).toBe(3400)
})

test('frames hold IPv4, IPv6 and ARP, tags, fragments of each kind, options and frames cut anywhere', () => {
  const all = frames(1)
  const packets = network(all)
  const v4 = packets.filter(({ type }) => type === 0x0800).map(({ bytes }) => bytes)
  const v6 = packets.filter(({ type, bytes }) => type === 0x86dd && bytes.length >= 48)
  expect(packets.map(({ type }) => type)).toEqual(expect.arrayContaining([0x0800, 0x86dd, 0x0806]))
  expect(v4.map((ip) => ip.readUInt8(9))).toEqual(expect.arrayContaining([1, 2, 6, 17, 47]))
  expect(v6.map(({ bytes }) => bytes.readUInt8(6))).toEqual(
    expect.arrayContaining([0, 6, 17, 44, 51, 58, 59]),
  )
  const kinds = v4.map((ip) => [(ip.readUInt8(6) & 0x20) !== 0, (ip.readUInt16BE(6) & 0x1fff) > 0])
  expect(kinds).toEqual(
    expect.arrayContaining([
      [true, false],
      [true, true],
      [false, true],
      [false, false],
    ]),
  )
  expect(v4.some((ip) => (ip.readUInt8(0) & 15) > 5)).toBe(true)
  const types = all.map((frame) => frame.readUInt16BE(12))
  expect(types).toEqual(expect.arrayContaining([0x8100, 0x88a8]))
  expect(new Set(all.map(({ length }) => length).filter((length) => length < 80)).size).toBeGreaterThan(20)
})

test('for TC there are no frames that say IP and end within its header', () => {
  const [four, six] = [ethernet(ipv4(udp())), ethernet(ipv6(udp()))]
  const whole = [four, four.subarray(0, 34), six.subarray(0, 54), Buffer.alloc(14)]
  expect(forTc([...whole, four.subarray(0, 33), six.subarray(0, 53), four.subarray(0, 14)])).toEqual(whole)
  expect(forTc(frames(1)).length).toBeLessThan(frames(1).length)
})
