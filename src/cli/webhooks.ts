import type { DeliveryView, WebhookRequest } from '../domain/webhook.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'

/** Flags of every command about webhooks: those of a namespace, or of the registry. */
interface WebhookFlags extends RegistryFlags {
  readonly namespace?: string | undefined
}

const commandAbout = (what: string, id: string, namespace: string | undefined): string =>
  `hookline webhook ${what} ${id}${namespace === undefined ? '' : ` --namespace ${namespace}`}`

/** Has an address told of changes. Its secret is shown this once. Throws `too_many`. */
export async function addWebhook(
  {
    namespace,
    url,
    token,
    tokenFile,
    address,
    events,
  }: WebhookFlags & { address: string; events: WebhookRequest['events'] },
  { io }: Context,
): Promise<Outcome> {
  const client = await connectWithToken(io, { url, token, tokenFile })
  const made = await client.addWebhook(namespace, { url: address, events })
  return {
    json: made,
    text: renderFields([
      ['secret', made.secret],
      ['id', made.id],
      ['events', made.events.join(', ')],
      ['next', commandAbout('test', made.id, namespace)],
    ]),
  }
}

/** Lists webhooks. */
export async function listWebhooks({ namespace, ...flags }: WebhookFlags, { io }: Context): Promise<Outcome> {
  const webhooks = await (await connectWithToken(io, flags)).webhooks(namespace)
  const rows = webhooks.map(({ id, url, events, createdBy, failingSince, disabledAt }) => [
    ...[url, events.join(', ')],
    disabledAt !== undefined
      ? `disabled ${disabledAt}`
      : failingSince !== undefined
        ? `fails since ${failingSince}`
        : 'good',
    ...[createdBy ?? '', id],
  ])
  return {
    json: { webhooks },
    text:
      rows.length === 0
        ? 'no webhooks'
        : renderTable(io, ['address', 'events', 'state', 'made by', 'id'], rows),
  }
}

/** Ends a webhook. Throws `not_found`. */
export async function removeWebhook(
  { namespace, id, ...flags }: WebhookFlags & { id: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).removeWebhook(namespace, id)
  return { json: { id }, text: `webhook ${id} is removed` }
}

/** Shows what a webhook was told, and what came of it. Throws `not_found`. */
export async function listDeliveries(
  { namespace, id, limit, ...flags }: WebhookFlags & { id: string; limit: number },
  { io }: Context,
): Promise<Outcome> {
  const deliveries = await (await connectWithToken(io, flags)).deliveries(namespace, id, limit)
  const rows = deliveries.map((one) => [
    ...[one.createdAt, one.event, outcomeText(one), String(one.attempts), one.nextAt ?? '', one.id],
  ])
  const head = ['at', 'event', 'outcome', 'tries', 'again at', 'id']
  return { json: { deliveries }, text: rows.length === 0 ? 'no deliveries' : renderTable(io, head, rows) }
}

const outcomeText = ({ status, problem, durationMs }: DeliveryView): string => {
  if (problem !== undefined) return problem
  return status === undefined ? 'not tried yet' : `${status} in ${durationMs} ms`
}

/** Has a delivery tried again. Throws `not_found`. */
export async function redeliver(
  { namespace, id, delivery, ...flags }: WebhookFlags & { id: string; delivery: string },
  { io }: Context,
): Promise<Outcome> {
  const view = await (await connectWithToken(io, flags)).redeliver(namespace, id, delivery)
  return {
    json: view,
    text: `${view.event} is delivered again; see: ${commandAbout('deliveries', id, namespace)}`,
  }
}

/** Has a webhook told of nothing. Throws `not_found`. */
export async function testWebhook(
  { namespace, id, ...flags }: WebhookFlags & { id: string },
  { io }: Context,
): Promise<Outcome> {
  const view = await (await connectWithToken(io, flags)).testWebhook(namespace, id)
  return {
    json: view,
    text: `delivery ${view.id} is on its way; see: ${commandAbout('deliveries', id, namespace)}`,
  }
}
