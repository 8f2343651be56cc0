import { describe, expect, test } from 'vitest'
import { asDomainError } from '../../src/domain/errors.ts'
import { requireAge } from '../../src/domain/release-rules.ts'
import { acceptsSigner, distinctSigners } from '../../src/domain/signer.ts'
import { minAgeSeconds, type ProgramRule, parseTrustPolicy, ruleFor } from '../../src/domain/trust-policy.ts'

const [KEY, OTHER] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`]
const WORKFLOW = 'https://github.com/acme/app/.github/workflows/release.yml'
const ISSUER = 'https://token.actions.githubusercontent.com'
/** A policy of one rule with these further fields. */
const policyWith = (fields: string, rest = ''): string =>
  `programs:\n  - { match: "acme/*", signers: [{ key: "${KEY}" }], ${fields} }\n${rest}`
function outcome(text: string): string {
  try {
    parseTrustPolicy(text)
    return 'accepted'
  } catch (thrown) {
    return asDomainError(thrown).code
  }
}
const ruleWith = (fields: string): ProgramRule =>
  ruleFor(parseTrustPolicy(policyWith(fields)), 'acme/app') ?? expect.fail('no rule')

describe('a rule of trust.yaml', () => {
  test.each([
    ['several signers', 'minSigners: 2', 'accepted'],
    ['no signer at all', 'minSigners: 0', 'invalid_policy'],
    ['more signers than a release can have', 'minSigners: 10', 'invalid_policy'],
    ['an age', 'minAge: 24h', 'accepted'],
    ['an age without a unit', 'minAge: 24', 'invalid_policy'],
    ['an age in weeks', 'minAge: 2w', 'invalid_policy'],
    ['licences', 'licenses: [MIT, GPL-2.0-only OR ISC]', 'accepted'],
    ['a licence that is none', 'licenses: [anything]', 'invalid_policy'],
    ['no licence, which nothing would satisfy', 'licenses: []', 'invalid_policy'],
    ['a provenance', `provenance: { required: true, builders: ["${WORKFLOW}@refs/tags/*"] }`, 'accepted'],
    ['a provenance that is not required', 'provenance: { required: false, builders: [x] }', 'invalid_policy'],
    ['a provenance of any builder', 'provenance: { required: true, builders: [] }', 'invalid_policy'],
    ['a builder pattern that reaches too far', 'provenance: { builders: ["https://*"] }', 'invalid_policy'],
    [
      'a provenance of an identity that nothing vouches for',
      `provenance: { builders: [b], signers: [{ identity: x, issuer: "${ISSUER}" }] }`,
      'invalid_policy',
    ],
    ['a field that nobody knows', 'maxAge: 24h', 'invalid_policy'],
  ])('%s', (_, fields, code) => {
    expect(outcome(policyWith(fields))).toBe(code)
  })
})

test.each([
  ['0s', 0],
  ['90s', 90],
  ['15m', 900],
  ['24h', 86_400],
  ['7d', 604_800],
])('%s are %i seconds', (minAge, seconds) => {
  expect(minAgeSeconds({ minAge })).toBe(seconds)
})

describe('a minimum age', () => {
  const since = new Date('2026-05-01T00:00:00Z')
  const dayLater = (ms: number): Date => new Date(since.getTime() + 86_400_000 + ms)
  test('refuses what is a moment too young, and says until when', () => {
    expect(() => requireAge(ruleWith('minAge: 24h'), 'acme/app@1.0.0', since, dayLater(-1))).toThrow(
      expect.objectContaining({ code: 'too_young', until: dayLater(0) }),
    )
  })
  test('accepts what is just old enough', () => {
    requireAge(ruleWith('minAge: 24h'), 'acme/app@1.0.0', since, dayLater(0))
    // no age is asked for: what the log showed since a pass began is not from the future
    requireAge(ruleWith('minAge: 0s'), 'acme/app@1.0.0', dayLater(0), since)
  })
  test('refuses what a clock that went back makes younger than nothing', () => {
    expect(() => requireAge(ruleWith('minAge: 1s'), 'acme/app@1.0.0', dayLater(0), since)).toThrow(
      expect.objectContaining({ code: 'too_young' }),
    )
  })
})

describe('distinct signers', () => {
  const identity = (text: string, issuer = ISSUER) => ({ identity: text, issuer })
  test.each([
    ['one key twice', [KEY, KEY], 1],
    ['two keys', [KEY, OTHER], 2],
    ['a key and an identity, whoever is behind them', [KEY, identity('ada@acme.example')], 2],
    [
      'a pipeline on two refs',
      [identity(`${WORKFLOW}@refs/tags/v1`), identity(`${WORKFLOW}@refs/heads/main`)],
      1,
    ],
    ['two pipelines', [identity(`${WORKFLOW}@refs/tags/v1`), identity(`${WORKFLOW}x@refs/tags/v1`)], 2],
    ['one name of two issuers', [identity('ada', 'https://a'), identity('ada', 'https://b')], 2],
  ])('%s', (_, signers, count) => {
    expect(distinctSigners(signers)).toHaveLength(count)
  })
})

test('an identity is compared letter for letter', () => {
  const rule = { identity: `${WORKFLOW}@refs/tags/*`, issuer: ISSUER }
  expect(acceptsSigner(rule, { identity: `${WORKFLOW}@refs/tags/v1`, issuer: ISSUER })).toBe(true)
  expect(acceptsSigner(rule, { identity: `${WORKFLOW}@refs/heads/v1`, issuer: ISSUER })).toBe(false)
})
