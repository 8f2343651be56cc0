import { createHmac, randomBytes } from 'node:crypto'
import { asDomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { DeliveryResult, DueDelivery, Webhooks } from '../ports/webhooks.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { takeTurns } from './turns.ts'

/** A new secret of a webhook, and its text (Standard Webhooks, symmetric signatures). */
export function newWebhookSecret(): { secret: Buffer; text: string } {
  const secret = randomBytes(32)
  return { secret, text: `whsec_${secret.toString('base64')}` }
}

/** The signature of a delivery: over its id, the time (Unix seconds) and its body (Standard Webhooks, HMAC-SHA256). */
const webhookSignature = (secret: Buffer, id: string, time_s: number, body: string): string =>
  `v1,${createHmac('sha256', secret).update(`${id}.${time_s}.${body}`).digest('base64')}`

/** What delivers: one in every registry process, each delivery by one of them. */
export interface WebhookWorker {
  /** Delivers all that is due, once; gives how many were tried. */
  run(): Promise<number>
  /** Ends: what is under way is waited for. */
  close(): Promise<void>
}

/**
 * Tells webhooks of changes, from now on. A delivery that fails is tried again after the pauses of
 * LIMITS.webhook_pauses_s, spread by a fifth, and then given up; a webhook that fails for days is disabled. `report` is told
 * of failures of its own.
 */
export function startWebhookWorker(
  webhooks: Webhooks,
  clock: Clock,
  { allowPrivate, report }: { allowPrivate: boolean; report: (error: unknown) => void },
): WebhookWorker {
  const run = async (): Promise<number> => {
    const now = clock()
    const lease = new Date(now.getTime() + LIMITS.webhook_lease_ms)
    const due = await webhooks.claim(now, lease, LIMITS.webhook_batch)
    await Promise.all(
      due.map(async (delivery) => {
        const result = await deliver(delivery, clock, allowPrivate)
        const at = clock()
        const hopeless = new Date(at.getTime() - LIMITS.webhook_hope_s * 1000)
        await webhooks.settle(delivery, result, at, hopeless)
      }),
    )
    return due.length
  }
  let pruned = 0
  const turns = takeTurns(
    LIMITS.webhook_poll_ms,
    async () => {
      let tried: number
      do tried = await run()
      while (tried > 0 && !turns.closed)
      const now = clock().getTime()
      if (now - pruned > LIMITS.webhook_prune_ms) {
        pruned = now
        await webhooks.prune(new Date(now - LIMITS.webhook_kept_s * 1000))
      }
    },
    report,
  )
  return { run, close: turns.close }
}

async function deliver(
  { id, url, secret, body, attempts }: DueDelivery,
  clock: Clock,
  allowPrivate: boolean,
): Promise<DeliveryResult> {
  const start = clock().getTime()
  const time_s = Math.floor(start / 1000)
  const retryAt = nextTry(attempts, start)
  try {
    const { status, body: answer } = await guardedFetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'Hookline',
        'webhook-id': id,
        'webhook-timestamp': String(time_s),
        'webhook-signature': webhookSignature(secret, id, time_s, body),
      },
      body,
      ...{ timeout_ms: LIMITS.webhook_timeout_ms, mostBytes: LIMITS.webhook_answer_bytes, allowPrivate },
    })
    const delivered = status >= 200 && status < 300
    return {
      ...{ status, durationMs: clock().getTime() - start, delivered },
      answer: answer.toString('utf8').replaceAll('\0', ' '),
      retryAt: delivered ? undefined : retryAt,
    }
  } catch (thrown) {
    const { code, message } = asDomainError(thrown)
    const durationMs = clock().getTime() - start
    // what is not allowed now will not be later
    const again = code === 'address_not_allowed' ? undefined : retryAt
    return { problem: `${message} [${code}]`, durationMs, delivered: false, retryAt: again }
  }
}

/** When a delivery is tried again that was tried so often; undefined when it is given up. */
function nextTry(attempts: number, now_ms: number): Date | undefined {
  const pause_s = LIMITS.webhook_pauses_s[attempts - 1]
  return pause_s === undefined ? undefined : new Date(now_ms + pause_s * 1000 * (0.9 + Math.random() / 5))
}
