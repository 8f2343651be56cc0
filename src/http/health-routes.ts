import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { type App, bytes, described } from './route.ts'
import type { Services } from './services.ts'

const Status = z.strictObject({ status: z.literal('ok') })
const tags = ['service']

/** For load balancers, and the description of the interface. */
export function healthRoutes(app: App, { ping, blobs, report }: Services, describe: () => string): void {
  app.get(
    '/healthz',
    described(
      'anyone',
      { operationId: 'health', tags, summary: 'The process runs' },
      { response: { 200: Status } },
    ),
    async () => ({ status: 'ok' as const }),
  )
  app.get(
    '/readyz',
    described(
      'anyone',
      {
        operationId: 'readiness',
        tags,
        summary: 'The database answers and blobs can be written',
        errors: ['not_ready'],
      },
      { response: { 200: Status } },
    ),
    async (request) => {
      const notReady = (what: string) => (cause: unknown) => {
        report(cause, `${request.method} ${request.url}`)
        throw new DomainError('not_ready', what, { cause })
      }
      await ping().catch(notReady('the database does not answer'))
      await blobs.ready().catch(notReady('blobs cannot be written'))
      return { status: 'ok' as const }
    },
  )
  app.get(
    '/openapi.yaml',
    described(
      'anyone',
      { operationId: 'getDescription', tags, summary: 'This description' },
      {
        response: { 200: bytes('OpenAPI 3.1', 'application/yaml') },
      },
    ),
    async (_request, reply) => reply.type('application/yaml').send(Buffer.from(describe())),
  )
}
