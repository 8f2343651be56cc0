import multipart from '@fastify/multipart'
import Fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { accountRoutes } from './account-routes.ts'
import { auditRoutes } from './audit-routes.ts'
import { blobRoutes } from './blob-routes.ts'
import { catalogRoutes } from './catalog-routes.ts'
import { closeSoon } from './closing.ts'
import { checkCredentials } from './credentials.ts'
import { feedRoutes } from './feed-routes.ts'
import { functionRoutes } from './function-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { joinTokenRoutes } from './join-token-routes.ts'
import { lifecycleRoutes } from './lifecycle-routes.ts'
import { logRoutes } from './log-routes.ts'
import { loginRoutes } from './login-routes.ts'
import { namespaceRoutes } from './namespace-routes.ts'
import { nodeRoutes } from './node-routes.ts'
import { describeRoutes, openApiYaml } from './openapi.ts'
import { rememberMethods } from './other-methods.ts'
import { NO_PAGES, type Pages } from './pages.ts'
import { policyRoutes } from './policy-routes.ts'
import { answerError, answerUnreadable } from './problem.ts'
import { proofRoutes } from './proof-routes.ts'
import { guard } from './protection.ts'
import { isRepeated } from './repeated-header.ts'
import { revocationRoutes } from './revocation-routes.ts'
import type { App } from './route.ts'
import { searchRoutes } from './search-routes.ts'
import type { Services } from './services.ts'
import { signerRoutes } from './signer-routes.ts'
import { trustedPublisherRoutes } from './trusted-publisher-routes.ts'
import { MULTIPART } from './upload.ts'
import { uploadRoutes } from './upload-routes.ts'
import { webhookRoutes } from './webhook-routes.ts'

/**
 * Builds the HTTP edge over its services, ready to listen or to be asked by `inject`; with `pages` people may browse it, too.
 */
export async function buildApp(services: Services, pages: Pages = NO_PAGES): Promise<App> {
  const answer = answerError(services.report, pages.refuse)
  const app = Fastify({
    bodyLimit: LIMITS.request_bytes,
    requestTimeout: LIMITS.request_ms,
    forceCloseConnections: 'idle',
    keepAliveTimeout: LIMITS.connection_idle_ms,
    // a closing registry answers what still comes, rather than in a format of its own
    return503OnClosing: false,
    frameworkErrors: answer,
    clientErrorHandler: answerUnreadable,
    // Node would refuse a request without Host itself, without a word: see below
    http: { requireHostHeader: false },
    routerOptions: { maxParamLength: 200 },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(answer)
  app.server.maxConnections = LIMITS.connections
  app.setNotFoundHandler((request) => {
    throw new DomainError('not_found', `there is no ${request.method} ${request.url.split('?', 1)[0]}`)
  })
  app.addHook('onRequest', async ({ headers, raw }) => {
    if (headers.host === undefined && raw.httpVersion === '1.1')
      throw new DomainError('invalid_request', 'the request has no Host (RFC 9112 section 3.2)')
    if (isRepeated(raw, 'host'))
      throw new DomainError('invalid_request', 'the request has more than one Host (RFC 9112 section 3.2)')
  })
  app.addHook('onSend', async (request, reply) => {
    // what is said to somebody in particular is for nobody else
    if (request.actor?.kind !== 'anonymous' && !reply.hasHeader('cache-control'))
      reply.header('cache-control', 'private, no-store')
  })
  // bodies stay bytes until the credentials hold: see checkCredentials
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  app.addHook('onClose', () => services.downloads.close())
  app.addHook('onClose', () => services.webhookWorker.close())
  app.addHook('onClose', () => services.blobCollector.close())
  app.addHook('onClose', () => services.logWorker.close())
  await app.register(multipart, MULTIPART)
  const guards = await guard(app, services.protection)
  checkCredentials(app, services, guards.countRefusal)
  guards.countRequests()
  await describeRoutes(app)
  const refuseOtherMethods = rememberMethods(app)
  catalogRoutes(app, services)
  lifecycleRoutes(app, services)
  searchRoutes(app, services)
  auditRoutes(app, services)
  logRoutes(app, services)
  revocationRoutes(app, services)
  blobRoutes(app, services)
  accountRoutes(app, services)
  namespaceRoutes(app, services)
  feedRoutes(app, services)
  loginRoutes(app, services)
  proofRoutes(app, services)
  uploadRoutes(app, services)
  signerRoutes(app, services)
  webhookRoutes(app, services)
  trustedPublisherRoutes(app, services)
  const closing = closeSoon(app)
  joinTokenRoutes(app, services)
  nodeRoutes(app, services, closing)
  functionRoutes(app, services)
  policyRoutes(app, services)
  let description: string | undefined
  healthRoutes(app, services, () => {
    description ??= openApiYaml(app)
    return description
  })
  await pages.register(app, services, closing)
  refuseOtherMethods()
  await app.ready()
  // an Expect that is not known is ignored, as RFC 9110 section 10.1.1 allows; Node would refuse it without a word
  app.server.on('checkExpectation', (request, reply) => app.server.emit('request', request, reply))
  return app
}
