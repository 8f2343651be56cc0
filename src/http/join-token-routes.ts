import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { JoinTokenList, JoinTokenRequest, NewJoinToken } from '../domain/token.ts'
import { createJoinToken } from '../registry/tokens.ts'
import { type App, described, empty } from './route.ts'
import type { Services } from './services.ts'

const tags = ['nodes']

/** Tokens by which nodes join: whoever lets nodes in makes them, sees all that are good, and ends any. */
export function joinTokenRoutes(app: App, { nodes, clock }: Services): void {
  app.post(
    '/api/v1/join-tokens',
    described(
      'fleet-join',
      {
        operationId: 'createJoinToken',
        tags,
        summary: 'Make a token that lets nodes join',
        errors: ['invalid_json'],
      },
      { body: JoinTokenRequest, response: { 201: NewJoinToken } },
    ),
    async ({ body, actor }, reply) => reply.code(201).send(await createJoinToken(nodes, clock, actor, body)),
  )
  app.get(
    '/api/v1/join-tokens',
    described(
      'fleet-join',
      {
        operationId: 'listJoinTokens',
        tags,
        summary: `Tokens by which nodes still can join, the newest ${LIMITS.join_tokens_listed}`,
      },
      { response: { 200: JoinTokenList } },
    ),
    async () => ({ joinTokens: await nodes.joinTokens(clock(), LIMITS.join_tokens_listed) }),
  )
  app.delete(
    '/api/v1/join-tokens/:id',
    described(
      'fleet-join',
      {
        operationId: 'revokeJoinToken',
        tags,
        summary: 'End a token by which nodes can join; those that joined by it stay',
        errors: ['not_found'],
      },
      { params: z.strictObject({ id: z.uuid() }), response: { 204: empty('revoked') } },
    ),
    async ({ params, actor }, reply) => {
      await nodes.revokeJoinToken(params.id, actor)
      return reply.code(204).send()
    },
  )
}
