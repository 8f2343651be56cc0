import { pick, type Random } from '../../tools/fuzz/random.ts'
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

const SHORTEST_BYTES = 14 // BPF_PROG_TEST_RUN wants an Ethernet header
const SIZES = [60, 61, 128, 590, 1280, 1500]

const PACKETS: readonly NetworkPacket[] = [
  ipv4(tcp()),
  ipv4(tcp({ flags: 2, destination: 443 }, Buffer.alloc(100, 7))),
  ipv4(udp()),
  ipv4(udp({ source: 0, destination: 123 }, Buffer.alloc(700, 3))),
  ipv4(icmp()),
  ipv4(raw(PROTOCOL.gre)),
  ipv4(udp(), { ihl: 4 }),
  ipv4(udp(), { source: '127.0.0.1' }),
  ipv4(udp(), { optionBytes: 8 }),
  ipv4(raw(PROTOCOL.udp, Buffer.alloc(1400)), { moreFragments: true }),
  ipv4(raw(PROTOCOL.tcp), { fragmentOffset: 1 }),
  ipv6(tcp()),
  ipv6(udp({}, Buffer.alloc(1000, 9))),
  ipv6(icmpv6()),
  ipv6(udp(), { extensions: [extension(PROTOCOL.hopByHop), extension(PROTOCOL.routing, 1)] }),
  ipv6(tcp(), { extensions: [fragment(0, true)] }),
  ipv6(raw(PROTOCOL.none)),
  arp(),
]

/** Frames of many kinds: each packet bare and behind VLAN tags, cut short, padded to sizes, and with turned bits. */
export function corpus(random: Random): Buffer[] {
  return PACKETS.flatMap((packet) => {
    const bare = ethernet(packet)
    const cut = bare.subarray(0, SHORTEST_BYTES + random(bare.length - SHORTEST_BYTES))
    const turned = Buffer.from(ethernet(packet, { padTo: pick(random, SIZES) }))
    for (const at of [0, 1, random(turned.length), random(34)]) turned.writeUInt8(random(256), at)
    return [bare, ethernet(packet, { tags: [ETHERTYPE.vlan], padTo: 64 }), cut, turned]
  })
}
