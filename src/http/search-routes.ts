import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Name } from '../domain/names.ts'
import { DownloadHistory, SearchPage, SearchRequest } from '../domain/search.ts'
import { readableBy } from '../registry/access.ts'
import { type App, described } from './route.ts'
import type { Services } from './services.ts'

/** A parameter that may come several times, once, or not at all. */
const repeated = (schema: z.ZodType) =>
  z.preprocess((given) => (given === undefined ? [] : Array.isArray(given) ? given : [given]), schema)

const { hook, permission, license, namespace, signed, verified, limit: _, ...single } = SearchRequest.shape
const Query = z.strictObject({
  ...single,
  hook: repeated(hook),
  permission: repeated(permission),
  license: repeated(license),
  namespace: repeated(namespace),
  signed: repeated(signed),
  verified: repeated(verified),
  limit: z.coerce.number().int().min(1).max(LIMITS.page_items).default(20),
})
const Days = z.strictObject({
  days: z.coerce.number().int().min(1).max(LIMITS.download_days).default(30),
})
const tags = ['catalog']

/** Finding programs, and how often they are fetched. */
export function searchRoutes(app: App, { search, catalog, downloads }: Services): void {
  app.get(
    '/api/v1/search',
    described(
      'anyone',
      {
        operationId: 'search',
        tags,
        summary:
          'Programs by words, which may be mistyped, and by filters; each filter may be repeated: its values are alternatives',
      },
      { querystring: Query, response: { 200: SearchPage } },
    ),
    ({ query, actor }) => search.find(SearchRequest.parse(query), readableBy(actor)),
  )
  app.get(
    '/api/v1/programs/:ns/:name/downloads',
    described(
      'anyone',
      {
        operationId: 'getDownloads',
        tags,
        summary: 'Downloads of a program by day (UTC)',
        errors: ['not_found'],
      },
      {
        params: z.strictObject({ ns: Name, name: Name }),
        querystring: Days,
        response: { 200: DownloadHistory },
      },
    ),
    async ({ params: { ns, name }, query, actor }) => {
      const { program } = await catalog.program(`${ns}/${name}`, readableBy(actor))
      return downloads.history(program, query.days)
    },
  )
}
