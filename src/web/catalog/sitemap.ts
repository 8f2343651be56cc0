import { LIMITS } from '../../domain/limits.ts'
import type { App } from '../../http/route.ts'
import type { Services } from '../../http/services.ts'
import { allDocuments } from '../docs/documents.ts'
import { escapeHtml } from '../html.ts'
import { programUrl } from './program-list.ts'

/** For search engines: which addresses there are (sitemaps.org, protocol 0.9), and which to leave alone (RFC 9309). */
export function sitemap(app: App, services: Services): void {
  const { catalog, clock } = services
  const base = (): string => services.publicUrl ?? app.listeningOrigin
  let kept: { text: string; until_ms: number } | undefined
  app.get('/sitemap.xml', options, async (_request, reply) => {
    const now_ms = clock().getTime()
    if (kept === undefined || kept.until_ms <= now_ms) {
      const documents = [
        '/',
        '/search',
        '/log',
        '/docs',
        '/docs/api',
        ...allDocuments().map(({ name }) => `/docs/${name}`),
      ]
      const programs = await catalog.addresses(LIMITS.sitemap_addresses - documents.length)
      const urls = [
        ...documents.map((path) => `<url><loc>${escapeHtml(base() + path)}</loc></url>`),
        ...programs.map(
          ({ program, updatedAt }) =>
            `<url><loc>${escapeHtml(base() + programUrl(program))}</loc><lastmod>${updatedAt}</lastmod></url>`,
        ),
      ]
      const text = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
        ...urls,
        '</urlset>\n',
      ].join('\n')
      kept = { text, until_ms: now_ms + LIMITS.sitemap_age_s * 1000 }
    }
    return reply
      .header('cache-control', `public, max-age=${LIMITS.sitemap_age_s}`)
      .type('application/xml; charset=utf-8')
      .send(kept.text)
  })
  app.get('/robots.txt', options, async (_request, reply) =>
    reply
      .header('cache-control', `public, max-age=${LIMITS.sitemap_age_s}`)
      .type('text/plain; charset=utf-8')
      .send(
        [
          'User-agent: *',
          ...['/search?', '/api/', '/me', '/nodes', '/functions', '/sign-in'].map(
            (path) => `Disallow: ${path}`,
          ),
          `Sitemap: ${base()}/sitemap.xml`,
          '',
        ].join('\n'),
      ),
  )
}

const options = { config: { access: 'anyone' as const }, schema: { hide: true } }
