import { readFileSync } from 'node:fs'
import type { Html } from '../html.ts'
import { anchorOf, renderDocument } from '../markdown.ts'

/** What is told in which order, from the first look to the last detail; the name is its address, the file a Markdown text. */
const DOCUMENTS = [
  { name: 'start', file: 'README.md', group: 'Begin' },
  { name: 'manifest', file: 'docs/manifest.md', group: 'Publish' },
  { name: 'releases', file: 'docs/releases.md', group: 'Publish' },
  { name: 'permissions', file: 'docs/permissions.md', group: 'Publish' },
  { name: 'signing', file: 'docs/signing.md', group: 'Publish' },
  { name: 'function', file: 'docs/function.md', group: 'Run' },
  { name: 'chains', file: 'docs/chains.md', group: 'Run' },
  { name: 'revocation', file: 'docs/revocation.md', group: 'Run' },
  { name: 'verdicts', file: 'docs/verdicts.md', group: 'Run' },
  { name: 'performance', file: 'docs/performance.md', group: 'Run' },
  { name: 'log', file: 'docs/log.md', group: 'Operate' },
  { name: 'operating', file: 'docs/operating.md', group: 'Operate' },
  { name: 'running', file: 'docs/running.md', group: 'Operate' },
  { name: 'trust-policy', file: 'docs/trust-policy.md', group: 'Operate' },
  { name: 'security', file: 'docs/security.md', group: 'Operate' },
  { name: 'access', file: 'docs/access.md', group: 'Operate' },
  { name: 'architecture', file: 'docs/architecture.md', group: 'Operate' },
] as const

/** A document as it is shown. */
export interface Document {
  readonly name: string
  readonly group: string
  readonly title: string
  /** Its first sentence. */
  readonly summary: string
  readonly body: Html
  readonly headings: readonly { readonly anchor: string; readonly text: string }[]
}

const ROOT = new URL('../../../', import.meta.url)

/** Address of what a document links to; undefined for what is not shown here, such as how to contribute. */
function target(address: string): string | undefined {
  if (/^https?:\/\//.test(address) || address.startsWith('#')) return address
  const [path = '', anchor] = address.replace(/^(\.\.\/)+/, '').split('#')
  const file = path.replace(/^docs\//, '')
  if (file === 'openapi.yaml') return '/docs/api'
  if (/^images\/[\w-]+\.svg$/.test(file)) return `/docs/${file}`
  const found = DOCUMENTS.find((one) => one.file === path || one.file === `docs/${file}`)
  return found === undefined ? undefined : `/docs/${found.name}${anchor === undefined ? '' : `#${anchor}`}`
}

let documents: readonly Document[] | undefined
/** All documents, read once. */
export function allDocuments(): readonly Document[] {
  documents ??= DOCUMENTS.map(({ name, file, group }) => {
    const text = readFileSync(new URL(file, ROOT), 'utf8').replace(/^<!--.*-->\n/gm, '')
    const [, heading = name, rest = ''] = /^# (.*)\n([\s\S]*)$/.exec(text) ?? []
    return { name, group, title: name === 'start' ? 'Start here' : plain(heading), ...partsOf(rest) }
  })
  return documents
}

function partsOf(text: string): Pick<Document, 'summary' | 'body' | 'headings'> {
  const [first = ''] = text.trim().split('\n\n')
  const seen = new Map<string, number>()
  // headings in code are none
  const lines = text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^(#{2,6}) (.*)$/gm)
  const headings = [...lines].map(([, level = '', heading = '']) => ({
    ...{ level: level.length, text: plain(heading), anchor: anchorOf(heading, seen) },
  }))
  return {
    summary: `${plain(first).split(/[.:](?:\s|$)/, 1)[0]}.`,
    body: renderDocument(text, target),
    headings: headings.filter(({ level }) => level === 2),
  }
}

/** Text without its marks. */
const plain = (markdown: string): string =>
  markdown
    .replace(/[*`]/g, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\s+/g, ' ')
