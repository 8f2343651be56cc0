import compress from '@fastify/compress'
import type { Pages } from '../http/pages.ts'
import type { App } from '../http/route.ts'
import type { Services } from '../http/services.ts'
import { auditPage } from './account/audit-page.ts'
import { managePage } from './account/manage-page.ts'
import { mePage } from './account/me-page.ts'
import { membersPage } from './account/members-page.ts'
import { proofsPage } from './account/proofs-page.ts'
import { robotPage } from './account/robot-page.ts'
import { signInPage, signInUrl } from './account/sign-in-page.ts'
import { signersPage } from './account/signers-page.ts'
import { tokensPage } from './account/tokens-page.ts'
import { assetRoutes } from './assets.ts'
import { homePage } from './catalog/home-page.ts'
import { namespacePage } from './catalog/namespace-page.ts'
import { publishPage } from './catalog/publish-page.ts'
import { reportPage } from './catalog/report-page.ts'
import { searchPage } from './catalog/search-page.ts'
import { sitemap } from './catalog/sitemap.ts'
import { apiPages } from './docs/api-page.ts'
import { docsPages } from './docs/docs-page.ts'
import { functionPage } from './fleet/function-page.ts'
import { functionsPage } from './fleet/functions-page.ts'
import { nodeLive } from './fleet/node-live.ts'
import { nodePage } from './fleet/node-page.ts'
import { nodesPage } from './fleet/nodes-page.ts'
import { logPages } from './log/log-page.ts'
import { programPages } from './program/program-pages.ts'
import { refusalPage } from './refusal-page.ts'
import { frameOf, type Site, sendPage, siteOf } from './site.ts'

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
