import compress from '@fastify/compress'
import type { Pages } from '../http/pages.ts'
import type { App } from '../http/route.ts'
import type { Services } from '../http/services.ts'
import { apiPages } from './api-page.ts'
import { assetRoutes } from './assets.ts'
import { docsPages } from './docs-page.ts'
import { homePage } from './home-page.ts'
import { logPages } from './log-page.ts'
import { refusalPage } from './refusal-page.ts'
import { searchPage } from './search-page.ts'
import { frameOf, type Site, sendPage, siteOf } from './site.ts'
import { sitemap } from './sitemap.ts'

/** The catalog that people browse: pages over the same use cases as the interface for programs, in one layout. */
export function webPages(): Pages {
  let refuse: Pages['refuse'] | undefined
  return {
    register: async (app, services, closing) => {
      refuse = (problem, request, reply) =>
        sendPage(reply, refusalPage(problem), frameOf(app, services, request))
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
function register(site: Site, app: App, scope: App, services: Services, _closing: AbortSignal): void {
  assetRoutes(scope)
  homePage(site, services)
  searchPage(site, services)
  docsPages(site, scope)
  apiPages(site, app)
  logPages(site, services)
  sitemap(scope, services)
}
