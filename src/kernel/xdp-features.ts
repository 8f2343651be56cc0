import { cString } from './bpf-attr.ts'
import { Fd } from './fd.ts'
import { receiveMessage, sendMessage } from './libc.ts'
import { openGenericSocket } from './probe-calls.ts'

/** struct nlmsghdr {len u32, type u16, flags u16, seq u32, pid u32} and struct genlmsghdr {command u8, version u8, u16}. */
const [MESSAGE_HEADER_BYTES, GENERIC_HEADER_BYTES, ATTRIBUTE_HEADER_BYTES] = [16, 4, 4] as const
const [NLMSG_ERROR, NLM_F_REQUEST] = [2, 1] as const
/** linux/genetlink.h: the family that knows the others. */
const [GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME] = [16, 3, 1, 2] as const
/** linux/netdev.h (Documentation/netlink/specs/netdev.yaml), Linux 6.3. */
const [NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, NETDEV_A_DEV_XDP_FEATURES] = [1, 1, 3] as const
const NETDEV_XDP_ACT_BASIC = 1n
const ANSWER_BYTES = 64 << 10

/** Whether drivers of the thread's network namespace say that they run XDP themselves; `unknown` where the kernel does not tell. */
export type NativeXdp = 'yes' | 'no' | 'unknown'

/** Asks about each interface, by its index. A driver that says yes may still refuse, such as for a large MTU. Throws KernelError. */
export function nativeXdp(ifindexes: readonly number[]): Map<number, NativeXdp> {
  using socket = new Fd(openGenericSocket())
  const family = ask(socket, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, cString('netdev'))?.get(
    CTRL_ATTR_FAMILY_ID,
  )
  return new Map(
    ifindexes.map((ifindex) => [
      ifindex,
      family === undefined ? 'unknown' : nativeXdpOf(socket, family.readUInt16LE(0), ifindex),
    ]),
  )
}

function nativeXdpOf(socket: Fd, family: number, ifindex: number): NativeXdp {
  const index = Buffer.alloc(4)
  index.writeUInt32LE(ifindex)
  const features = ask(socket, family, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, index)?.get(
    NETDEV_A_DEV_XDP_FEATURES,
  )
  if (features === undefined) return 'unknown'
  return (features.readBigUInt64LE(0) & NETDEV_XDP_ACT_BASIC) === 0n ? 'no' : 'yes'
}

/** One question with one attribute, and the attributes of its answer by their types; undefined when it is refused. */
function ask(
  socket: Fd,
  family: number,
  command: number,
  attribute: number,
  value: Buffer,
): Map<number, Buffer> | undefined {
  const attributeAt = MESSAGE_HEADER_BYTES + GENERIC_HEADER_BYTES
  const request = Buffer.alloc(attributeAt + ATTRIBUTE_HEADER_BYTES + aligned(value.length))
  request.writeUInt32LE(request.length, 0)
  request.writeUInt16LE(family, 4)
  request.writeUInt16LE(NLM_F_REQUEST, 6)
  request.writeUInt8(command, MESSAGE_HEADER_BYTES)
  request.writeUInt8(1, MESSAGE_HEADER_BYTES + 1)
  request.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + value.length, attributeAt)
  request.writeUInt16LE(attribute, attributeAt + 2)
  value.copy(request, attributeAt + ATTRIBUTE_HEADER_BYTES)
  sendMessage(socket.number, request)
  const answer = receiveMessage(socket.number, Buffer.alloc(ANSWER_BYTES))
  if (answer.readUInt16LE(4) === NLMSG_ERROR) return undefined
  return attributesOf(answer.subarray(attributeAt, answer.readUInt32LE(0)))
}

/** Attributes {len u16, type u16, value}, one behind the other (linux/netlink.h). */
function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = 0; at + ATTRIBUTE_HEADER_BYTES <= bytes.length; ) {
    const length = Math.max(bytes.readUInt16LE(at), ATTRIBUTE_HEADER_BYTES)
    found.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length))
    at += aligned(length)
  }
  return found
}

/** Messages and attributes start at multiples of 4 bytes. */
const aligned = (bytes: number): number => (bytes + 3) & ~3
