import { aligned, askAll, attributesOf } from './netlink.ts'

/** linux/rtnetlink.h: struct rtmsg, 12 bytes, dst_len at 1 and type at 7. */
const [RTM_NEWROUTE, RTM_GETROUTE] = [24, 26] as const
const ROUTE_BYTES = 12
const RTN_UNICAST = 1
const [RTA_OIF, RTA_MULTIPATH] = [4, 9] as const

/**
 * Indexes of the interfaces that a default route of the thread's network namespace leaves through: IPv4 and IPv6, of
 * any routing table, with every next hop of a route that has several. Routes that refuse are none. Throws KernelError.
 */
export function defaultRouteIndexes(): Set<number> {
  const found = new Set<number>()
  const everyFamily = Buffer.alloc(ROUTE_BYTES)
  for (const { type, body } of askAll('list routes', RTM_GETROUTE, everyFamily))
    if (type === RTM_NEWROUTE) for (const index of leavesThrough(body)) found.add(index)
  return found
}

/** The interfaces of one route message, none when it leads to somewhere or refuses. */
function* leavesThrough(route: Buffer): Generator<number> {
  const [destinationBits, routeType] = [route.readUInt8(1), route.readUInt8(7)]
  if (destinationBits !== 0 || routeType !== RTN_UNICAST) return
  for (const { type, value } of attributesOf(route, ROUTE_BYTES)) {
    if (type === RTA_OIF) yield value.readInt32LE(0)
    if (type === RTA_MULTIPATH) yield* nextHops(value)
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
