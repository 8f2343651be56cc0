import compress from '@fastify/compress'
import type { Pages } from '../http/pages.ts'
import type { App } from '../http/route.ts'
import type { Services } from '../http/services.ts'
import { apiPages } from './api-page.ts'
import { assetRoutes } from './assets.ts'
import { auditPage } from './audit-page.ts'
import { docsPages } from './docs-page.ts'
import { functionPage } from './function-page.ts'
import { functionsPage } from './functions-page.ts'
import { homePage } from './home-page.ts'
import { logPages } from './log-page.ts'
import { managePage } from './manage-page.ts'
import { mePage } from './me-page.ts'
import { membersPage } from './members-page.ts'
import { namespacePage } from './namespace-page.ts'
import { nodeLive } from './node-live.ts'
import { nodePage } from './node-page.ts'
import { nodesPage } from './nodes-page.ts'
import { programPages } from './program-pages.ts'
import { proofsPage } from './proofs-page.ts'
import { publishPage } from './publish-page.ts'
import { refusalPage } from './refusal-page.ts'
import { reportPage } from './report-page.ts'
import { robotPage } from './robot-page.ts'
import { searchPage } from './search-page.ts'
import { signInPage, signInUrl } from './sign-in-page.ts'
import { signersPage } from './signers-page.ts'
import { frameOf, type Site, sendPage, siteOf } from './site.ts'
import { sitemap } from './sitemap.ts'
import { tokensPage } from './tokens-page.ts'

/** The catalog that people browse: pages over the same use cases as the interface for programs, in one layout. */
export function webPages(): Pages {
  let refuse: Pages['refuse'] | undefined
  return {
    register: async (app, services, closing) => {
      refuse = (problem, request, reply) => {
        const frame = frameOf(app, services, request)
        const looks = request.routeOptions?.config?.page === true && ['GET', 'HEAD'].includes(request.method)
        // who is not signed in, and looks at a page for those who are, is asked to
        if (problem.status === 401 && looks) return reply.redirect(signInUrl(request.url), 303)
        return sendPage(reply, refusalPage(problem, frame, looks), frame)
      }
      await app.register(async (scope) => {
        await scope.register(compress, { encodings: ['br', 'gzip'], threshold: 1024 })
        // what forms send, and nothing else: files are published by the command line
        scope.addContentTypeParser(
          'application/x-www-form-urlencoded',
          { parseAs: 'string' },
          (_request, body, done) => done(null, new URLSearchParams(String(body))),
        )
        register(siteOf(scope, services), app, scope, services, closing)
      })
    },
    refuse: (problem, request, reply) => {
      if (refuse === undefined) throw new Error('pages are not registered')
      return refuse(problem, request, reply)
    },
  }
}

/** All pages. */
function register(site: Site, app: App, scope: App, services: Services, closing: AbortSignal): void {
  assetRoutes(scope)
  homePage(site, services)
  searchPage(site, services)
  docsPages(site, scope)
  apiPages(site, app)
  logPages(site, services)
  sitemap(scope, services)
  programPages(site, services)
  namespacePage(site, services)
  const base = (): string => services.publicUrl ?? app.listeningOrigin
  signInPage(site, { ...services, base })
  mePage(site, services)
  tokensPage(site, services)
  membersPage(site, services)
  robotPage(site, services)
  signersPage(site, services)
  proofsPage(site, services)
  auditPage(site, services)
  managePage(site, services)
  reportPage(site, services)
  publishPage(site, { base })
  functionsPage(site, services)
  functionPage(site, services)
  nodesPage(site, services)
  nodePage(site, services)
  nodeLive(scope, services, closing)
}
