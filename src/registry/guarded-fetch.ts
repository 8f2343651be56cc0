import { lookup } from 'node:dns'
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { DomainError } from '../domain/errors.ts'

/** An answer of somebody else's server: its status and the beginning of its body. */
export interface GuardedAnswer {
  readonly status: number
  readonly body: Buffer
}

/** A request to an address that a user named. */
interface GuardedRequest {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** For all of it: name, connection, answer. */
  readonly timeout_ms: number
  /** Of the body; what is behind is not read. */
  readonly mostBytes: number
  /** Whether addresses that are not of the internet may be asked, and http. */
  readonly allowPrivate: boolean
}

/** Everything that is not an address of some host on the internet (IANA special-purpose address registries, RFC 6890). */
const SPECIAL = new BlockList()
for (const [net, bits] of [
  ...([
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
  ] as const),
  ...([
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
  ] as const),
  ...([
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
  ] as const),
  ...([
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ] as const),
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv4')
/** Of IPv6 only global unicast is of the internet, without its parts for documentation, benchmarks and tunnels. */
const GLOBAL6 = new BlockList()
GLOBAL6.addSubnet('2000::', 3, 'ipv6')
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv6')

/** Whether an address is one of some host on the internet. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !SPECIAL.check(address, 'ipv4')
  // those that stand for IPv4 addresses (::ffff:0:0/96, 64:ff9b::/96) are outside of 2000::/3
  return isIP(address) === 6 && GLOBAL6.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6')
}

/**
 * Refuses an address that may not be asked, as far as its text says; what its name leads to is looked at when it is asked. Throws
 * `address_not_allowed`.
 */
export function requireAllowedAddress({ protocol, hostname, host: place }: URL, allowPrivate: boolean): void {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (allowPrivate) return
  if (protocol !== 'https:')
    throw new DomainError('address_not_allowed', `${protocol}//${place} is not https`)
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw notAllowed(host)
}

/**
 * Asks an address that a user named. The name is resolved here and the connection is made to the very address that was
 * checked, so that no name leads to a private one, now or at the second look. Redirects are answers. Throws
 * `address_not_allowed`, `delivery_failed`.
 */
export async function guardedFetch(address: string, options: GuardedRequest): Promise<GuardedAnswer> {
  const url = new URL(address)
  requireAllowedAddress(url, options.allowPrivate)
  const open = url.protocol === 'https:' ? requestHttps : requestHttp
  const signal = AbortSignal.timeout(options.timeout_ms)
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      const why = signal.aborted ? `no answer within ${options.timeout_ms} ms` : cause.message
      reject(
        cause instanceof DomainError
          ? cause
          : new DomainError('delivery_failed', `${url.host}: ${why}`, { cause }),
      )
    }
    let request: ClientRequest
    try {
      request = open(url, {
        ...{ method: options.method, headers: options.headers, signal, agent: false },
        lookup: options.allowPrivate ? lookup : publicLookup,
      })
    } catch (cause) {
      return fail(cause instanceof Error ? cause : new Error(String(cause)))
    }
    request.on('error', fail)
    // after a 101 Node closes the connection and tells of nothing else
    request.on('upgrade', (_, socket) => {
      socket.destroy()
      fail(new Error('it answered by another protocol'))
    })
    request.on('response', (answer) => readSome(answer, options.mostBytes).then(resolve, fail))
    request.end(options.body)
  })
}

const notAllowed = (host: string, address = host): DomainError =>
  new DomainError(
    'address_not_allowed',
    `${host}${address === host ? '' : ` is ${address}, which`} is no address of the internet`,
  )

/** Resolves a name, to addresses of the internet only: one other among them and none is taken. */
const publicLookup: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, found) => {
    if (error !== null) return done(error, [])
    const other = found.find(({ address }) => !isPublicAddress(address))
    const [first] = found
    if (other !== undefined || first === undefined) return done(notAllowed(hostname, other?.address), [])
    if (options.all === true) return done(null, found)
    return done(null, first.address, first.family)
  })
}

async function readSome(answer: IncomingMessage, mostBytes: number): Promise<GuardedAnswer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of answer) {
    parts.push(part)
    size += part.length
    if (size >= mostBytes) break
  }
  answer.destroy()
  return { status: answer.statusCode ?? 0, body: Buffer.concat(parts).subarray(0, mostBytes) }
}
