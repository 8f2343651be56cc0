import { Fd } from './fd.ts'
import { KernelError, openRouteSocket, receiveMessage, sendMessage } from './libc.ts'

/** linux/netlink.h: message types and flags; struct nlmsghdr {len u32, type u16, flags u16, seq u32, pid u32}. */
const [NLMSG_ERROR, NLMSG_DONE] = [2, 3] as const
const [NLM_F_REQUEST, NLM_F_DUMP] = [1, 0x300] as const
const MESSAGE_HEADER_BYTES = 16
/** linux/rtnetlink.h: struct rtmsg, 12 bytes, dst_len at 1 and type at 7; attributes {len u16, type u16}; rtnexthop, 8. */
const [RTM_NEWROUTE, RTM_GETROUTE] = [24, 26] as const
const ROUTE_BYTES = 12
const RTN_UNICAST = 1
const [RTA_OIF, RTA_MULTIPATH] = [4, 9] as const
const ATTRIBUTE_HEADER_BYTES = 4
/** The kernel fills at most 32 KiB of a dump at a time (NLMSG_GOODSIZE and netlink_dump, net/netlink). */
const ANSWER_BYTES = 64 << 10

/**
 * Indexes of the interfaces that a default route of the thread's network namespace leaves through: IPv4 and IPv6, of
 * any routing table, with every next hop of a route that has several. Routes that refuse are none. Throws KernelError.
 */
export function defaultRouteIndexes(): Set<number> {
  const found = new Set<number>()
  using socket = new Fd(openRouteSocket())
  const request = Buffer.alloc(MESSAGE_HEADER_BYTES + ROUTE_BYTES) // family 0: all
  request.writeUInt32LE(request.length, 0)
  request.writeUInt16LE(RTM_GETROUTE, 4)
  request.writeUInt16LE(NLM_F_REQUEST | NLM_F_DUMP, 6)
  sendMessage(socket.number, request)
  const buffer = Buffer.alloc(ANSWER_BYTES)
  for (;;)
    for (const { type, body } of messagesOf(receiveMessage(socket.number, buffer))) {
      if (type === NLMSG_DONE) return found
      if (type === NLMSG_ERROR) throw new KernelError('list routes', -body.readInt32LE(0))
      if (type === RTM_NEWROUTE) for (const index of leavesThrough(body)) found.add(index)
    }
}

function* messagesOf(answer: Buffer): Generator<{ type: number; body: Buffer }> {
  for (let at = 0; at + MESSAGE_HEADER_BYTES <= answer.length; ) {
    const bytes = Math.max(answer.readUInt32LE(at), MESSAGE_HEADER_BYTES)
    yield { type: answer.readUInt16LE(at + 4), body: answer.subarray(at + MESSAGE_HEADER_BYTES, at + bytes) }
    at += aligned(bytes)
  }
}

/** The interfaces of one route message, none when it leads to somewhere or refuses. */
function* leavesThrough(route: Buffer): Generator<number> {
  const [destinationBits, type] = [route.readUInt8(1), route.readUInt8(7)]
  if (destinationBits !== 0 || type !== RTN_UNICAST) return
  for (let at = ROUTE_BYTES; at + ATTRIBUTE_HEADER_BYTES <= route.length; ) {
    const bytes = Math.max(route.readUInt16LE(at), ATTRIBUTE_HEADER_BYTES)
    const value = route.subarray(at + ATTRIBUTE_HEADER_BYTES, at + bytes)
    const attribute = route.readUInt16LE(at + 2)
    if (attribute === RTA_OIF) yield value.readInt32LE(0)
    if (attribute === RTA_MULTIPATH) yield* nextHops(value)
    at += aligned(bytes)
  }
}

/** struct rtnexthop {len u16, flags u8, hops u8, ifindex i32} and its attributes, one behind the other. */
function* nextHops(hops: Buffer): Generator<number> {
  const HOP_BYTES = 8
  for (let at = 0; at + HOP_BYTES <= hops.length; ) {
    yield hops.readInt32LE(at + 4)
    at += aligned(Math.max(hops.readUInt16LE(at), HOP_BYTES))
  }
}

/** Messages, attributes and next hops start at multiples of 4 bytes. */
const aligned = (bytes: number): number => (bytes + 3) & ~3
