import { z } from 'zod'
import { LIMITS } from './limits.ts'

/** Which changes: an action of the audit such as release.publish, or with `*` at its end all that begin so. */
export const EventPattern = z
  .string()
  .regex(/^([a-z]+(\.[a-z]+)*(\.\*)?|\*)$/, 'such as release.publish, release.* or *')

/** Request for a webhook. */
export const WebhookRequest = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(LIMITS.webhook_url_chars)
    .regex(/^[!-~]+$/, 'printable characters without spaces')
    .refine((text) => !/^[^/]*\/\/[^/]*@/.test(text), 'names no user: the signature says who asks'),
  events: z.array(EventPattern).min(1).max(LIMITS.webhook_events).default(['*']),
})
export type WebhookRequest = z.infer<typeof WebhookRequest>

/**
 * A webhook as its owners see it. `createdBy`: who made it, as the audit names it; `disabledAt`: it failed for too long;
 * `failingSince`: it fails now.
 */
export const WebhookView = z.strictObject({
  id: z.uuid(),
  url: z.string(),
  events: z.array(EventPattern),
  createdAt: z.iso.datetime(),
  createdBy: z.string().optional(),
  failingSince: z.iso.datetime().optional(),
  disabledAt: z.iso.datetime().optional(),
})
export type WebhookView = z.infer<typeof WebhookView>

/** A new webhook; the only time that its secret is shown. */
export const NewWebhook = z.strictObject({ ...WebhookView.shape, secret: z.string() })
export type NewWebhook = z.infer<typeof NewWebhook>

/** Webhooks, the oldest first. */
export const WebhookList = z.strictObject({ webhooks: z.array(WebhookView) })

/** One telling of one change. `nextAt`: when it is tried again; without it, it is done with. */
export const DeliveryView = z.strictObject({
  id: z.uuid(),
  event: z.string(),
  createdAt: z.iso.datetime(),
  attempts: z.int().min(0),
  nextAt: z.iso.datetime().optional(),
  triedAt: z.iso.datetime().optional(),
  /** HTTP status of the last answer. */
  status: z.int().optional(),
  /** Why there was none. */
  problem: z.string().optional(),
  durationMs: z.int().optional(),
  /** The beginning of the last answer. */
  answer: z.string().optional(),
})
export type DeliveryView = z.infer<typeof DeliveryView>

/** The newest deliveries of a webhook, the newest first. */
export const DeliveryList = z.strictObject({ deliveries: z.array(DeliveryView) })
