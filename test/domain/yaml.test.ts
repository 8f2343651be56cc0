import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseYaml } from '../../src/domain/yaml.ts'
import { codeOf } from '../attest/craft.ts'

const LIMIT = { code: 'invalid_manifest', what: 'file', maxBytes: 256 << 10 } as const
const parse = (text: string): unknown => parseYaml(text, z.unknown(), LIMIT)

test.each([
  'a: 1\na: 2',
  'a: { b: 1, c: 2, b: 3 }',
  '- x: 1\n  y: { z: [ { q: 1, "q": 2 } ] }',
  '1: a\n"1": b',
  'null: a\n~: b',
])('%j names a key twice', (text) => {
  expect(() => parse(text)).toThrow(/occurs twice/)
  expect(codeOf(() => parse(text))).toBe('invalid_manifest')
})
test('the same key in two maps is no duplicate', () => {
  expect(parse('a: { b: 1 }\nc: { b: 2 }\nd: [{ b: 3 }, { b: 4 }]')).toEqual({
    ...{ a: { b: 1 }, c: { b: 2 }, d: [{ b: 3 }, { b: 4 }] },
  })
})
test.each(['a: &x [1]\nb: *x', 'a: !custom x', 'a: 1\n---\nb: 2', 'a: [', '\ta: 1'])(
  '%j is refused',
  (text) => {
    expect(codeOf(() => parse(text))).toBe('invalid_manifest')
  },
)
test('tens of thousands of keys are read, each looked at once', () => {
  const keys = Array.from({ length: 20_000 }, (_, at) => `key${at}: 1`)
  expect(Object.keys(parse(keys.join('\n')) as object)).toHaveLength(20_000)
  expect(() => parse([...keys, 'key7: 2'].join('\n'))).toThrow(/key "key7" occurs twice/)
})
test('a file beyond its limit is not parsed', () => {
  expect(codeOf(() => parse('x'.repeat(LIMIT.maxBytes + 1)))).toBe('too_large')
})
