import { readFileSync } from 'node:fs'
import { DomainError } from '../../domain/errors.ts'
import type { App } from '../../http/route.ts'
import { type Html, html } from '../html.ts'
import type { Site } from '../site.ts'
import { allDocuments, type Document } from './documents.ts'

const IMAGES = new URL('../../../docs/images/', import.meta.url)

/** The documents of the registry, rendered from the files that come with it. */
export function docsPages(site: Site, app: App): void {
  site.get('/docs', 'anyone', () => ({
    title: 'Documentation',
    description: 'How to publish signed eBPF programs, run them on nodes, and operate a registry.',
    section: 'docs',
    main: html`<div class="wide docs">${contents()}<article>
<h1>Documentation</h1>
${groups().map(
  ([group, documents]) =>
    html`<h2>${group}</h2><dl class="index">${documents.map(
      ({ name, title, summary }) =>
        html`<div><dt><a href="/docs/${name}">${title}</a></dt><dd>${summary}</dd></div>`,
    )}</dl>`,
)}
<h2>Reference</h2><dl class="index"><div><dt><a href="/docs/api">The API</a></dt><dd>Every request of the registry, with its answers, errors and examples.</dd></div></dl>
</article></div>`,
  }))
  site.get('/docs/:name', 'anyone', ({ params: { name } }) => {
    const document = allDocuments().find((one) => one.name === name)
    if (document === undefined) throw new DomainError('not_found', `there is no document "${name}"`)
    const { title, summary, body, headings } = document
    return {
      ...{ title, description: summary, section: 'docs' },
      main: html`<div class="wide docs">${contents(name)}<article class="prose">
<h1>${title}</h1>
${headings.length > 2 && html`<nav class="on-page" aria-label="On this page"><ul>${headings.map(({ anchor, text }) => html`<li><a href="#${anchor}">${text}</a></li>`)}</ul></nav>`}
${body}
</article></div>`,
    }
  })
  app.get(
    '/docs/images/:file',
    { config: { access: 'anyone', page: true }, schema: { hide: true } },
    async ({ params }, reply) => {
      const file =
        typeof params === 'object' && params !== null && 'file' in params ? String(params.file) : ''
      if (!/^[a-z0-9-]+\.svg$/.test(file)) throw new DomainError('not_found', 'there is no such picture')
      return reply
        .header('cache-control', 'public, max-age=3600')
        .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
        .type('image/svg+xml')
        .send(readImage(file))
    },
  )
}

function readImage(file: string): Buffer {
  try {
    return readFileSync(new URL(file, IMAGES))
  } catch (cause) {
    throw new DomainError('not_found', 'there is no such picture', { cause })
  }
}

function groups(): [string, Document[]][] {
  const grouped = new Map<string, Document[]>()
  for (const document of allDocuments())
    grouped.set(document.group, [...(grouped.get(document.group) ?? []), document])
  return [...grouped]
}

/** The contents beside a document; `current` is marked. */
export const contents = (current?: string): Html => html`<nav class="contents" aria-label="Documentation">
<details class="unfolds"><summary>Documentation</summary>
${groups().map(
  ([group, documents]) =>
    html`<h2>${group}</h2><ul>${documents.map(({ name, title }) => item(name, title, current))}</ul>`,
)}
<h2>Reference</h2><ul>${item('api', 'The API', current)}</ul>
</details></nav>`

const item = (name: string, title: string, current: string | undefined): Html =>
  html`<li><a href="/docs/${name}"${name === current && html` aria-current="page"`}>${title}</a></li>`
