import multipart from '@fastify/multipart'
import Fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { adminRoutes } from './admin-routes.ts'
import { blobRoutes } from './blob-routes.ts'
import { catalogRoutes } from './catalog-routes.ts'
import { closeSoon } from './closing.ts'
import { checkCredentials } from './credentials.ts'
import { functionRoutes } from './function-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { nodeRoutes } from './node-routes.ts'
import { describeRoutes, openApiYaml } from './openapi.ts'
import { answerError } from './problem.ts'
import type { App } from './route.ts'
import type { Services } from './services.ts'
import { MULTIPART } from './upload.ts'

/** Builds the HTTP edge over its services, ready to listen or to be asked by `inject`. */
export async function buildApp(services: Services): Promise<App> {
  const app = Fastify({
    bodyLimit: LIMITS.request_bytes,
    requestTimeout: LIMITS.request_ms,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(answerError(services.report))
  app.setNotFoundHandler((request) => {
    throw new DomainError('not_found', `there is no ${request.method} ${request.url.split('?', 1)[0]}`)
  })
  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff')
  })
  // bodies stay bytes until the credentials hold: see checkCredentials
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  await app.register(multipart, MULTIPART)
  checkCredentials(app, services)
  await describeRoutes(app)
  catalogRoutes(app, services)
  blobRoutes(app, services)
  adminRoutes(app, services)
  nodeRoutes(app, services, closeSoon(app))
  functionRoutes(app, services)
  let description: string | undefined
  healthRoutes(app, services, () => {
    description ??= openApiYaml(app)
    return description
  })
  await app.ready()
  return app
}
