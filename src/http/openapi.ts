import swagger from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { OpenAPIV3_1 } from 'openapi-types'
import { stringify } from 'yaml'
import { z } from 'zod'
import { AccountView, WhoAmI } from '../domain/account.ts'
import { AuditRecord } from '../domain/audit.ts'
import { ERRORS, isErrorCode } from '../domain/errors.ts'
import { FunctionStep, FunctionView } from '../domain/fleet-function.ts'
import { InvitationView, KeyView, MemberView, NamespaceView } from '../domain/namespace.ts'
import { Desired, NodeView, Observed, ObservedChain } from '../domain/node.ts'
import { ProgramPage, ProgramView, ReleaseDescriptor, ReleaseView, ReportView } from '../domain/release.ts'
import { FoundProgram, SearchPage } from '../domain/search.ts'
import { NewToken, TokenRequest, TokenView } from '../domain/token.ts'
import { exampleOf, exampleProblem } from './examples.ts'
import { Problem } from './problem.ts'
import type { App } from './route.ts'

const NAMED = {
  ...{ Problem, ReleaseView, ReleaseDescriptor, ProgramPage, ProgramView, KeyView, NewToken, TokenRequest },
  ...{
    AccountView,
    WhoAmI,
    TokenView,
    NamespaceView,
    MemberView,
    InvitationView,
    ReportView,
    FoundProgram,
    SearchPage,
  },
  ...{ AuditRecord, FunctionView, FunctionStep, Desired, NodeView, Observed, ObservedChain },
}
for (const [id, schema] of Object.entries(NAMED)) z.globalRegistry.add(schema, { id })

/** Collects the description of every route registered after it. */
export async function describeRoutes(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Hookline registry',
        version: '1',
        description:
          'Signed eBPF programs and signed orders to nodes. Errors are problems (RFC 9457); `code` is stable.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A token made by POST /api/v1/tokens' },
          nodeSignature: {
            type: 'apiKey',
            in: 'header',
            name: 'Signature',
            description:
              'HTTP message signature (RFC 9421) by the node’s Ed25519 key, label `hookline`, over @method, @path, @query and content-digest, with created, keyid (the node’s id, to join its key’s fingerprint) and nonce',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  })
}

/** The description of all routes: OpenAPI 3.1 in YAML. The app must be ready. */
export const openApiYaml = (app: App): string =>
  stringify(openApiDocument(app), { lineWidth: 110, aliasDuplicateObjects: false })

/** The same as a document. */
export function openApiDocument(app: App): OpenAPIV3_1.Document {
  const document: OpenAPIV3_1.Document = JSON.parse(JSON.stringify(app.swagger()))
  const examples = addExamples(document)
  const components = { ...document.components, schemas: usedSchemas(document), examples }
  return { ...document, components }
}

const PROBLEM = 'application/problem+json'
const JSON_TYPE = 'application/json'

function operationsOf(document: OpenAPIV3_1.Document): OpenAPIV3_1.OperationObject[] {
  const paths = Object.values(document.paths ?? {})
  return paths
    .flatMap((path) => [path?.get, path?.put, path?.post, path?.delete, path?.patch])
    .filter((operation) => operation !== undefined)
}

/** Gives each request and answer in JSON an example, and each refusal one for each of its codes. */
function addExamples(document: OpenAPIV3_1.Document): Record<string, OpenAPIV3_1.ExampleObject> {
  const refusals: Record<string, OpenAPIV3_1.ExampleObject> = {}
  const parts = document.components?.schemas ?? {}
  const exemplify = (content: Record<string, OpenAPIV3_1.MediaTypeObject> | undefined): void => {
    const media = content?.[JSON_TYPE]
    if (media?.schema !== undefined) media.example = exampleOf(media.schema, parts)
  }
  for (const { requestBody, responses } of operationsOf(document)) {
    if (requestBody !== undefined && !('$ref' in requestBody)) exemplify(requestBody.content)
    for (const [status, response] of Object.entries(responses ?? {})) {
      if ('$ref' in response) continue
      if (response.description === 'Default Response') response.description = 'done'
      exemplify(response.content)
      const problem = response.content?.[PROBLEM]
      if (problem === undefined) continue
      problem.examples = {}
      for (const code of response.description.split(', ').filter(isErrorCode)) {
        refusals[code] ??= { value: exampleProblem(code, Number(status), ERRORS[code]) }
        problem.examples[code] = { $ref: `#/components/examples/${code}` }
      }
    }
  }
  return refusals
}

/** Each named schema comes in a form for requests and one for answers: those that no route leads to are left out. */
function usedSchemas(document: OpenAPIV3_1.Document): Record<string, OpenAPIV3_1.SchemaObject> {
  const schemas = document.components?.schemas ?? {}
  const used = new Set<string>()
  const follow = (part: unknown): void => {
    for (const [, name = ''] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (used.has(name)) continue
      used.add(name)
      follow(schemas[name] ?? {})
    }
  }
  follow(document.paths ?? {})
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)))
}
