import { isIPv4, isIPv6 } from 'node:net'

/** An address prefix: 4 or 16 bytes in network order, and how many leading bits of them count. */
export interface Prefix {
  readonly bytes: Buffer
  readonly bits: number
}

/** The 4 bytes of an IPv4 address in dotted decimal, or the 16 of an IPv6 address (RFC 4291, 2.2) without a zone; else undefined. */
export function addressBytes(text: string): Buffer | undefined {
  if (isIPv4(text)) return ipv4Bytes(text)
  return isIPv6(text) && !text.includes('%') ? ipv6Bytes(text) : undefined
}

function ipv4Bytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  for (const [at, part] of text.split('.').entries()) bytes[at] = Number(part)
  return bytes
}

/** `text` is known to be an IPv6 address: at most one `::`, and IPv4 only at its end. */
function ipv6Bytes(text: string): Buffer {
  const dotted = /[0-9.]+\.[0-9.]+$/.exec(text)?.[0]
  const plain = dotted === undefined ? text : text.slice(0, -dotted.length) + hexPair(dotted)
  const [head = '', tail] = plain.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [front, back] = [groups(head), groups(tail ?? '')]
  const bytes = Buffer.alloc(16)
  for (const [at, group] of front.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2)
  for (const [at, group] of back.entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), 16 - (back.length - at) * 2)
  return bytes
}

/** `1.2.3.4` as `102:304`. */
function hexPair(dotted: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number)
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

/** The IPv4 address in 4 bytes as the IPv6 address that stands for it, `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2). */
export const mappedAddress = (ipv4: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), ipv4])

/** An address with `/bits` behind it, or all of its bits without; undefined for anything else (RFC 4632, 3.1; RFC 4291, 2.3). */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const bytes = addressBytes(slash < 0 ? text : text.slice(0, slash))
  if (bytes === undefined) return undefined
  const most = bytes.length * 8
  if (slash < 0) return { bytes, bits: most }
  const digits = text.slice(slash + 1)
  const bits = /^(0|[1-9][0-9]{0,2})$/.test(digits) ? Number(digits) : most + 1
  return bits <= most ? { bytes, bits } : undefined
}

/** Whether bits behind those that count are set: `10.0.0.1/8` says two things. */
export function hasHostBits({ bytes, bits }: Prefix): boolean {
  const whole = bits >> 3
  const rest = bytes.readUInt8(Math.min(whole, bytes.length - 1)) & (0xff >> (bits & 7))
  return whole < bytes.length && (rest !== 0 || bytes.subarray(whole + 1).some((byte) => byte !== 0))
}
