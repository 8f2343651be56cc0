import { z } from 'zod'
import type { ErrorCode } from '../domain/errors.ts'
import { FunctionHistory, FunctionList, FunctionView, OrderUpload } from '../domain/fleet-function.ts'
import { LIMITS } from '../domain/limits.ts'
import { Digest, Name } from '../domain/names.ts'
import { KeyList, KeyUpload, KeyView } from '../domain/namespace.ts'
import { putOrder } from '../registry/functions.ts'
import { addOperatorKey, keyView } from '../registry/keys.ts'
import { type App, described, empty } from './route.ts'
import type { Services } from './services.ts'

/** An envelope in JSON: the few quotes of its own are escaped, and base64 has nothing to escape. */
const ORDER_BODY_BYTES = LIMITS.order_bytes + (64 << 10)
const KeyPath = z.strictObject({ fingerprint: Digest })
const FunctionPath = z.strictObject({ name: Name })
const tags = ['functions']
const ORDER_ERRORS: ErrorCode[] = [
  ...(['invalid_json', 'order_invalid', 'order_signature_invalid', 'operator_not_allowed'] as const),
  ...(['not_supported_yet', 'not_found', 'revision_conflict', 'too_large'] as const),
]

/** Orders to nodes, and the keys that sign them. */
export function functionRoutes(app: App, services: Services): void {
  const { fleet } = services
  app.get(
    '/api/v1/operators/keys',
    described(
      'fleet-read',
      { operationId: 'listOperatorKeys', tags, summary: 'Keys that sign orders' },
      { response: { 200: KeyList } },
    ),
    async () => ({ keys: (await fleet.operatorKeys()).map(keyView) }),
  )
  app.put(
    '/api/v1/operators/keys/:fingerprint',
    described(
      'admin',
      {
        operationId: 'putOperatorKey',
        tags,
        summary: 'Let a key sign orders',
        errors: ['invalid_json', 'invalid_key'],
      },
      { params: KeyPath, body: KeyUpload, response: { 200: KeyView } },
    ),
    ({ params, body, actor }) => addOperatorKey(fleet, actor, params.fingerprint, body.publicKey),
  )
  app.delete(
    '/api/v1/operators/keys/:fingerprint',
    described(
      'admin',
      {
        operationId: 'removeOperatorKey',
        tags,
        summary: 'Let a key sign no further orders',
        errors: ['not_found'],
      },
      { params: KeyPath, response: { 204: empty('removed') } },
    ),
    async ({ params, actor }, reply) => {
      await fleet.removeOperatorKey(params.fingerprint, actor)
      return reply.code(204).send()
    },
  )
  app.get(
    '/api/v1/functions',
    described(
      'fleet-read',
      { operationId: 'listFunctions', tags, summary: 'Functions by name' },
      { response: { 200: FunctionList } },
    ),
    async () => ({ functions: await fleet.functions() }),
  )
  app.get(
    '/api/v1/functions/:name',
    described(
      'fleet-read',
      { operationId: 'getFunction', tags, summary: 'A function', errors: ['not_found'] },
      { params: FunctionPath, response: { 200: FunctionView } },
    ),
    ({ params }) => fleet.function(params.name),
  )
  app.get(
    '/api/v1/functions/:name/history',
    described(
      'fleet-read',
      {
        operationId: 'getFunctionHistory',
        tags,
        summary: 'What a function ran, newest step first',
        errors: ['not_found'],
      },
      { params: FunctionPath, response: { 200: FunctionHistory } },
    ),
    async ({ params }) => ({ steps: await fleet.history(params.name, LIMITS.history_steps) }),
  )
  app.put(
    '/api/v1/functions/:name',
    {
      ...described(
        'fleet-order',
        {
          operationId: 'applyFunction',
          tags,
          summary: 'Put a signed order into force',
          errors: ORDER_ERRORS,
        },
        { params: FunctionPath, body: OrderUpload, response: { 200: FunctionView } },
      ),
      bodyLimit: ORDER_BODY_BYTES,
    },
    ({ params, body, actor }) => putOrder(services, actor, params.name, 'apply', body.envelope),
  )
  app.delete(
    '/api/v1/functions/:name',
    described(
      'fleet-order',
      {
        operationId: 'removeFunction',
        tags,
        summary: 'End a function by a signed removal',
        errors: ORDER_ERRORS,
      },
      { params: FunctionPath, body: OrderUpload, response: { 200: FunctionView } },
    ),
    ({ params, body, actor }) => putOrder(services, actor, params.name, 'remove', body.envelope),
  )
}
