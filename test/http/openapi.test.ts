import { readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { describeRegistry } from '../../tools/write-openapi.ts'

const described = await describeRegistry()

test('openapi.yaml is what the registry says of itself (else: npm run openapi)', async () => {
  expect(await readFile('openapi.yaml', 'utf8')).toBe(described)
})

test('every route names its operation, its access and its errors, and every reference leads somewhere', () => {
  const document = parse(described)
  expect(document.openapi).toBe('3.1.0')
  const operations = Object.values(document.paths as Record<string, Record<string, Operation>>).flatMap(
    Object.values,
  )
  expect(operations.length).toBeGreaterThan(20)
  for (const { operationId, security, responses } of operations) {
    expect(operationId).toMatch(/^[a-z][A-Za-z]+$/)
    expect(security).toBeInstanceOf(Array)
    expect(responses['500']?.content).toHaveProperty('application/problem+json')
  }
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  for (const [, name = ''] of described.matchAll(/#\/components\/schemas\/(\w+)/g))
    expect(document.components.schemas).toHaveProperty(name)
})

test('every request and every answer in JSON has an example, which its schema describes', () => {
  const document = parse(described)
  const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }))
  ajv.addSchema(document, 'openapi')
  const wrong: string[] = []
  let seen = 0
  for (const [path, operations] of Object.entries<Record<string, Described>>(document.paths))
    for (const [method, { operationId, requestBody, responses }] of Object.entries(operations)) {
      const contents = Object.entries({ request: requestBody, ...responses }).flatMap(([part, body]) =>
        Object.entries(body?.content ?? {}).map(([type, media]) => ({ part, type, media })),
      )
      for (const { part, type, media } of contents.filter(({ type }) => JSON_TYPES.includes(type))) {
        const where = `${operationId} ${part}`
        seen++
        const named = Object.keys(media.examples ?? {}).map(
          (name) => document.components.examples[name]?.value,
        )
        const examples = media.example === undefined ? named : [media.example]
        if (examples.length === 0) wrong.push(`${where}: no example`)
        const escaped = path.replaceAll('~', '~0').replaceAll('/', '~1')
        const at = part === 'request' ? 'requestBody' : `responses/${part}`
        const pointer = `openapi#/paths/${escaped}/${method}/${at}/content/${type.replaceAll('/', '~1')}/schema`
        const validate = ajv.compile({ $ref: encodeURI(pointer) })
        for (const example of examples)
          if (!validate(example)) wrong.push(`${where}: ${ajv.errorsText(validate.errors)}`)
      }
    }
  expect(wrong).toEqual([])
  expect(seen).toBeGreaterThan(300)
})

test('an example that its schema does not describe is found', () => {
  const ajv = addFormats.default(new Ajv2020({ strict: false }))
  expect(ajv.compile({ type: 'object', required: ['a'], properties: { a: { type: 'string' } } })({})).toBe(
    false,
  )
})

const JSON_TYPES = ['application/json', 'application/problem+json']

interface Content {
  content?: Record<string, { example?: unknown; examples?: object }>
}
interface Described {
  operationId: string
  requestBody?: Content
  responses: Record<string, Content>
}

interface Operation {
  operationId: string
  security: unknown[]
  responses: Record<string, { content?: object }>
}
