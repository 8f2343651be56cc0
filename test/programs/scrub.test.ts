import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  arp,
  ETHERTYPE,
  ethernet,
  extension,
  fragment,
  type Ipv4Options,
  type Ipv6Options,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  type NetworkPacket,
  PROTOCOL,
  raw,
  type Segment,
  TCP,
  tcp,
  udp,
} from '../support/packets.ts'
import { buildStarter, loadStarter } from './starter-program.ts'

/** Slots of scrub_drops as in programs/scrub/README.md. */
const REASONS = [
  'ipv4 header',
  'ipv4 length',
  'ipv4 source',
  'ipv6 header',
  'ipv6 length',
  'ipv6 source',
  'land',
  'tcp header',
  'tcp flags',
  'udp length',
  'fragment',
  'port zero',
] as const
type Reason = (typeof REASONS)[number]
const SWITCHES = ['headers', 'sources', 'land', 'tcp_flags', 'fragments', 'ports', 'udp_source_port'] as const
type Switch = (typeof SWITCHES)[number]

const cut = (packet: NetworkPacket, bytes: number): NetworkPacket => ({
  ...packet,
  bytes: packet.bytes.subarray(0, bytes),
})
const flags = (...names: (keyof typeof TCP)[]): Segment =>
  tcp({ flags: names.reduce((all, name) => all | TCP[name], 0) })
const part = (segment: Segment, bytes: number): Segment => ({
  ...segment,
  bytes: segment.bytes.subarray(0, bytes),
})
const bytes = (count: number, protocol: number = PROTOCOL.udp): Segment => raw(protocol, Buffer.alloc(count))
const from4 = (source: string, more: Ipv4Options = {}): NetworkPacket => ipv4(udp(), { source, ...more })
const from6 = (source: string, more: Ipv6Options = {}, segment = udp()): NetworkPacket =>
  ipv6(segment, { source, ...more })
const fragment6 = (segment: Segment, offset: number, more: boolean): NetworkPacket =>
  ipv6(segment, { extensions: [fragment(offset, more)] })
const [UNSPECIFIED, BROADCAST, SAME4, SAME6] = ['0.0.0.0', '255.255.255.255', '192.0.2.9', '2001:db8::9']
const same4 = { source: SAME4, destination: SAME4 }
const same6 = { source: SAME6, destination: SAME6 }
const dhcp = udp({ source: 68, destination: 67 })

/** A packet that is dropped, why, by which switch, and its twin that an honest peer may send. */
type Case = [what: string, bad: NetworkPacket, reason: Reason, by: Switch, twin: NetworkPacket]

const IPV4: Case[] = [
  [
    'an IPv4 header that is cut short',
    cut(ipv4(udp()), 19),
    'ipv4 header',
    'headers',
    ipv4(bytes(0, PROTOCOL.gre)),
  ],
  ['version 5 in IPv4', ipv4(udp(), { version: 5 }), 'ipv4 header', 'headers', ipv4(udp())],
  ['an IHL of 4', ipv4(udp(), { ihl: 4 }), 'ipv4 header', 'headers', ipv4(udp(), { ihl: 5 })],
  [
    'a length below the header',
    ipv4(udp(), { totalLength: 19 }),
    'ipv4 length',
    'headers',
    ipv4(bytes(0, PROTOCOL.gre)),
  ],
  [
    'a length beyond the frame',
    ipv4(udp(), { totalLength: 37 }),
    'ipv4 length',
    'headers',
    ipv4(udp(), { totalLength: 36 }),
  ],
  [
    'an IHL beyond the length',
    ipv4(udp(), { ihl: 10 }),
    'ipv4 length',
    'headers',
    ipv4(udp(), { optionBytes: 20 }),
  ],
  ['IPv4 from a multicast group', from4('224.0.0.1'), 'ipv4 source', 'sources', from4('223.255.255.1')],
  [
    'IPv4 from the last multicast group',
    from4('239.255.255.255'),
    'ipv4 source',
    'sources',
    from4('240.0.0.1'),
  ],
  ['IPv4 from the broadcast address', from4(BROADCAST), 'ipv4 source', 'sources', from4('192.0.2.255')],
  ['IPv4 from loopback', from4('127.0.0.1'), 'ipv4 source', 'sources', from4('126.255.255.255')],
  [
    'IPv4 to loopback',
    from4('192.0.2.1', { destination: '127.8.8.8' }),
    'ipv4 source',
    'sources',
    from4('192.0.2.1', { destination: '128.0.0.1' }),
  ],
  ['IPv4 from 0.0.0.0', from4(UNSPECIFIED), 'ipv4 source', 'sources', from4('1.0.0.0')],
  [
    '0.0.0.0 to one host by DHCP ports',
    ipv4(dhcp, { source: UNSPECIFIED }),
    'ipv4 source',
    'sources',
    ipv4(dhcp, { source: UNSPECIFIED, destination: BROADCAST }),
  ],
  [
    '0.0.0.0 to all by other ports',
    ipv4(udp(), { source: UNSPECIFIED, destination: BROADCAST }),
    'ipv4 source',
    'sources',
    ipv4(dhcp, { source: UNSPECIFIED, destination: BROADCAST, moreFragments: true }),
  ],
  [
    'IGMP from 0.0.0.0 to one host',
    ipv4(bytes(8, PROTOCOL.igmp), { source: UNSPECIFIED }),
    'ipv4 source',
    'sources',
    ipv4(bytes(8, PROTOCOL.igmp), { source: UNSPECIFIED, destination: '224.0.0.22' }),
  ],
]

const IPV6: Case[] = [
  [
    'an IPv6 header that is cut short',
    cut(ipv6(udp()), 39),
    'ipv6 header',
    'headers',
    ipv6(bytes(0, PROTOCOL.none)),
  ],
  ['version 4 in IPv6', ipv6(udp(), { version: 4 }), 'ipv6 header', 'headers', ipv6(udp(), { version: 6 })],
  [
    'a payload length beyond the frame',
    ipv6(udp(), { payloadLength: 17 }),
    'ipv6 length',
    'headers',
    ipv6(udp(), { payloadLength: 16 }),
  ],
  [
    'a payload that ends among the extension headers',
    ipv6(bytes(16, PROTOCOL.none), {
      payloadLength: 8,
      extensions: [extension(PROTOCOL.destinationOptions, 1)],
    }),
    'ipv6 length',
    'headers',
    ipv6(bytes(0, PROTOCOL.none), { extensions: [extension(PROTOCOL.destinationOptions, 1)] }),
  ],
  [
    'an extension header beyond the frame',
    ipv6(udp(), { extensions: [extension(PROTOCOL.destinationOptions, 0, 200)] }),
    'ipv6 header',
    'headers',
    ipv6(udp(), { extensions: [extension(PROTOCOL.destinationOptions, 200)] }),
  ],
  [
    'an extension header that is cut short',
    ipv6(bytes(7, PROTOCOL.routing)),
    'ipv6 header',
    'headers',
    ipv6(udp(), { extensions: [extension(PROTOCOL.routing)] }),
  ],
  [
    'an authentication header beyond the frame',
    ipv6(bytes(0, PROTOCOL.none), { extensions: [extension(PROTOCOL.ah, 1, 3)] }),
    'ipv6 header',
    'headers',
    ipv6(bytes(0, PROTOCOL.none), { extensions: [extension(PROTOCOL.ah, 1)] }),
  ],
  ['IPv6 from a multicast group', from6('ff02::1'), 'ipv6 source', 'sources', from6('fe80::1')],
  ['IPv6 from loopback', from6('::1'), 'ipv6 source', 'sources', from6('::2')],
  [
    'IPv6 to loopback',
    from6('2001:db8::1', { destination: '::1' }),
    'ipv6 source',
    'sources',
    from6('2001:db8::1', { destination: '::2' }),
  ],
  ['UDP from ::', from6('::'), 'ipv6 source', 'sources', from6('fe80::2')],
  [
    'an echo request from ::',
    from6('::', {}, icmpv6(128)),
    'ipv6 source',
    'sources',
    from6('::', {}, icmpv6(135)),
  ],
  [
    'a router advertisement from ::',
    from6('::', {}, icmpv6(134)),
    'ipv6 source',
    'sources',
    from6('::', {}, icmpv6(133)),
  ],
  [
    'a neighbour advertisement from ::',
    from6('::', {}, icmpv6(136)),
    'ipv6 source',
    'sources',
    from6('fe80::1', {}, icmpv6(136)),
  ],
  [
    'a later ICMPv6 fragment from ::',
    from6('::', { extensions: [fragment(2, false)] }, icmpv6(135)),
    'ipv6 source',
    'sources',
    from6('fe80::1', { extensions: [fragment(2, false)] }, icmpv6(135)),
  ],
]

const TRANSPORT: Case[] = [
  [
    'a UDP packet to itself',
    ipv4(udp({ source: 7, destination: 7 }), same4),
    'land',
    'land',
    ipv4(udp({ source: 8, destination: 7 }), same4),
  ],
  [
    'a TCP packet to itself',
    ipv4(tcp({ source: 80, flags: TCP.syn }), same4),
    'land',
    'land',
    ipv4(tcp({ source: 80, flags: TCP.syn })),
  ],
  [
    'a TCP packet to itself over IPv6',
    ipv6(tcp({ source: 80 }), same6),
    'land',
    'land',
    ipv6(tcp({ source: 80 }), { ...same6, source: '2001:db8::a' }),
  ],
  [
    'a UDP packet to itself over IPv6',
    ipv6(udp({ source: 7, destination: 7 }), same6),
    'land',
    'land',
    ipv6(udp({ source: 7, destination: 8 }), same6),
  ],
  ['a TCP header that is cut short', ipv4(part(tcp(), 13)), 'tcp header', 'headers', ipv4(tcp())],
  [
    'a TCP header of 16 bytes',
    ipv4(tcp({ dataOffset: 4 })),
    'tcp header',
    'headers',
    ipv4(tcp({ dataOffset: 5 })),
  ],
  [
    'TCP options beyond the packet',
    ipv4(tcp({ dataOffset: 6 })),
    'tcp header',
    'headers',
    ipv4(tcp({ optionBytes: 4 })),
  ],
  [
    'a TCP header in the padding',
    ipv4(tcp(), { totalLength: 33 }),
    'tcp header',
    'headers',
    ipv4(tcp(), { totalLength: 40 }),
  ],
  ['TCP over IPv6 that is cut short', ipv6(part(tcp(), 13)), 'tcp header', 'headers', ipv6(tcp())],
  ['no TCP flag', ipv4(flags()), 'tcp flags', 'tcp_flags', ipv4(flags('ack'))],
  [
    'no TCP flag but those of ECN',
    ipv4(flags('ece', 'cwr')),
    'tcp flags',
    'tcp_flags',
    ipv4(flags('syn', 'ece', 'cwr')),
  ],
  ['SYN with FIN', ipv4(flags('syn', 'fin')), 'tcp flags', 'tcp_flags', ipv4(flags('syn'))],
  [
    'SYN with FIN and ACK',
    ipv4(flags('syn', 'fin', 'ack')),
    'tcp flags',
    'tcp_flags',
    ipv4(flags('syn', 'ack')),
  ],
  ['SYN with RST', ipv4(flags('syn', 'rst')), 'tcp flags', 'tcp_flags', ipv4(flags('rst'))],
  ['FIN without ACK', ipv4(flags('fin')), 'tcp flags', 'tcp_flags', ipv4(flags('fin', 'ack'))],
  [
    'FIN, PSH and URG',
    ipv4(flags('fin', 'psh', 'urg')),
    'tcp flags',
    'tcp_flags',
    ipv4(flags('fin', 'psh', 'urg', 'ack')),
  ],
  [
    'all TCP flags, over IPv6',
    ipv6(tcp({ flags: 0xff })),
    'tcp flags',
    'tcp_flags',
    ipv6(flags('rst', 'ack')),
  ],
  [
    'a UDP header that is cut short',
    ipv4(part(udp(), 7)),
    'udp length',
    'headers',
    ipv4(udp({}, Buffer.alloc(0))),
  ],
  ['a UDP length of 7', ipv4(udp({ length: 7 })), 'udp length', 'headers', ipv4(udp({ length: 8 }))],
  [
    'a UDP length beyond the packet',
    ipv4(udp({ length: 17 })),
    'udp length',
    'headers',
    ipv4(udp({ length: 16 })),
  ],
  [
    'a UDP length of 0 over IPv6',
    ipv6(udp({ length: 0 })),
    'udp length',
    'headers',
    ipv6(udp({ length: 0 }), { payloadLength: 0, extensions: [extension(PROTOCOL.hopByHop)] }),
  ],
  ['UDP over IPv6 that is cut short', ipv6(part(udp(), 4)), 'udp length', 'headers', ipv6(udp())],
  ['TCP to port 0', ipv4(tcp({ destination: 0 })), 'port zero', 'ports', ipv4(tcp({ destination: 1 }))],
  ['TCP from port 0', ipv6(tcp({ source: 0 })), 'port zero', 'ports', ipv6(tcp({ source: 1 }))],
  ['UDP to port 0', ipv6(udp({ destination: 0 })), 'port zero', 'ports', ipv6(udp({ destination: 65535 }))],
  ['UDP from port 0', ipv4(udp({ source: 0 })), 'port zero', 'udp_source_port', ipv4(udp({ source: 65535 }))],
]

const FRAGMENTS: Case[] = [
  [
    'a tiny first fragment of TCP',
    ipv4(part(tcp(), 8), { moreFragments: true }),
    'fragment',
    'fragments',
    ipv4(part(tcp(), 16), { moreFragments: true }),
  ],
  [
    'a tiny first fragment of TCP over IPv6',
    fragment6(part(tcp(), 8), 0, true),
    'fragment',
    'fragments',
    fragment6(part(tcp(), 16), 0, true),
  ],
  [
    'a TCP fragment over the flags',
    ipv4(bytes(16, PROTOCOL.tcp), { fragmentOffset: 1 }),
    'fragment',
    'fragments',
    ipv4(bytes(16, PROTOCOL.tcp), { fragmentOffset: 2 }),
  ],
  [
    'a TCP fragment over the flags over IPv6',
    fragment6(bytes(16, PROTOCOL.tcp), 1, false),
    'fragment',
    'fragments',
    fragment6(bytes(16, PROTOCOL.udp), 1, false),
  ],
  [
    'a fragment that leaves a gap',
    ipv4(bytes(17), { fragmentOffset: 8, moreFragments: true }),
    'fragment',
    'fragments',
    ipv4(bytes(17), { fragmentOffset: 8 }),
  ],
  [
    'a fragment that leaves a gap over IPv6',
    fragment6(bytes(20), 8, true),
    'fragment',
    'fragments',
    fragment6(bytes(24), 8, true),
  ],
  [
    'a fragment of nothing',
    ipv4(bytes(0), { fragmentOffset: 8 }),
    'fragment',
    'fragments',
    ipv4(bytes(1), { fragmentOffset: 8 }),
  ],
  [
    'a fragment past 65535',
    ipv4(bytes(8), { fragmentOffset: 8191 }),
    'fragment',
    'fragments',
    ipv4(bytes(7), { fragmentOffset: 8191 }),
  ],
  [
    'an ICMP fragment past 65535 over IPv6',
    fragment6(bytes(8, PROTOCOL.icmpv6), 8191, false),
    'fragment',
    'fragments',
    fragment6(bytes(7, PROTOCOL.icmpv6), 8191, false),
  ],
]

/** What must always pass, however strange it looks. */
const LEGITIMATE: [string, Buffer][] = [
  ['ARP', ethernet(arp(), { padTo: 60 })],
  ['LLDP', ethernet({ type: 0x88cc, bytes: Buffer.alloc(46) })],
  ['a frame of nothing but its header', ethernet({ type: 0x1234, bytes: Buffer.alloc(0) })],
  ['a VLAN tag that is cut short', ethernet({ type: ETHERTYPE.vlan, bytes: Buffer.alloc(2) })],
  [
    'a broken packet behind three VLAN tags',
    ethernet(ipv4(udp(), { ihl: 4 }), { tags: Array(3).fill(ETHERTYPE.vlan) }),
  ],
  ['padding behind a short packet', ethernet(ipv4(tcp()), { padTo: 60 })],
  ['padding behind a short packet over IPv6', ethernet(ipv6(udp({}, Buffer.alloc(0))), { padTo: 80 })],
  ['ICMP', ethernet(ipv4(icmp()))],
  ['ICMP in fragments', ethernet(ipv4(bytes(1480, PROTOCOL.icmp), { moreFragments: true }))],
  ['ICMP to the broadcast address', ethernet(ipv4(icmp(), { destination: BROADCAST }))],
  ['IPv4 to a multicast group', ethernet(ipv4(udp(), { destination: '224.0.0.251' }))],
  [
    'the first fragment of a large UDP datagram',
    ethernet(ipv4(udp({ length: 4000 }, Buffer.alloc(1472)), { moreFragments: true })),
  ],
  [
    'a middle fragment that looks like a bad UDP header',
    ethernet(ipv4(bytes(1480), { moreFragments: true, fragmentOffset: 185 })),
  ],
  ['an atomic fragment', ethernet(fragment6(udp(), 0, false))],
  [
    'the first fragment of a large UDP datagram over IPv6',
    ethernet(fragment6(udp({ length: 4000 }, Buffer.alloc(1224)), 0, true)),
  ],
  [
    'a first fragment that ends among the TCP options',
    ethernet(ipv4(part(tcp({ optionBytes: 20 }), 24), { moreFragments: true })),
  ],
  ['duplicate address detection', ethernet(from6('::', { destination: 'ff02::1:ff00:1' }, icmpv6(135)))],
  [
    'an MLD report behind a hop-by-hop header from ::',
    ethernet(
      from6('::', { destination: 'ff02::16', extensions: [extension(PROTOCOL.hopByHop)] }, icmpv6(143)),
    ),
  ],
  [
    'an MLD query from ::',
    ethernet(
      from6('::', { destination: 'ff02::1', extensions: [extension(PROTOCOL.hopByHop)] }, icmpv6(130)),
    ),
  ],
  [
    'a neighbour solicitation',
    ethernet(ipv6(icmpv6(135), { source: 'fe80::1', destination: 'ff02::1:ff00:1' })),
  ],
  ['bytes behind a UDP datagram', ethernet(ipv4(udp({ length: 12 }, Buffer.alloc(20))))],
  ['GRE', ethernet(ipv4(bytes(24, PROTOCOL.gre)))],
  ['no next header', ethernet(ipv6(bytes(0, PROTOCOL.none)))],
  [
    'nine extension headers before a bad TCP header',
    ethernet(
      ipv6(tcp({ flags: 0 }), {
        extensions: Array.from({ length: 9 }, () => extension(PROTOCOL.destinationOptions)),
      }),
    ),
  ],
]

describeAsRoot('hookline/scrub', () => {
  let built: ReturnType<typeof buildStarter>
  let all: ReturnType<typeof loadStarter>
  const without = new Map<Switch, ReturnType<typeof loadStarter>>()
  beforeAll(() => {
    built = buildStarter('scrub')
    all = loadStarter(built)
    for (const name of SWITCHES) without.set(name, loadStarter(built, { [name]: false }))
  })
  afterAll(() => {
    all[Symbol.dispose]()
    for (const program of without.values()) program[Symbol.dispose]()
    built.remove()
  })

  /** What a frame adds to the counters, by reason, with the verdict. */
  function scrubbed(program: ReturnType<typeof loadStarter>, frame: Buffer) {
    const before = program.counters('scrub_drops')
    const verdict = program.run(frame)
    const counted = program.counters('scrub_drops').map((count, slot) => count - (before[slot] ?? 0))
    const reasons = REASONS.flatMap((reason, slot) => Array<Reason>(counted[slot] ?? 0).fill(reason))
    return { verdict, reasons }
  }

  const cases = [...IPV4, ...IPV6, ...TRANSPORT, ...FRAGMENTS]
  test.each(cases)('drops %s, counts why, and lets its twin pass', (_, bad, reason, _by, twin) => {
    expect(scrubbed(all, ethernet(bad))).toEqual({ verdict: 'drop', reasons: [reason] })
    expect(scrubbed(all, ethernet(twin))).toEqual({ verdict: 'pass', reasons: [] })
  })

  test.each(cases)('lets %s pass when that is switched off, and only then', (_, bad, reason, by) => {
    for (const name of SWITCHES) {
      const program = without.get(name)
      if (program === undefined) throw new Error(`no program without ${name}`)
      const expected = name === by ? { verdict: 'pass', reasons: [] } : { verdict: 'drop', reasons: [reason] }
      expect([name, scrubbed(program, ethernet(bad))]).toEqual([name, expected])
    }
  })

  test.each([
    ['one VLAN tag', [ETHERTYPE.vlan]],
    ['two VLAN tags', [ETHERTYPE.providerVlan, ETHERTYPE.vlan]],
  ])('finds the packet behind %s', (_, tags) => {
    for (const [, bad, reason, , twin] of cases) {
      expect(scrubbed(all, ethernet(bad, { tags }))).toEqual({ verdict: 'drop', reasons: [reason] })
      expect(scrubbed(all, ethernet(twin, { tags })).verdict).toBe('pass')
    }
  })

  test.each(LEGITIMATE)('lets %s pass', (_, frame) => {
    expect(scrubbed(all, frame)).toEqual({ verdict: 'pass', reasons: [] })
  })

  test('has a case for every reason and every switch', () => {
    expect(new Set(cases.map(([, , reason]) => reason))).toEqual(new Set(REASONS))
    expect(new Set(cases.map(([, , , by]) => by))).toEqual(new Set(SWITCHES))
    expect(all.counters('scrub_drops')).toHaveLength(REASONS.length)
    expect(built.manifest.config.map((item) => item.name)).toEqual([...SWITCHES])
  })
})
