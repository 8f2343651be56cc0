import { afterAll, beforeAll, expect, test } from 'vitest'
import { Problem } from '../../src/http/problem.ts'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

const key = newKey()
let registry: RunningRegistry
let stranger: string
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  await openNamespace(registry, 'hidden', key)
  await publishAt(registry, await buildRelease('acme/limit', '1.0.0', key))
  for (const program of ['acme/secret', 'hidden/limit']) {
    const form = releaseForm(await buildRelease(program, '1.0.0', key))
    const path = '/api/v1/releases?visibility=private'
    expect((await registry.call('POST', path, { token: registry.admin, form })).status).toBe(201)
  }
  stranger = await registry.account('stranger')
})
afterAll(() => registry.close())

/** Why a name was refused as one that looks like another. */
const detailOf = ({ json }: Answer): string => {
  const { code, detail } = Problem.parse(json)
  expect(code).toBe('name_look_alike')
  return detail ?? ''
}

test.each([
  ['that everybody sees is named', 'acm-e', 'namespace "acme"'],
  ['without a public program is not', 'hid-den', 'another namespace'],
])('a namespace %s', async (_, name, said) => {
  const answer = await registry.call('POST', '/api/v1/namespaces', { token: stranger, body: { name } })
  expect(detailOf(answer)).toBe(`"${name}" looks like ${said}`)
})
test.each([
  ['that everybody sees is named', 'acme/l1mit', 'acme/limit'],
  ['that is private is not', 'acme/s-ecret', 'another program'],
])('a program %s', async (_, name, said) => {
  const answer = await publishAt(registry, await buildRelease(name, '1.0.0', key))
  expect(detailOf(answer)).toBe(`${name} looks like ${said}`)
})
test('an account is not named', async () => {
  const body = { name: 'str-anger' }
  const answer = await registry.call('POST', '/api/v1/accounts', { token: registry.admin, body })
  expect(detailOf(answer)).toBe('"str-anger" looks like another account')
})
