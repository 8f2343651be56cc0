import { readFile } from 'node:fs/promises'
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

interface Operation {
  operationId: string
  security: unknown[]
  responses: Record<string, { content?: object }>
}
