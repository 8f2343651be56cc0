import { z } from 'zod'
import { Name } from '../domain/names.ts'
import { NewToken } from '../domain/token.ts'
import {
  IdTokenExchange,
  TrustedPublisherList,
  TrustedPublisherRequest,
  TrustedPublisherView,
} from '../domain/trusted-publisher.ts'
import { addPublisher, exchangeIdToken } from '../registry/trusted-publishing.ts'
import { type App, described, empty } from './route.ts'
import type { Services } from './services.ts'

const NamespacePath = z.strictObject({ ns: Name })
const PublisherPath = z.strictObject({ ns: Name, id: z.uuid() })
const tags = ['trusted publishing']

/** Pipelines that publish without a stored secret. */
export function trustedPublisherRoutes(app: App, services: Services): void {
  const { trustedPublishers } = services
  app.get(
    '/api/v1/namespaces/:ns/trusted-publishers',
    described(
      'namespace-read',
      { operationId: 'listTrustedPublishers', tags, summary: 'Pipelines that may publish' },
      { params: NamespacePath, response: { 200: TrustedPublisherList } },
    ),
    async ({ params }) => ({ publishers: await trustedPublishers.list(params.ns) }),
  )
  app.post(
    '/api/v1/namespaces/:ns/trusted-publishers',
    described(
      'namespace-manage',
      {
        operationId: 'addTrustedPublisher',
        tags,
        summary: 'Let a pipeline publish a program, which need not exist yet',
        errors: ['invalid_json', 'not_found', 'publisher_exists', 'too_many'],
      },
      { params: NamespacePath, body: TrustedPublisherRequest, response: { 201: TrustedPublisherView } },
    ),
    async ({ params, body, actor }, reply) =>
      reply.code(201).send(await addPublisher(services, actor, params.ns, body)),
  )
  app.delete(
    '/api/v1/namespaces/:ns/trusted-publishers/:id',
    described(
      'namespace-manage',
      {
        operationId: 'removeTrustedPublisher',
        tags,
        summary: 'End a pipeline’s right to publish, and its tokens',
        errors: ['not_found'],
      },
      { params: PublisherPath, response: { 204: empty('removed') } },
    ),
    async ({ params, actor }, reply) => {
      await trustedPublishers.remove(params.ns, params.id, actor)
      return reply.code(204).send()
    },
  )
  app.post(
    '/api/v1/trusted-publishing/token',
    described(
      'anyone',
      {
        operationId: 'exchangeIdToken',
        tags,
        summary: 'Exchange a pipeline’s identity token for a token that publishes one program',
        errors: [
          ...(['invalid_json', 'id_token_invalid', 'id_token_replayed'] as const),
          ...(['no_trusted_publisher', 'issuer_unavailable'] as const),
        ],
      },
      { body: IdTokenExchange, response: { 201: NewToken } },
    ),
    async ({ body, ip }, reply) => {
      const audience = services.publicUrl ?? app.listeningOrigin
      const made = await exchangeIdToken(services, body, audience, ip)
      return reply.code(201).header('cache-control', 'no-store').send(made)
    },
  )
}
