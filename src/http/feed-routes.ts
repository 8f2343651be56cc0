import { createHash } from 'node:crypto'
import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Name } from '../domain/names.ts'
import { readableBy } from '../registry/access.ts'
import { badge, countText } from '../registry/badge.ts'
import { releaseFeed } from '../registry/feed.ts'
import { type App, bytes, described } from './route.ts'
import type { Services } from './services.ts'

const ATOM = 'application/atom+xml'
const SVG = 'image/svg+xml'
const tags = ['feeds']
const ProgramPath = z.strictObject({ ns: Name, name: Name })

/** Feeds of new releases (RFC 4287), and badges for READMEs. Both are public: what is private is not in them. */
export function feedRoutes(app: App, services: Services): void {
  const { catalog, downloads } = services
  for (const [path, operationId, summary, params] of [
    ['/feeds/releases.atom', 'feed', 'The newest releases', z.strictObject({})],
    [
      '/feeds/:ns/releases.atom',
      'feedOfNamespace',
      'The newest releases of a namespace',
      z.strictObject({ ns: Name }),
    ],
    ['/feeds/:ns/:name/releases.atom', 'feedOfProgram', 'The newest releases of a program', ProgramPath],
  ] as const)
    app.get(
      path,
      described(
        'anyone',
        { operationId, tags, summary },
        {
          params,
          response: { 200: bytes('An Atom feed', ATOM), 304: z.unknown().meta({ description: 'unchanged' }) },
        },
      ),
      async (request, reply) => {
        const { ns, name } = Scope.parse(request.params)
        const within = [ns, name].filter((part) => part !== undefined).join('/')
        const releases = await catalog.newest(within === '' ? undefined : within, LIMITS.feed_entries)
        const base = services.publicUrl ?? app.listeningOrigin
        const feed = releaseFeed(releases, { base, path: request.url.split('?', 1)[0] ?? '', within })
        const etag = `"${createHash('sha256').update(feed).digest('base64url')}"`
        reply.header('etag', etag).header('cache-control', `public, max-age=${LIMITS.feed_age_s}`)
        const [latest] = releases
        if (latest !== undefined) reply.header('last-modified', new Date(latest.publishedAt).toUTCString())
        if (request.headers['if-none-match'] === etag) return reply.code(304).send()
        return reply.type(`${ATOM}; charset=utf-8`).send(Buffer.from(feed))
      },
    )
  for (const [kind, summary] of [
    ['version', 'A badge with the newest version'],
    ['downloads', 'A badge with the downloads'],
  ] as const)
    app.get(
      `/badges/:ns/:name/${kind}.svg`,
      described(
        'anyone',
        { operationId: `badge${kind === 'version' ? 'Version' : 'Downloads'}`, tags, summary },
        { params: ProgramPath, response: { 200: bytes('An SVG image', SVG) } },
      ),
      async ({ params: { ns, name } }, reply) => {
        // what is private, or is not there, is unknown to everybody
        const program = `${ns}/${name}`
        const readable = readableBy({ kind: 'anonymous' })
        const found = await catalog.program(program, readable).catch(() => undefined)
        const latest = found?.versions.find(({ yanked }) => yanked === undefined)?.version
        const text =
          found === undefined
            ? 'unknown'
            : kind === 'version'
              ? (latest ?? 'none')
              : countText((await downloads.history(program, 1)).total)
        const image = badge(kind === 'version' ? 'hookline' : 'downloads', text)
        return reply
          .header('cache-control', `public, max-age=${LIMITS.feed_age_s}`)
          .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
          .header('cross-origin-resource-policy', 'cross-origin')
          .type(SVG)
          .send(Buffer.from(image))
      },
    )
}

const Scope = z.object({ ns: Name.optional(), name: Name.optional() })
