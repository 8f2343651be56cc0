import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { DomainError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { type App, holderOf } from '../../http/route.ts'
import type { Services } from '../../http/services.ts'
import { isSecure, sessionOf } from '../../http/session-cookie.ts'
import { requireRight } from '../../registry/access.ts'
import { authenticate } from '../../registry/tokens.ts'
import { liveSeats } from './live-seats.ts'
import { openNodeWatch } from './node-watch.ts'

/**
 * `GET /nodes/:id/live`: a node's picture whenever it changed, as server-sent events (HTML Living Standard, section 9.2): `picture`
 * with markup, and `beat` with the time where nothing changed for a while. It ends when the server closes, the browser goes, or
 * whoever watches no longer may. Throws `not_found`, `rate_limited`, `overloaded`.
 */
export function nodeLive(app: App, services: Services, closing: AbortSignal): void {
  const seats = liveSeats()
  const watch = openNodeWatch(services.nodeDesk, services.clock)
  app.get<{ Params: { id: string } }>(
    '/nodes/:id/live',
    {
      ...{ config: { access: 'fleet-read', page: true }, schema: { hide: true } },
      // an event is sent when it happens, not when a block of compressed ones is full
      compress: false,
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      const leave = seats.take(holderOf(request).account.id)
      const ended = new AbortController()
      const pictures = watch.follow(request.params.id, AbortSignal.any([ended.signal, closing]))
      const check = setInterval(() => {
        stillMay(services, request).catch(() => ended.abort())
      }, LIMITS.live_check_ms)
      const end = (): void => {
        clearInterval(check)
        leave()
        ended.abort()
        // waits for a picture that is on its way, which the signal has just ended
        pictures.return().catch(() => {})
      }
      reply.raw.once('close', end)
      if (reply.raw.closed) end()
      const first = await pictures.next()
      return reply
        .header('cache-control', 'private, no-store')
        .header('x-accel-buffering', 'no')
        .type('text/event-stream; charset=utf-8')
        .send(Readable.from(events(first, pictures, services), { objectMode: false, highWaterMark: 1 }))
    },
  )
}

/** Whether who opened a stream would be let in again. Throws what refuses it. */
async function stillMay({ accounts, clock, publicUrl }: Services, request: FastifyRequest): Promise<void> {
  const session = sessionOf(request, isSecure(publicUrl))
  if (session === undefined) throw new DomainError('internal', 'a stream without a session')
  const actor = await authenticate(accounts, clock, session.secret, request.ip)
  requireRight(actor, 'fleet-read')
}

/** The text of a stream. A node that is forgotten meanwhile ends it. */
async function* events(
  first: IteratorResult<string | undefined, void>,
  pictures: AsyncGenerator<string | undefined, void>,
  { clock, report }: Pick<Services, 'clock' | 'report'>,
): AsyncGenerator<string> {
  yield `retry: ${LIMITS.live_retry_ms}\n\n`
  try {
    for (let next = first; next.done !== true; next = await pictures.next())
      yield next.value === undefined
        ? eventText('beat', clock().toISOString())
        : eventText('picture', next.value)
  } catch (thrown) {
    if (!(thrown instanceof DomainError && thrown.code === 'not_found')) report(thrown, 'following a node')
  }
}

/** One event; each line of its data is a field of its own. */
const eventText = (event: string, data: string): string =>
  `event: ${event}\n${data
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('')}\n`
