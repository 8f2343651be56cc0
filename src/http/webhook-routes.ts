import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Name } from '../domain/names.ts'
import { DeliveryList, DeliveryView, NewWebhook, WebhookList, WebhookRequest } from '../domain/webhook.ts'
import { requireAllowedAddress } from '../registry/guarded-fetch.ts'
import { newWebhookSecret } from '../registry/webhook-worker.ts'
import { type App, described, empty } from './route.ts'
import type { Services } from './services.ts'

const tags = ['webhooks']
const Limit = z.strictObject({
  limit: z.coerce.number().int().min(1).max(LIMITS.page_items).default(20),
})

/** Webhooks of namespaces, for their owners, and of the whole registry, for administrators. */
export function webhookRoutes(app: App, { webhooks, privateWebhooks }: Services): void {
  for (const [path, right, whose, suffix] of [
    ['/api/v1/namespaces/:ns/webhooks', 'namespace-manage', 'a namespace', 'OfNamespace'],
    ['/api/v1/webhooks', 'admin', 'the registry', ''],
  ] as const) {
    const Owner = suffix === '' ? z.strictObject({}) : z.strictObject({ ns: Name })
    const Path = z.strictObject({ ...Owner.shape, id: z.uuid() })
    const DeliveryPath = z.strictObject({ ...Path.shape, delivery: z.uuid() })
    const ownerOf = (params: object): string | undefined =>
      'ns' in params && typeof params.ns === 'string' ? params.ns : undefined
    app.get(
      path,
      described(
        right,
        { operationId: `listWebhooks${suffix}`, tags, summary: `Webhooks of ${whose}` },
        { params: Owner, response: { 200: WebhookList } },
      ),
      async ({ params }) => ({ webhooks: await webhooks.list(ownerOf(params)) }),
    )
    app.post(
      path,
      described(
        right,
        {
          operationId: `addWebhook${suffix}`,
          tags,
          summary: `Have an address told of changes of ${whose}`,
          errors: ['invalid_json', 'address_not_allowed', 'not_found', 'too_many'],
        },
        { params: Owner, body: WebhookRequest, response: { 201: NewWebhook } },
      ),
      async ({ params, body, actor }, reply) => {
        requireAllowedAddress(new URL(body.url), privateWebhooks)
        const { secret, text } = newWebhookSecret()
        const view = await webhooks.add(ownerOf(params), body, secret, actor)
        return reply.code(201).send({ ...view, secret: text })
      },
    )
    app.delete(
      `${path}/:id`,
      described(
        right,
        { operationId: `removeWebhook${suffix}`, tags, summary: 'End a webhook', errors: ['not_found'] },
        { params: Path, response: { 204: empty('removed') } },
      ),
      async ({ params, actor }, reply) => {
        await webhooks.remove(ownerOf(params), params.id, actor)
        return reply.code(204).send()
      },
    )
    app.get(
      `${path}/:id/deliveries`,
      described(
        right,
        {
          operationId: `listDeliveries${suffix}`,
          tags,
          summary: 'What a webhook was told, and what came of it',
          errors: ['not_found'],
        },
        { params: Path, querystring: Limit, response: { 200: DeliveryList } },
      ),
      async ({ params, query }) => ({
        deliveries: await webhooks.deliveries(ownerOf(params), params.id, query.limit),
      }),
    )
    app.post(
      `${path}/:id/deliveries/:delivery/redeliver`,
      described(
        right,
        {
          operationId: `redeliver${suffix}`,
          tags,
          summary: 'Have a delivery tried again at once',
          errors: ['not_found'],
        },
        { params: DeliveryPath, response: { 202: DeliveryView } },
      ),
      async ({ params }, reply) =>
        reply.code(202).send(await webhooks.redeliver(ownerOf(params), params.id, params.delivery)),
    )
    app.post(
      `${path}/:id/test`,
      described(
        right,
        {
          operationId: `testWebhook${suffix}`,
          tags,
          summary: 'Have a webhook told of nothing, to see whether it hears',
          errors: ['not_found'],
        },
        { params: Path, response: { 202: DeliveryView } },
      ),
      async ({ params }, reply) => reply.code(202).send(await webhooks.test(ownerOf(params), params.id)),
    )
  }
}
