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
  TCP,
  tcp,
  udp,
} from '../support/packets.ts'

const SHORTEST_BYTES = 14 // BPF_PROG_TEST_RUN wants an Ethernet header
/**
 * The largest frames that lie in one buffer whatever a chain does with them. BPF_PROG_TEST_RUN gives XDP a first buffer
 * of 3,520 bytes (a page of 4,096 less 256 of headroom and 320 of struct skb_shared_info) and TC 3,712; the rest is
 * left for programs that grow the frame.
 */
const SINGLE_BUFFER_BYTES = 3400
const SIZES = [60, 61, 64, 128, 256, 590, 1280, 1500, 1514, 2048, 3000, 3400, 3521, 4096, 6000, 8192, 9000]
/** Near the ends of headers: Ethernet, one tag, two tags, IPv4, IPv6, and what follows each. */
const CUTS = [14, 15, 16, 18, 22, 24, 33, 34, 35, 38, 41, 42, 50, 53, 54, 55, 58, 61, 62, 70, 74, 78, 86]

/** A frame's first byte is what some test programs return. */
const FIRST_BYTES = [0, 1, 3, 4, 5, 7, 8, 254, 255]

const [ONE_TAG, TWO_TAGS] = [[ETHERTYPE.vlan], [ETHERTYPE.providerVlan, ETHERTYPE.vlan]]
const OPTIONS = ipv4(tcp({ flags: TCP.syn, optionBytes: 12 }), { optionBytes: 12 })
const EXTENSIONS = ipv6(udp(), {
  extensions: [extension(PROTOCOL.hopByHop), extension(PROTOCOL.destinationOptions, 1)],
})
const middle = (protocol: number): ReturnType<typeof raw> => raw(protocol, Buffer.alloc(512, 5))

const PACKETS: readonly NetworkPacket[] = [
  ipv4(tcp()),
  ipv4(tcp({ flags: TCP.syn, destination: 443 }, Buffer.alloc(100, 7))),
  ipv4(tcp({ flags: TCP.fin | TCP.ack, source: 22 }), { source: '203.0.113.77' }),
  ipv4(udp()),
  ipv4(udp({ source: 0, destination: 123 }, Buffer.alloc(700, 3))),
  ipv4(icmp()),
  ipv4(icmp(3, Buffer.alloc(32, 1))),
  ipv4(raw(PROTOCOL.gre)),
  ipv4(raw(PROTOCOL.igmp)),
  // headers that are not as they should be, or longer than usual
  ipv4(udp(), { ihl: 4 }),
  ipv4(udp(), { totalLength: 9999 }),
  ipv4(udp(), { source: '127.0.0.1' }),
  ipv4(udp(), { optionBytes: 8 }),
  OPTIONS,
  ipv4(tcp(), { optionBytes: 40 }),
  // first, middle and last fragment
  ipv4(raw(PROTOCOL.udp, Buffer.alloc(1400)), { moreFragments: true }),
  ipv4(middle(PROTOCOL.udp), { moreFragments: true, fragmentOffset: 175 }),
  ipv4(raw(PROTOCOL.tcp), { fragmentOffset: 350 }),
  ipv6(tcp()),
  ipv6(tcp({ flags: TCP.rst }), { source: '2001:db8:ffff::9' }),
  ipv6(udp({}, Buffer.alloc(1000, 9))),
  ipv6(icmpv6()),
  ipv6(icmpv6(135)),
  ipv6(raw(PROTOCOL.none)),
  ipv6(udp(), { payloadLength: 3 }),
  EXTENSIONS,
  ipv6(udp(), { extensions: [extension(PROTOCOL.hopByHop), extension(PROTOCOL.routing, 1)] }),
  ipv6(tcp(), { extensions: [extension(PROTOCOL.ah, 1), extension(PROTOCOL.destinationOptions)] }),
  ipv6(raw(PROTOCOL.udp, Buffer.alloc(1200, 2)), { extensions: [fragment(0, true)] }),
  ipv6(middle(PROTOCOL.tcp), { extensions: [fragment(64, true)] }),
  ipv6(raw(PROTOCOL.tcp), { extensions: [fragment(128, false)] }),
  arp(),
]

/** Frames by chance of at most `most` bytes, and some that are always there. XDP takes them all, TC those of {@link forTc}. */
export function corpus(random: Random, { most = SINGLE_BUFFER_BYTES } = {}): Buffer[] {
  const sizes = SIZES.filter((size) => size <= most)
  const cut = (frame: Buffer, at: number): Buffer => frame.subarray(0, Math.max(SHORTEST_BYTES, at))
  const frames = PACKETS.flatMap((packet) => {
    const bare = ethernet(packet)
    const turned = padded(bare, pick(random, sizes))
    for (const at of [0, 1, random(turned.length), random(34)]) turned.writeUInt8(random(256), at)
    return [
      bare,
      ethernet(packet, { tags: pick(random, [ONE_TAG, TWO_TAGS]), padTo: 64 }),
      cut(bare, random(bare.length)),
      turned,
    ]
  })
  const truncated = [OPTIONS, EXTENSIONS].flatMap((packet) => {
    const whole = ethernet(packet, { tags: pick(random, [[], ONE_TAG, TWO_TAGS]) })
    return CUTS.filter((at) => at < whole.length).map((at) => cut(whole, at))
  })
  const sized = sizes.map((size) => padded(ethernet(pick(random, PACKETS)), size))
  const first = FIRST_BYTES.map((byte) => {
    const frame = ethernet(pick(random, PACKETS))
    frame.writeUInt8(byte, 0)
    return frame
  })
  return [...frames, ...truncated, ...sized, ...first].filter(({ length }) => length <= most)
}

/** Those of the frames on which BPF_PROG_TEST_RUN runs TC programs: where it says IP, the IP header must be whole. */
export function forTc(frames: readonly Buffer[]): Buffer[] {
  const least: Record<number, number> = { [ETHERTYPE.ipv4]: 34, [ETHERTYPE.ipv6]: 54 }
  return frames.filter((frame) => frame.length >= (least[frame.readUInt16BE(12)] ?? SHORTEST_BYTES))
}

/** A copy of at least `size` bytes; what is added is neither zero nor the same everywhere. */
function padded(frame: Buffer, size: number): Buffer {
  const longer = Buffer.alloc(Math.max(size, frame.length))
  frame.copy(longer)
  for (let at = frame.length; at < longer.length; at++) longer.writeUInt8((at * 7 + (at >> 8)) & 0xff, at)
  return longer
}
