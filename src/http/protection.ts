import { isIPv6 } from 'node:net'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

/** Requests a minute, each counted for whoever makes them: a node, an account, else an address. */
export interface Rates {
  readonly anonymous: number
  readonly reads: number
  readonly writes: number
  readonly publishes: number
  readonly nodes: number
  /** Requests whose credentials are refused, of one address. */
  readonly refusals: number
}

/** How much a registry puts up with. */
export interface Protection {
  /** Undefined: as much as anybody asks. */
  readonly rates: Rates | undefined
  /** When requests wait for so long for the process, those of nobody in particular are sent away; undefined: never. */
  readonly loop_delay_ms: number | undefined
}

/** What is usual. */
export const PROTECTION: Protection = {
  rates: {
    ...{ anonymous: LIMITS.rate_anonymous, reads: LIMITS.rate_reads, writes: LIMITS.rate_writes },
    ...{ publishes: LIMITS.rate_publishes, nodes: LIMITS.rate_nodes, refusals: LIMITS.rate_refusals },
  },
  loop_delay_ms: LIMITS.loop_delay_ms,
}

/** The same for a process that does other work as well, such as a test: when it is late, that says nothing. */
export const PATIENT: Protection = { ...PROTECTION, loop_delay_ms: undefined }

/** Called for a request whose credentials were refused; throws `rate_limited` when there were too many. */
export type CountRefusal = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** What keeps a server within its means: headers for browsers, rates, and the order in which it sends requests away. */
export interface Guards {
  readonly countRefusal: CountRefusal
  /** Adds the hook that counts requests; after the one that finds out who makes them. */
  countRequests(): void
}

/**
 * Prepares the guards. Rates are counted by each registry process for itself. A node's question what it is to run is never
 * sent away for load. Refuses with `rate_limited` and `overloaded`, each with `Retry-After` (RFC 9110 section 10.2.3).
 */
export async function guard(app: FastifyInstance, { rates, loop_delay_ms }: Protection): Promise<Guards> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    referrerPolicy: { policy: 'no-referrer' },
    // TLS ends at a proxy, which knows whether everything below its name has it
    strictTransportSecurity: false,
  })
  if (loop_delay_ms !== undefined) await shedLoad(app, loop_delay_ms)
  await app.register(rateLimit, { global: false })
  if (rates === undefined) return { countRefusal: async () => {}, countRequests: () => {} }
  const limiter = (max: number, keyGenerator: (request: FastifyRequest) => string) => {
    const count = app.createRateLimit({ max, timeWindow: LIMITS.rate_window_ms, keyGenerator })
    return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const counted = await count(request)
      if (counted.isAllowed) return
      const reset_s = Math.max(1, counted.ttlInSeconds)
      reply.headers({
        'ratelimit-limit': max,
        'ratelimit-remaining': counted.remaining,
        'ratelimit-reset': reset_s,
      })
      if (!counted.isExceeded) return
      reply.header('retry-after', reset_s)
      throw new DomainError('rate_limited', `more than ${max} requests in a minute; again in ${reset_s} s`)
    }
  }
  const classes = {
    anonymous: limiter(rates.anonymous, (request) => `anonymous ${network(request.ip)}`),
    reads: limiter(rates.reads, actorKey),
    writes: limiter(rates.writes, actorKey),
    publishes: limiter(rates.publishes, actorKey),
    nodes: limiter(rates.nodes, actorKey),
  }
  return {
    countRefusal: limiter(rates.refusals, (request) => `refused ${network(request.ip)}`),
    countRequests: () =>
      void app.addHook('onRequest', (request, reply) => classes[classOf(request)](request, reply)),
  }
}

/** Sends requests that bring no credentials away while the process is late. */
async function shedLoad(app: FastifyInstance, loop_delay_ms: number): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: loop_delay_ms,
    sampleInterval: LIMITS.loop_sample_ms,
    pressureHandler: async (request, reply) => {
      if (!isAnonymous(request)) return
      reply.header('retry-after', LIMITS.overload_retry_s)
      throw new DomainError('overloaded', 'the registry has more to do than it can')
    },
  })
}

function classOf({ actor, method, routeOptions }: FastifyRequest): Exclude<keyof Rates, 'refusals'> {
  if (actor.kind === 'anonymous') return 'anonymous'
  if (actor.kind === 'node') return 'nodes'
  if (routeOptions.config.access === 'publish') return 'publishes'
  return method === 'GET' || method === 'HEAD' ? 'reads' : 'writes'
}

const actorKey = ({ actor, ip }: FastifyRequest): string => {
  if (actor.kind === 'token') return `account ${actor.account.id}`
  // a node is only claimed at this point: nobody elsewhere uses up what is its own
  return `${actor.kind === 'node' ? `node ${actor.id} at` : 'address'} ${network(ip)}`
}

/** Whoever has one IPv6 address has 2^64 of them: they count as one. IPv4 addresses in IPv6 form count as what they are. */
export function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : [])
  const [front, back] = [groups(head), groups(tail)]
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0')
  return [...front, ...zeros, ...back]
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')
}

/** A request that brings no credentials at all. */
const isAnonymous = ({ headers, method }: FastifyRequest): boolean =>
  headers.authorization === undefined && !('signature' in headers) && (method === 'GET' || method === 'HEAD')
