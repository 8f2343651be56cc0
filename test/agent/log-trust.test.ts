import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { logTrust } from '../../src/agent/log-trust.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'
import { formatNoteKey, type NoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'

const [log, witness] = [generateKeyPairSync('ed25519').publicKey, generateKeyPairSync('ed25519').publicKey]
const textOf = (name: string, type: NoteKey['type'] = 'note', key = log): string =>
  formatNoteKey(noteKeyOf(name, type, key))
const trustOf = (text: string) => logTrust(parseTrustPolicy(text))
const CATALOG = textOf('registry.example/catalog')
const WITNESS = textOf('witness.example', 'cosignature', witness)

test('a policy without a log follows none', () => {
  expect(trustOf('programs: []')).toBe(undefined)
})
test('both logs are known by the one key, under names that differ in their ends', () => {
  const trust = trustOf(`log: { key: "${CATALOG}" }`)
  expect(trust?.keys.catalog.name).toBe('registry.example/catalog')
  expect(formatNoteKey(trust?.keys.revocations ?? expect.fail('none'))).toBe(
    textOf('registry.example/revocations'),
  )
  expect(trust).toMatchObject({ onStale: 'keep', policy: { maxAge_s: 86_400, witnesses: { threshold: 0 } } })
})
test.each([
  ['90s', 90],
  ['15m', 900],
  ['7d', 604_800],
])('maxAge %s is %i seconds', (maxAge, seconds) => {
  const witnesses = `witnesses: { keys: ["${WITNESS}"], threshold: 1 }`
  const trust = trustOf(`log: { key: "${CATALOG}", maxAge: ${maxAge}, onStale: revoke, ${witnesses} }`)
  expect(trust).toMatchObject({ onStale: 'revoke', policy: { maxAge_s: seconds } })
  expect(trust?.policy.witnesses.keys.map(({ name }) => name)).toEqual(['witness.example'])
})
test.each([
  ['a key that cannot be read', 'key: x', 'invalid_policy'],
  ['a key of another log', `key: "${textOf('registry.example/log')}"`, 'invalid_policy'],
  ['a key for cosignatures', `key: "${textOf('registry.example/catalog', 'cosignature')}"`, 'invalid_policy'],
  ['a span without a unit', `key: "${CATALOG}", maxAge: 24`, 'invalid_policy'],
  ['another word', `key: "${CATALOG}", onStale: stop`, 'invalid_policy'],
  [
    'a threshold that cannot be met',
    `key: "${CATALOG}", witnesses: { keys: ["${WITNESS}"], threshold: 2 }`,
    'invalid_policy',
  ],
  [
    'a witness without its kind of key',
    `key: "${CATALOG}", witnesses: { keys: ["${CATALOG}"], threshold: 1 }`,
    'invalid_policy',
  ],
  ['the own key as that of recovery', `key: "${CATALOG}", recovery: "${CATALOG}"`, 'invalid_policy'],
])('%s is refused', (_, text, code) => {
  expect(() => trustOf(`log: { ${text} }`)).toThrow(expect.objectContaining({ code }))
})
