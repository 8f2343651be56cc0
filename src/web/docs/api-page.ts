import type { OpenAPIV3_1 } from 'openapi-types'
import { DomainError, ERRORS, isErrorCode } from '../../domain/errors.ts'
import { openApiDocument } from '../../http/openapi.ts'
import type { App } from '../../http/route.ts'
import { type Html, html } from '../html.ts'
import type { Site } from '../site.ts'
import { counted } from '../text.ts'
import { contents } from './docs-page.ts'

/** A request that the registry takes, as its description says. */
interface Operation {
  readonly id: string
  readonly tag: string
  readonly method: string
  readonly path: string
  readonly right: string
  readonly described: OpenAPIV3_1.OperationObject
}

/** What the tags of the description are called, in order. */
const TAGS: readonly [string, string, string][] = [
  ['catalog', 'Catalog', 'programs, releases, files, search'],
  ['namespaces', 'Namespaces', 'who owns them, publishes in them and signs for them'],
  ['accounts', 'Accounts', 'people, robots and their tokens'],
  ['login', 'Login', 'by way of an identity provider'],
  ['trusted publishing', 'Trusted publishing', 'pipelines that publish without a stored secret'],
  ['functions', 'Functions', 'orders to nodes, and who may sign them'],
  ['nodes', 'Nodes', 'how they join, what they run'],
  ['webhooks', 'Webhooks', 'being told of changes'],
  ['feeds', 'Feeds and badges', 'new releases'],
  ['audit', 'Audit', 'who changed what'],
  ['service', 'Service', 'health and description'],
]

/** The reference of the API, made of the same description that the registry gives to programs. */
export function apiPages(site: Site, app: App): void {
  let read: { document: OpenAPIV3_1.Document; operations: readonly Operation[] } | undefined
  const reference = () => {
    if (read === undefined) {
      const document = openApiDocument(app)
      read = { document, operations: operationsOf(document) }
    }
    return read
  }
  site.get('/docs/api', 'anyone', () => {
    const { operations } = reference()
    return {
      ...{ title: 'API reference', section: 'docs' },
      description: `The ${operations.length} requests of a Hookline registry.`,
      main: html`<div class="wide docs">${contents('api')}<article>
<h1>API reference</h1>
<p>JSON over HTTP. Errors are problem documents (RFC 9457) with a stable <code>code</code> and a remedy. The same as <a href="/openapi.yaml">OpenAPI 3.1</a>.</p>
${groupsOf(operations).map(
  ([tag, of]) => html`<h2><a href="/docs/api/${encodeURIComponent(tag)}">${titleOf(tag)}</a></h2>
<p class="quiet">${wordsOf(tag)}</p>
<ul class="operations">${of.map(
    ({ id, method, path, described }) =>
      html`<li><a href="/docs/api/${encodeURIComponent(tag)}#${id}"><b class="method">${method}</b> <code>${pathText(path)}</code></a><span>${described.summary}</span></li>`,
  )}</ul>`,
)}
</article></div>`,
    }
  })
  site.get('/docs/api/:tag', 'anyone', ({ params: { tag = '' } }) => {
    const { document, operations } = reference()
    const of = operations.filter((operation) => operation.tag === tag)
    if (of.length === 0) throw new DomainError('not_found', `the API has no part "${tag}"`)
    return {
      ...{ title: `API: ${titleOf(tag)}`, section: 'docs' },
      description: `${titleOf(tag)}: ${wordsOf(tag)}`,
      main: html`<div class="wide docs">${contents('api')}<article>
<p class="crumb"><a href="/docs/api">API reference</a></p>
<h1>${titleOf(tag)}</h1>
<p class="quiet">${counted(of.length, 'request')}: ${wordsOf(tag)}</p>
${of.map((operation) => operationPart(operation, document))}
</article></div>`,
    }
  })
}

const titleOf = (tag: string): string => TAGS.find(([name]) => name === tag)?.[1] ?? tag
const wordsOf = (tag: string): string => TAGS.find(([name]) => name === tag)?.[2] ?? ''

function operationsOf({ paths = {} }: OpenAPIV3_1.Document): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    (['get', 'post', 'put', 'patch', 'delete'] as const).flatMap((method) => {
      const described = methods?.[method]
      if (described === undefined) return []
      const right = 'x-right' in described ? String(described['x-right']) : ''
      const tag = described.tags?.[0] ?? 'service'
      return [{ id: described.operationId ?? '', tag, method: method.toUpperCase(), path, right, described }]
    }),
  )
}

function groupsOf(operations: readonly Operation[]): [string, Operation[]][] {
  const tags = [...new Set([...TAGS.map(([tag]) => tag), ...operations.map(({ tag }) => tag)])]
  return tags
    .map((tag): [string, Operation[]] => [tag, operations.filter((operation) => operation.tag === tag)])
    .filter(([, of]) => of.length > 0)
}

/** A path that may break behind its slashes. */
const pathText = (path: string): Html =>
  html`${path.split('/').map((part, at) => (at === 0 ? part : html`/<wbr>${part}`))}`

function operationPart(
  { id, method, path, right, described }: Operation,
  document: OpenAPIV3_1.Document,
): Html {
  const { summary, parameters = [], requestBody, responses = {} } = described
  const body = requestBody === undefined || '$ref' in requestBody ? undefined : requestBody.content
  return html`<section class="operation" aria-labelledby="${id}">
<h2 id="${id}">${summary}</h2>
<p class="request"><b class="method">${method}</b> <code>${pathText(path)}</code></p>
<p class="quiet">${accessText(right)}</p>
${parametersPart(parameters)}
${body !== undefined && contentPart('Sends', body)}
${Object.entries(responses)
  .filter(([status]) => Number(status) < 400)
  .map(([status, response]) =>
    '$ref' in response
      ? undefined
      : contentPart(`Answers ${status}`, response.content ?? {}, response.description),
  )}
${refusalsPart(responses, document)}
</section>`
}

function accessText(right: string): string {
  if (right === 'anyone') return 'For everybody; what is private, with a token of a member.'
  if (right === 'node') return 'For a node, by its signature.'
  if (right === 'joining') return 'For a host that joins, by its join token and the signature of its new key.'
  return `With a token that has the right “${right}”.`
}

function parametersPart(parameters: NonNullable<OpenAPIV3_1.OperationObject['parameters']>): Html | false {
  const shown = parameters.flatMap((parameter) => ('$ref' in parameter ? [] : [parameter]))
  if (shown.length === 0) return false
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Parameters"><table><thead><tr><th scope="col">Parameter</th><th scope="col">In</th><th scope="col">What</th></tr></thead><tbody>${shown.map(
    ({ name, in: where, required, schema, description }) =>
      html`<tr><td><code>${name}</code></td><td>${where}</td><td>${schemaText(schema)}${required !== true && ' (optional)'}${description !== undefined && html`: ${description}`}</td></tr>`,
  )}</tbody></table></div>`
}

/** A schema in a few words. */
function schemaText(schema: OpenAPIV3_1.ParameterObject['schema']): string {
  if (schema === undefined || '$ref' in schema) return 'any'
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema.type === 'array') return `several: ${schemaText(schema.items)}`
  const bounds = [
    schema.minimum === undefined ? '' : `from ${schema.minimum}`,
    schema.maximum === undefined || schema.maximum >= Number.MAX_SAFE_INTEGER ? '' : `to ${schema.maximum}`,
    schema.default === undefined ? '' : `default ${String(schema.default)}`,
  ].filter((bound) => bound !== '')
  const type = schema.format ?? (Array.isArray(schema.type) ? schema.type.join(' or ') : schema.type)
  return [type ?? 'any', ...bounds].join(', ')
}

const contentPart = (
  title: string,
  content: Record<string, OpenAPIV3_1.MediaTypeObject>,
  description?: string,
): Html => {
  const [[type, media] = [undefined, undefined]] = Object.entries(content)
  const example = media?.example === undefined ? undefined : JSON.stringify(media.example, null, 2)
  return html`<h3>${title}${type !== undefined && html` <span class="quiet mono">${type}</span>`}</h3>
${description !== undefined && description !== 'done' && html`<p>${description}</p>`}
${example !== undefined && html`<pre tabindex="0"><code>${example}</code></pre>`}`
}

function refusalsPart(
  responses: OpenAPIV3_1.ResponsesObject,
  { components }: OpenAPIV3_1.Document,
): Html | false {
  const known = components?.examples ?? {}
  const refusals = Object.entries(responses).flatMap(([status, response]) => {
    if (Number(status) < 400 || '$ref' in response) return []
    return response.description.split(', ').flatMap((code) => (code in known ? [{ status, code }] : []))
  })
  if (refusals.length === 0) return false
  return html`<details><summary>${counted(refusals.length, 'error')}</summary><div class="scroll" tabindex="0" role="region" aria-label="Errors"><table><thead><tr><th scope="col">Status</th><th scope="col">Code</th><th scope="col">What to do</th></tr></thead><tbody>${refusals.map(
    ({ status, code }) =>
      html`<tr><td>${status}</td><td><code>${code}</code></td><td>${isErrorCode(code) && ERRORS[code].remedy}</td></tr>`,
  )}</tbody></table></div></details>`
}
