import { isIPv6 } from 'node:net'

/** IP protocol numbers (linux/in.h, linux/in6.h). */
export const PROTOCOL = {
  hopByHop: 0,
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  gre: 47,
  ah: 51,
  icmpv6: 58,
  none: 59,
  destinationOptions: 60,
} as const

/** EtherTypes (linux/if_ether.h). */
export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  providerVlan: 0x88a8,
} as const

/** TCP flags (RFC 9293 section 3.1, RFC 3168 section 6.1). */
export const TCP = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const

/** What an IP packet carries. */
export interface Segment {
  readonly protocol: number
  readonly bytes: Buffer
  /** Where a checksum with pseudo-header goes that is not filled in yet. */
  readonly checksumAt?: number
}

/** A network layer packet with its EtherType. */
export interface NetworkPacket {
  readonly type: number
  readonly bytes: Buffer
}

const DEFAULT_IPV4 = { source: '192.0.2.1', destination: '198.51.100.1' }
const DEFAULT_IPV6 = { source: '2001:db8:1::1', destination: '2001:db8:2::1' }
const HOP_LIMIT = 64

/** The Internet checksum (RFC 1071). */
function checksum(...parts: readonly Buffer[]): number {
  let sum = 0
  for (const part of parts)
    for (let at = 0; at < part.length; at += 2)
      sum += at + 1 < part.length ? part.readUInt16BE(at) : part.readUInt8(at) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Four or sixteen bytes of an address in text. */
export function addressBytes(text: string): Buffer {
  if (!isIPv6(text)) return Buffer.from(text.split('.').map(Number))
  const [head = '', tail] = text.split('::')
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16))
  const [left, right] = [words(head), words(tail ?? '')]
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}

/** The segment's bytes, its checksum filled in over `pseudoHeader`. */
function summed({ bytes, checksumAt }: Segment, pseudoHeader: Buffer): Buffer {
  if (checksumAt === undefined || checksumAt + 2 > bytes.length) return bytes
  const whole = Buffer.from(bytes)
  whole.writeUInt16BE(checksum(pseudoHeader, whole) || 0xffff, checksumAt)
  return whole
}

/** TCP (RFC 9293). `dataOffset` in units of 4 bytes; options are zeros. */
export function tcp(
  { source = 40000, destination = 80, flags = TCP.ack as number, dataOffset = 5, optionBytes = 0 } = {},
  payload = Buffer.alloc(0),
): Segment {
  const header = Buffer.alloc(20 + optionBytes)
  header.writeUInt16BE(source, 0)
  header.writeUInt16BE(destination, 2)
  header.writeUInt8((dataOffset + optionBytes / 4) << 4, 12)
  header.writeUInt8(flags, 13)
  header.writeUInt16BE(0xffff, 14)
  return { protocol: PROTOCOL.tcp, bytes: Buffer.concat([header, payload]), checksumAt: 16 }
}

/** UDP (RFC 768). `length` defaults to the true one. */
export function udp(
  {
    source = 40000,
    destination = 53,
    length,
  }: { source?: number; destination?: number; length?: number } = {},
  payload = Buffer.alloc(8),
): Segment {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(source, 0)
  header.writeUInt16BE(destination, 2)
  header.writeUInt16BE(length ?? 8 + payload.length, 4)
  return { protocol: PROTOCOL.udp, bytes: Buffer.concat([header, payload]), checksumAt: 6 }
}

/** ICMP (RFC 792), an echo request unless told. */
export function icmp(type = 8, payload = Buffer.alloc(8)): Segment {
  const bytes = Buffer.concat([Buffer.from([type, 0, 0, 0]), payload])
  bytes.writeUInt16BE(checksum(bytes), 2)
  return { protocol: PROTOCOL.icmp, bytes }
}

/** ICMPv6 (RFC 4443), an echo request unless told. */
export const icmpv6 = (type = 128, payload = Buffer.alloc(20)): Segment => ({
  protocol: PROTOCOL.icmpv6,
  bytes: Buffer.concat([Buffer.from([type, 0, 0, 0]), payload]),
  checksumAt: 2,
})

/** Any other protocol's bytes. */
export const raw = (protocol: number, bytes = Buffer.alloc(16)): Segment => ({ protocol, bytes })

/** What may be said, truly or falsely, in an IPv4 header. */
export interface Ipv4Options {
  readonly source?: string
  readonly destination?: string
  readonly version?: number
  /** In units of 4 bytes. */
  readonly ihl?: number
  /** Bytes of options, zeros, that the true header has. */
  readonly optionBytes?: number
  readonly totalLength?: number
  /** In units of 8 bytes. */
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
}

/** IPv4 (RFC 791), right in all that is not told. Fragments get no transport checksum. */
export function ipv4(segment: Segment, options: Ipv4Options = {}): NetworkPacket {
  const { fragmentOffset = 0, moreFragments = false, optionBytes = 0 } = options
  const header = Buffer.alloc(20 + optionBytes)
  const total = header.length + segment.bytes.length
  header.writeUInt8(((options.version ?? 4) << 4) | (options.ihl ?? header.length / 4), 0)
  header.writeUInt16BE(options.totalLength ?? total, 2)
  header.writeUInt16BE((moreFragments ? 0x2000 : 0) | fragmentOffset, 6)
  header.writeUInt8(HOP_LIMIT, 8)
  header.writeUInt8(segment.protocol, 9)
  addressBytes(options.source ?? DEFAULT_IPV4.source).copy(header, 12)
  addressBytes(options.destination ?? DEFAULT_IPV4.destination).copy(header, 16)
  header.writeUInt16BE(checksum(header), 10)
  const pseudo = Buffer.concat([header.subarray(12, 20), Buffer.from([0, segment.protocol, 0, 0])])
  pseudo.writeUInt16BE(segment.bytes.length, 10)
  const whole = fragmentOffset > 0 || moreFragments ? segment.bytes : summed(segment, pseudo)
  return { type: ETHERTYPE.ipv4, bytes: Buffer.concat([header, whole]) }
}

/** What may be said, truly or falsely, in an IPv6 header. */
export interface Ipv6Options {
  readonly source?: string
  readonly destination?: string
  readonly version?: number
  readonly payloadLength?: number
  /** Headers between IPv6 and transport, outermost first; see {@link extension} and {@link fragment}. */
  readonly extensions?: readonly Extension[]
}

/** An extension header; its first byte, the next header, is filled in by {@link ipv6}. */
export interface Extension {
  readonly protocol: number
  readonly bytes: Buffer
}

/** An extension header of `units * 8 + 8` bytes that says so; `lengthField` says otherwise. AH counts 4 bytes. */
export function extension(protocol: number, units = 0, lengthField?: number): Extension {
  const bytes = Buffer.alloc(8 + units * 8)
  bytes.writeUInt8(lengthField ?? (protocol === PROTOCOL.ah ? bytes.length / 4 - 2 : units), 1)
  return { protocol, bytes }
}

/** A fragment header (RFC 8200 section 4.5); `offset` in units of 8 bytes. */
export function fragment(offset: number, more: boolean): Extension {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16BE((offset << 3) | (more ? 1 : 0), 2)
  bytes.writeUInt32BE(0x1234, 4)
  return { protocol: PROTOCOL.fragment, bytes }
}

/** IPv6 (RFC 8200), right in all that is not told. */
export function ipv6(segment: Segment, options: Ipv6Options = {}): NetworkPacket {
  const { extensions = [] } = options
  const header = Buffer.alloc(40)
  const extra = extensions.map(({ bytes }, at) => {
    const filled = Buffer.from(bytes)
    filled.writeUInt8(extensions[at + 1]?.protocol ?? segment.protocol, 0)
    return filled
  })
  const length = segment.bytes.length + extra.reduce((sum, { length }) => sum + length, 0)
  header.writeUInt8((options.version ?? 6) << 4, 0)
  header.writeUInt16BE(options.payloadLength ?? length, 4)
  header.writeUInt8(extensions[0]?.protocol ?? segment.protocol, 6)
  header.writeUInt8(HOP_LIMIT, 7)
  addressBytes(options.source ?? DEFAULT_IPV6.source).copy(header, 8)
  addressBytes(options.destination ?? DEFAULT_IPV6.destination).copy(header, 24)
  const pseudo = Buffer.concat([header.subarray(8, 40), Buffer.alloc(8)])
  pseudo.writeUInt32BE(segment.bytes.length, 32)
  pseudo.writeUInt8(segment.protocol, 39)
  const fragmented = extensions.some(({ protocol }) => protocol === PROTOCOL.fragment)
  const whole = fragmented ? segment.bytes : summed(segment, pseudo)
  return { type: ETHERTYPE.ipv6, bytes: Buffer.concat([header, ...extra, whole]) }
}

/** An ARP request (RFC 826). */
export const arp = (): NetworkPacket => ({
  type: ETHERTYPE.arp,
  bytes: Buffer.concat([Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]), Buffer.alloc(20)]),
})

/** Ethernet II. `tags` are VLAN EtherTypes, outermost first; `padTo` the least length of the frame in bytes. */
export function ethernet(packet: NetworkPacket, { tags = [] as readonly number[], padTo = 0 } = {}): Buffer {
  const types = [...tags, packet.type]
  const header = Buffer.alloc(12 + types.length * 4 - 2)
  header.write('020000000001020000000002', 0, 'hex')
  for (const [at, type] of types.entries()) {
    header.writeUInt16BE(type, 12 + at * 4)
    if (at < tags.length) header.writeUInt16BE(100 + at, 14 + at * 4)
  }
  const frame = Buffer.concat([header, packet.bytes])
  return frame.length < padTo ? Buffer.concat([frame, Buffer.alloc(padTo - frame.length)]) : frame
}
