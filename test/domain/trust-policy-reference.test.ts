import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { parsePolicySpec } from '../../src/domain/policy-document.ts'
import { parseTrustPolicy, TrustPolicy } from '../../src/domain/trust-policy.ts'

const TEXT = readFileSync('docs/trust-policy.md', 'utf8')
/** Fingerprints are shortened there. */
const blocks = [...TEXT.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block = '']) =>
  block.replace(/sha256:([0-9a-f]+)…/g, (_, begin: string) => `sha256:${begin.padEnd(64, '0')}`),
)

test('the examples of docs/trust-policy.md are sound', () => {
  const [rules = '', log = '', owners = '', ofOwner = '', ...more] = blocks
  expect(more).toEqual([])
  expect(parseTrustPolicy(rules).programs[0]?.signers).toHaveLength(3)
  expect(parseTrustPolicy(log).log?.witnesses.threshold).toBe(2)
  expect(parseTrustPolicy(owners).owners).toHaveLength(1)
  expect(parsePolicySpec(ofOwner)).toMatchObject({ name: 'edge', selector: { role: 'edge' } })
})

/** Names of all fields below a JSON schema, at any depth. */
function fieldsOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(fieldsOf)
  const { success, data } = z.record(z.string(), z.unknown()).safeParse(schema)
  if (!success) return []
  const properties = z.record(z.string(), z.unknown()).safeParse(data['properties']).data ?? {}
  const below = [data['items'], data['anyOf'], data['oneOf'], data['allOf'], Object.values(properties)]
  return [...Object.keys(properties), ...below.flatMap(fieldsOf)]
}

test('docs/trust-policy.md names every field of trust.yaml, at any depth', () => {
  const fields = new Set(fieldsOf(z.toJSONSchema(TrustPolicy, { io: 'input' })))
  for (const field of ['operators', 'onStale', 'threshold', 'recovery', 'builders', 'issuer'])
    expect(fields).toContain(field)
  expect([...fields].filter((field) => !TEXT.includes(`\`${field}\``))).toEqual([])
})

test('what docs/trust-policy.md calls a default is one', () => {
  const { log, programs } = parseTrustPolicy(
    `log: { key: k }\nprograms: [{ match: "acme/*", signers: [{ key: "sha256:${'0'.repeat(64)}" }] }]\n`,
  )
  expect(log).toEqual({ key: 'k', maxAge: '24h', onStale: 'keep', witnesses: { keys: [], threshold: 0 } })
  const [{ minSigners, minAge, permissions, provenance } = {}] = programs
  expect({ minSigners, minAge, permissions, provenance }).toEqual({
    ...{ minSigners: 1, minAge: '0s', permissions: [], provenance: undefined },
  })
})
