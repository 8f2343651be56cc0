import type { Actor } from '../domain/account.ts'
import type { DeliveryView, WebhookRequest, WebhookView } from '../domain/webhook.ts'

/** Whose webhooks: a namespace's, which hear of it; undefined: the registry's, which hear of everything. */
export type WebhookOwner = string | undefined

/** A delivery that one process has taken on, for a while. */
export interface DueDelivery {
  readonly id: string
  readonly webhookId: string
  readonly url: string
  readonly secret: Buffer
  readonly body: string
  /** This one included. */
  readonly attempts: number
}

/** What came of a delivery; `retryAt` when it is to be tried again. */
export interface DeliveryResult {
  readonly status?: number | undefined
  readonly problem?: string | undefined
  readonly durationMs: number
  readonly answer?: string | undefined
  readonly delivered: boolean
  readonly retryAt: Date | undefined
}

/** Keeps webhooks and what they are told. What is told is written with the change itself: nothing of it is lost. */
export interface Webhooks {
  /** Throws `not_found`, `too_many`. */
  add(owner: WebhookOwner, request: WebhookRequest, secret: Buffer, by: Actor): Promise<WebhookView>
  list(owner: WebhookOwner): Promise<WebhookView[]>
  /** Throws `not_found`. */
  remove(owner: WebhookOwner, id: string, by: Actor): Promise<void>
  /** The newest `limit` deliveries. Throws `not_found`. */
  deliveries(owner: WebhookOwner, id: string, limit: number): Promise<DeliveryView[]>
  /** Has a delivery tried again at once, and the webhook enabled. Throws `not_found`. */
  redeliver(owner: WebhookOwner, id: string, delivery: string): Promise<DeliveryView>
  /** Has the webhook told of nothing, to see whether it hears, and enabled. Throws `not_found`. */
  test(owner: WebhookOwner, id: string): Promise<DeliveryView>
  /** Takes on deliveries that are due, which no other process then takes until `leaseUntil`. */
  claim(now: Date, leaseUntil: Date, most: number): Promise<DueDelivery[]>
  /** Notes what came of one; a webhook that fails since before `hopeless` is disabled. */
  settle(delivery: DueDelivery, result: DeliveryResult, now: Date, hopeless: Date): Promise<void>
  /** Forgets deliveries from before `before` that are done with. */
  prune(before: Date): Promise<void>
}
