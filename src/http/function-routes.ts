import { z } from 'zod'
import type { ErrorCode } from '../domain/errors.ts'
import { FunctionHistory, FunctionList, FunctionView, OrderUpload } from '../domain/fleet-function.ts'
import { LIMITS } from '../domain/limits.ts'
import { Name } from '../domain/names.ts'
import { putOrder } from '../registry/functions.ts'
import { type App, described } from './route.ts'
import type { Services } from './services.ts'

/** An envelope in JSON: the few quotes of its own are escaped, and base64 has nothing to escape. */
const ORDER_BODY_BYTES = LIMITS.order_bytes + (64 << 10)
const FunctionPath = z.strictObject({ name: Name })
const tags = ['functions']
const ORDER_ERRORS: ErrorCode[] = [
  ...(['invalid_json', 'order_invalid', 'order_signature_invalid', 'operator_not_allowed'] as const),
  ...(['not_supported_yet', 'not_found', 'revision_conflict', 'too_large'] as const),
]

/** Orders to nodes. */
export function functionRoutes(app: App, services: Services): void {
  const { fleet } = services
  app.get(
    '/api/v1/functions',
    described(
      'fleet',
      { operationId: 'listFunctions', tags, summary: 'Functions by name' },
      { response: { 200: FunctionList } },
    ),
    async () => ({ functions: await fleet.functions() }),
  )
  app.get(
    '/api/v1/functions/:name',
    described(
      'fleet',
      { operationId: 'getFunction', tags, summary: 'A function', errors: ['not_found'] },
      { params: FunctionPath, response: { 200: FunctionView } },
    ),
    ({ params }) => fleet.function(params.name),
  )
  app.get(
    '/api/v1/functions/:name/history',
    described(
      'fleet',
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
        'fleet',
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
    ({ params, body, actor }) => putOrder(services.fleet, actor, params.name, 'apply', body.envelope),
  )
  app.delete(
    '/api/v1/functions/:name',
    described(
      'fleet',
      {
        operationId: 'removeFunction',
        tags,
        summary: 'End a function by a signed removal',
        errors: ORDER_ERRORS,
      },
      { params: FunctionPath, body: OrderUpload, response: { 200: FunctionView } },
    ),
    ({ params, body, actor }) => putOrder(services.fleet, actor, params.name, 'remove', body.envelope),
  )
}
