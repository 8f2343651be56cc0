import { Fd } from './fd.ts'
import { KernelError, openRouteSocket, receiveMessage, sendMessage } from './libc.ts'

/** linux/netlink.h: message types and flags; struct nlmsghdr {len u32, type u16, flags u16, seq u32, pid u32}. */
const [NLMSG_ERROR, NLMSG_DONE] = [2, 3] as const
const [NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP] = [1, 4, 0x300] as const
const MESSAGE_HEADER_BYTES = 16
/** struct nlattr {len u16, type u16}; the two highest bits of the type are flags (NLA_TYPE_MASK). */
const ATTRIBUTE_HEADER_BYTES = 4
const ATTRIBUTE_TYPE_MASK = 0x3fff
/** The kernel fills at most 32 KiB of a dump at a time (NLMSG_GOODSIZE and netlink_dump, net/netlink). */
const ANSWER_BYTES = 64 << 10

/** A message of rtnetlink(7): its type, and what follows the header. */
export interface Message {
  readonly type: number
  readonly body: Buffer
}

/**
 * Asks rtnetlink in the thread's network namespace for one thing, and gives the answer's body: empty when the kernel is
 * content and says nothing. Throws KernelError, `what` in front.
 */
export function ask(what: string, type: number, body: Buffer): Buffer {
  using socket = new Fd(openRouteSocket())
  sendMessage(socket.number, message(type, NLM_F_REQUEST | NLM_F_ACK, body))
  let found: Buffer = Buffer.alloc(0)
  for (;;)
    for (const answer of messagesOf(receiveMessage(socket.number, Buffer.alloc(ANSWER_BYTES)))) {
      if (answer.type !== NLMSG_ERROR) {
        found = answer.body
        continue
      }
      const errno = -answer.body.readInt32LE(0) // 0: the acknowledgement, which comes last
      if (errno > 0) throw new KernelError(what, errno)
      return found
    }
}

/** Asks rtnetlink in the thread's network namespace for a list. Throws KernelError, `what` in front. */
export function askAll(what: string, type: number, body: Buffer): Message[] {
  using socket = new Fd(openRouteSocket())
  sendMessage(socket.number, message(type, NLM_F_REQUEST | NLM_F_DUMP, body))
  const found: Message[] = []
  for (;;)
    for (const answer of messagesOf(receiveMessage(socket.number, Buffer.alloc(ANSWER_BYTES)))) {
      const ends = answer.type === NLMSG_DONE || answer.type === NLMSG_ERROR
      // both begin with 0 or a negated errno
      const status = ends && answer.body.length >= 4 ? answer.body.readInt32LE(0) : 0
      if (status < 0) throw new KernelError(what, -status)
      if (ends) return found
      found.push(answer)
    }
}

function message(type: number, flags: number, body: Buffer): Buffer {
  const header = Buffer.alloc(MESSAGE_HEADER_BYTES)
  header.writeUInt32LE(MESSAGE_HEADER_BYTES + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(flags, 6)
  return Buffer.concat([header, body])
}

function* messagesOf(answer: Buffer): Generator<Message> {
  for (let at = 0; at + MESSAGE_HEADER_BYTES <= answer.length; ) {
    const bytes = Math.max(answer.readUInt32LE(at), MESSAGE_HEADER_BYTES)
    yield { type: answer.readUInt16LE(at + 4), body: answer.subarray(at + MESSAGE_HEADER_BYTES, at + bytes) }
    at += aligned(bytes)
  }
}

/** The attributes in `buffer`, one behind the other; those of a message follow its fixed part of `from` bytes. */
export function* attributesOf(buffer: Buffer, from = 0): Generator<{ type: number; value: Buffer }> {
  for (let at = from; at + ATTRIBUTE_HEADER_BYTES <= buffer.length; ) {
    const bytes = Math.max(buffer.readUInt16LE(at), ATTRIBUTE_HEADER_BYTES)
    const type = buffer.readUInt16LE(at + 2) & ATTRIBUTE_TYPE_MASK
    yield { type, value: buffer.subarray(at + ATTRIBUTE_HEADER_BYTES, at + bytes) }
    at += aligned(bytes)
  }
}

/** The value of the first attribute of a type, empty when there is none. */
export function attribute(type: number, buffer: Buffer, from = 0): Buffer {
  for (const found of attributesOf(buffer, from)) if (found.type === type) return found.value
  return Buffer.alloc(0)
}

/** Messages, attributes and next hops start at multiples of 4 bytes. */
export const aligned = (bytes: number): number => (bytes + 3) & ~3
