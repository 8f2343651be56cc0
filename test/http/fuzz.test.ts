import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Description, fuzzApi } from '../../tools/fuzz-api/fuzz-api.ts'
import { openFuzzedRegistry } from '../../tools/fuzz-api/fuzzed-registry.ts'
import { temporaryDirectory } from './running-registry.ts'

let dir: string
let registry: Awaited<ReturnType<typeof openFuzzedRegistry>>
beforeAll(async () => {
  dir = await temporaryDirectory()
  registry = await openFuzzedRegistry(dir)
}, 60_000)
afterAll(async () => {
  await registry.close()
  await rm(dir, { recursive: true })
})
const fuzz = (description: Description, count: number) =>
  fuzzApi(registry.app, description, registry.actors, { count, seed: 11 })

test('requests of all kinds are answered as described, and the registry never fails', async () => {
  const report = await fuzz(registry.description, 1500)
  expect([report.failures, registry.failures]).toEqual([[], []])
  expect(report.operations).toBeGreaterThan(60)
  for (const status of [200, 201, 204, 400, 401, 403, 404, 415])
    expect(report.byStatus[status]).toBeGreaterThan(0)
}, 60_000)
const SURPRISING = { type: 'object', properties: { surprise: { type: 'string' } }, required: ['surprise'] }
test('an answer that is not as described is found', async () => {
  const description: Description = JSON.parse(JSON.stringify(registry.description))
  const { get } = description.paths['/api/v1/programs'] ?? {}
  Object.assign(get?.responses ?? {}, {
    200: { content: { 'application/json': { schema: SURPRISING } } },
  })
  const only: Description = { ...description, paths: { '/api/v1/programs': { get } as never } }
  const { failures } = await fuzz(only, 60)
  expect(failures[0]?.why).toContain('surprise')
  Object.assign(get ?? {}, { responses: {} })
  expect((await fuzz(only, 5)).failures[0]?.why).toMatch(/^status \d+ is not described$/)
})
