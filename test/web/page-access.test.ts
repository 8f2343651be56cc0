import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildApp } from '../../src/http/app.ts'
import { webPages } from '../../src/web/pages.ts'
import { ACTORS, type ActorName, HOLDERS, startWithActors } from '../http/actors.ts'
import type { RunningRegistry } from '../http/running-registry.ts'
import { openBrowser } from './visitor.ts'

interface PageRoute {
  readonly method: string
  readonly path: string
  readonly right: string
}

/** Everybody who has a browser: nodes have none. */
const VISITORS = ACTORS.filter((name) => name !== 'node')

let registry: RunningRegistry
let tokens: ReadonlyMap<ActorName, string>
let routes: PageRoute[] = []
beforeAll(async () => {
  ;({ registry, tokens } = await startWithActors())
  routes = await readRoutes()
}, 120_000)
afterAll(() => registry.close())

/** All pages and forms, from an app that is built over the same services. */
async function readRoutes(): Promise<PageRoute[]> {
  const found: PageRoute[] = []
  const pages = webPages()
  await buildApp(registry.services, {
    ...pages,
    register: async (app, services, closing) => {
      app.addHook('onRoute', ({ method, url, config }) => {
        if (config?.page === true && method !== 'HEAD')
          found.push({ method: String(method), path: url, right: config.access ?? 'unsaid' })
      })
      await pages.register(app, services, closing)
    },
  })
  return found
}

const VALUES: Record<string, string> = {
  ...{ ns: 'acme', name: 'secret', version: '1.0.0', account: 'nobody-here', robot: 'nothing-here' },
  id: '00000000-0000-4000-8000-000000000000',
}
/** A path with its parameters filled in. Nobody leaves acme: others ask later. */
const concrete = (path: string): string =>
  path
    .replace(/^\/me\/(namespaces|invitations)\/:ns/, '/me/$1/elsewhere')
    .replaceAll(/:(\w+)/g, (_, name: string) => VALUES[name] ?? 'absent')

/** Whether a visitor, rather than what he asks for, is refused. */
async function isRefused(name: ActorName, { method, path }: PageRoute): Promise<boolean> {
  const browser = openBrowser(registry, tokens.get(name))
  const { status, location, text } = await (method === 'GET'
    ? browser.get(concrete(path))
    : browser.post(concrete(path)))
  if (name === 'anonymous' && method === 'GET' && location?.startsWith('/sign-in?next=') === true) return true
  // what a form lacks is said on its page; what its sender lacks, on one of its own
  if (!text.includes('class="wide narrow refusal"')) return false
  return status === 401 || status === 403 || text.includes('that is yours')
}

test('every page says who may see it', () => {
  expect(routes.length).toBeGreaterThan(35)
  expect(routes.filter(({ right }) => HOLDERS[right] === undefined)).toEqual([])
})

test.each(VISITORS)(
  '%s may see and send just what is his',
  async (name) => {
    const wrong: string[] = []
    for (const route of routes) {
      const allowed = HOLDERS[route.right]?.includes(name) ?? false
      if ((await isRefused(name, route)) === allowed)
        wrong.push(`${route.method} ${route.path} (${route.right})`)
    }
    expect(wrong).toEqual([])
  },
  60_000,
)

test('a page that forgot to say so is for nobody but administrators', async () => {
  const pages = webPages()
  const app = await buildApp(registry.services, {
    ...pages,
    register: async (scope, services, closing) => {
      scope.get('/forgotten', { config: { page: true }, schema: { hide: true } }, async () => 'seen')
      await pages.register(scope, services, closing)
    },
  })
  const ask = (name: ActorName) =>
    app.inject({ url: '/forgotten', headers: { cookie: `hookline=given.${tokens.get(name)}` } })
  expect((await ask('owner')).statusCode).toBe(403)
  expect((await ask('admin')).statusCode).toBe(200)
})

test('who has no part in a namespace sees the same of one that is there and of one that is not', async () => {
  for (const name of ['stranger', 'viewer', 'operator'] as const) {
    const browser = openBrowser(registry, tokens.get(name))
    for (const path of ['/members', '/signers', '/proofs', '/audit', '/robots/ci']) {
      const there = await browser.get(`/namespaces/acme${path}`)
      const notThere = await browser.get(`/namespaces/absent${path}`)
      expect(there.status).toBe(404)
      expect(there.text).toBe(notThere.text.replaceAll('absent', 'acme'))
    }
    for (const path of ['/manage', '/report']) {
      const there = await browser.get(`/programs/acme/secret${path}`)
      const notThere = await browser.get(`/programs/acme/gone${path}`)
      expect(there.status).toBe(404)
      expect(there.text.replaceAll('secret', 'gone')).toBe(notThere.text)
    }
  }
})
