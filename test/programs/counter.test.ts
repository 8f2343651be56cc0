import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  arp,
  ETHERTYPE,
  ethernet,
  extension,
  fragment,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  type NetworkPacket,
  PROTOCOL,
  raw,
  tcp,
  udp,
} from '../support/packets.ts'
import { buildStarter, loadStarter } from './starter-program.ts'

/** Slots as in programs/counter/README.md. */
const SLOT = {
  ipv4Tcp: 0,
  ipv4Udp: 1,
  ipv4Icmp: 2,
  ipv4Other: 3,
  ipv6Tcp: 4,
  ipv6Udp: 5,
  ipv6Icmp: 6,
  ipv6Other: 7,
  arp: 8,
  other: 9,
}

const cut = (packet: NetworkPacket, bytes: number): NetworkPacket => ({
  ...packet,
  bytes: packet.bytes.subarray(0, bytes),
})

describeAsRoot('hookline/counter', () => {
  let built: ReturnType<typeof buildStarter>
  beforeAll(() => {
    built = buildStarter('counter')
  })
  afterAll(() => built.remove())

  test.each<[string, Buffer, keyof typeof SLOT]>([
    ['IPv4 TCP', ethernet(ipv4(tcp())), 'ipv4Tcp'],
    ['IPv4 UDP', ethernet(ipv4(udp())), 'ipv4Udp'],
    ['IPv4 ICMP', ethernet(ipv4(icmp())), 'ipv4Icmp'],
    ['another protocol of IPv4', ethernet(ipv4(raw(PROTOCOL.gre))), 'ipv4Other'],
    ['ICMPv6 in IPv4', ethernet(ipv4(raw(PROTOCOL.icmpv6))), 'ipv4Other'],
    ['a later fragment of IPv4', ethernet(ipv4(udp(), { fragmentOffset: 10 })), 'ipv4Udp'],
    ['an IPv4 header that is cut short', ethernet(cut(ipv4(tcp()), 19)), 'ipv4Other'],
    ['IPv6 TCP', ethernet(ipv6(tcp())), 'ipv6Tcp'],
    ['IPv6 UDP', ethernet(ipv6(udp())), 'ipv6Udp'],
    ['ICMPv6', ethernet(ipv6(icmpv6())), 'ipv6Icmp'],
    ['another protocol of IPv6', ethernet(ipv6(raw(PROTOCOL.none))), 'ipv6Other'],
    ['ICMP in IPv6', ethernet(ipv6(icmp())), 'ipv6Other'],
    ['IPv6 behind extension headers', ethernet(ipv6(udp(), { extensions: chainOf(8) })), 'ipv6Udp'],
    ['IPv6 behind too many of them', ethernet(ipv6(udp(), { extensions: chainOf(9) })), 'ipv6Other'],
    [
      'IPv6 behind an authentication header',
      ethernet(ipv6(tcp(), { extensions: [extension(PROTOCOL.ah, 2)] })),
      'ipv6Tcp',
    ],
    ['a later fragment of IPv6', ethernet(ipv6(tcp(), { extensions: [fragment(2, false)] })), 'ipv6Tcp'],
    [
      'an extension header that is cut short',
      ethernet(cut(ipv6(udp(), { extensions: chainOf(1) }), 41)),
      'ipv6Other',
    ],
    ['ARP', ethernet(arp()), 'arp'],
    ['an unknown EtherType', ethernet({ type: 0x88cc, bytes: Buffer.alloc(46) }), 'other'],
    ['one VLAN tag', ethernet(ipv4(tcp()), { tags: [ETHERTYPE.vlan] }), 'ipv4Tcp'],
    ['two VLAN tags', ethernet(ipv6(udp()), { tags: [ETHERTYPE.providerVlan, ETHERTYPE.vlan] }), 'ipv6Udp'],
    [
      'three VLAN tags',
      ethernet(ipv4(tcp()), { tags: [ETHERTYPE.providerVlan, ETHERTYPE.vlan, ETHERTYPE.vlan] }),
      'other',
    ],
    ['a VLAN tag that is cut short', ethernet({ type: ETHERTYPE.vlan, bytes: Buffer.alloc(2) }), 'other'],
  ])('passes and counts %s', (_, frame, slot) => {
    using program = loadStarter(built)
    const only = (amount: number): number[] =>
      Object.values(SLOT).map((each) => (each === SLOT[slot] ? amount : 0))
    expect(program.run(frame)).toBe('pass')
    expect(program.counters('counter_packets')).toEqual(only(1))
    expect(program.counters('counter_bytes')).toEqual(only(frame.length))
  })

  test('adds up', () => {
    using program = loadStarter(built)
    const frame = ethernet(ipv4(tcp()))
    program.run(frame, 1000)
    program.run(ethernet(arp()), 10)
    expect(program.counters('counter_packets')).toEqual([1000, 0, 0, 0, 0, 0, 0, 0, 10, 0])
    expect(program.counters('counter_bytes')[0]).toBe(1000 * frame.length)
  })
})

/** So many destination option headers. */
function chainOf(headers: number) {
  return Array.from({ length: headers }, () => extension(PROTOCOL.destinationOptions))
}
