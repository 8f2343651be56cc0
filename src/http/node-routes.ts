import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Desired, Enrolled, Enrolment, NodeList, Observed } from '../domain/node.ts'
import { NodeKeyOffer } from '../domain/node-key.ts'
import type { DesiredDesk } from '../registry/desired.ts'
import type { KnownNode } from '../registry/nodes.ts'
import { noneMatch } from './blob-routes.ts'
import { type App, described, empty, nodeOf, sentAsBytes, signedPartOf } from './route.ts'
import type { Services } from './services.ts'

/**
 * Another desired state than `known`, of a node as it is when it is answered: it may have been removed, or got another key or other
 * labels, while it waited. Costs a read of the node at most, and none while nothing comes. Throws `too_large`,
 * `node_unauthenticated`, `node_key_retired`.
 */
async function desiredNow(
  { nodeDesk, desiredDesk }: Pick<Services, 'nodeDesk' | 'desiredDesk'>,
  node: KnownNode,
  { known, wait_s, signal }: { known: string | undefined; wait_s: number; signal: AbortSignal },
): ReturnType<DesiredDesk['desired']> {
  const document = await desiredDesk.desired(node.labels, known, wait_s, signal)
  if (document === undefined) return undefined
  const now = await nodeDesk.knownStill(node)
  return isDeepStrictEqual(now.labels, node.labels)
    ? document
    : desiredDesk.desired(now.labels, known, 0, signal)
}

const NodePath = z.strictObject({ id: z.string().max(64) })
const Wait = z.strictObject({ wait: z.coerce.number().int().min(0).max(LIMITS.poll_s).default(0) })
const tags = ['nodes']

/** What nodes ask, and what operators ask about them. `closing` ends long polls when the server closes. */
export function nodeRoutes(app: App, services: Services, closing: AbortSignal): void {
  const { nodeDesk, nodes } = services
  app.post(
    '/api/v1/nodes',
    described(
      'joining',
      {
        operationId: 'enrolNode',
        tags,
        summary:
          'Join with a join token, signed by the key that is sent (keyid: its fingerprint); the same name and key again gives the same id',
        errors: ['invalid_json', 'invalid_key', 'join_token_refused', 'label_not_allowed', 'node_exists'],
      },
      { body: Enrolment, response: { 201: Enrolled } },
    ),
    async (request, reply) =>
      reply.code(201).send(await nodeDesk.enrol(request.body, signedPartOf(request), request.ip)),
  )
  app.get(
    '/api/v1/nodes',
    described(
      'fleet-read',
      { operationId: 'listNodes', tags, summary: 'Nodes and what they report' },
      { response: { 200: NodeList } },
    ),
    async () => ({ nodes: await nodeDesk.list() }),
  )
  app.get(
    '/api/v1/nodes/:id/desired',
    {
      ...described(
        'node',
        {
          operationId: 'getDesired',
          tags,
          summary:
            'What the node is to run, whole; waits up to `wait` seconds for another than If-None-Match',
          errors: ['too_large'],
        },
        {
          params: NodePath,
          querystring: Wait,
          response: { 200: sentAsBytes(Desired), 304: empty('unchanged') },
        },
      ),
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const field = request.headers['if-none-match']
      const known = /^(?:W\/)?"([0-9a-f]{64})"$/.exec(field?.trim() ?? '')?.[1]
      const document = await desiredNow(services, nodeOf(request), {
        ...{ known, wait_s: request.query.wait },
        signal: AbortSignal.any([gone.signal, closing]),
      })
      reply.header('cache-control', 'private, no-cache')
      if (document === undefined) return reply.code(304).header('etag', `"${known}"`).send()
      const etag = `"${document.tag}"`
      if (noneMatch(field, etag)) return reply.code(304).header('etag', etag).send()
      // made once for many nodes, so it is sent as the bytes that it is
      return reply.header('etag', etag).type('application/json').send(document.body)
    },
  )
  app.delete(
    '/api/v1/nodes/:id',
    described(
      'fleet-join',
      {
        operationId: 'removeNode',
        tags,
        summary: 'Forget a node; what it runs goes on until somebody stops it there',
        errors: ['not_found'],
      },
      { params: z.strictObject({ id: z.uuid() }), response: { 204: empty('removed') } },
    ),
    async ({ params, actor }, reply) => {
      await nodes.remove(params.id, actor)
      return reply.code(204).send()
    },
  )
  app.post(
    '/api/v1/nodes/:id/key',
    described(
      'node',
      {
        operationId: 'offerNodeKey',
        tags,
        summary:
          'Offer the key that is to replace the node’s; the first request that is signed with it makes it the node’s, and retires the old one',
        errors: ['invalid_json', 'invalid_key'],
      },
      { params: NodePath, body: NodeKeyOffer, response: { 204: empty('kept') } },
    ),
    async (request, reply) => {
      await nodeDesk.offerKey(nodeOf(request), request.body)
      return reply.code(204).send()
    },
  )
  app.put(
    '/api/v1/nodes/:id/observed',
    {
      ...described(
        'node',
        {
          operationId: 'putObserved',
          tags,
          summary: 'What the node’s kernel runs',
          errors: ['invalid_json', 'too_large'],
        },
        { params: NodePath, body: Observed, response: { 204: empty('kept') } },
      ),
      bodyLimit: LIMITS.observed_bytes,
    },
    async (request, reply) => {
      await nodeDesk.report(nodeOf(request), request.body)
      return reply.code(204).send()
    },
  )
}
