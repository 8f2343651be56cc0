import { expect, test } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'
import { FunctionSpec, Order } from '../../src/domain/function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { Use, Version } from '../../src/domain/names.ts'
import { parseStrictJson } from '../../src/domain/strict-json.ts'
import { codeOf } from '../attest/craft.ts'

test.each([
  ['{"a":1,"a":2}', 'a'],
  ['[{"b":{"c":1,"d":2,"c":3}}]', 'c'],
  [`{"a"${' '.repeat(200)}:1,"a":2}`, 'a'],
  ['{"\\u0061":1,"a":2}', 'a'],
  ['{"__proto__":1,"__proto__":2}', '__proto__'],
])('%j names a key twice', (text, key) => {
  expect(() => parseStrictJson(text)).toThrow(`key "${key}" occurs twice`)
  expect(codeOf(() => parseStrictJson(text))).toBe('invalid_json')
})
test.each(['{"a":{"a":1},"b":["a","a"]}', '["a","a"]', '{"a":"a","b":"\\"a\\":"}', '"a"'])(
  '%j does not',
  (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text))
  },
)
test('what is not JSON is refused by name', () => {
  expect(() => parseStrictJson('{', 'order')).toThrow(/^order: /)
})
test('a document of more parts than allowed is refused before it is parsed', () => {
  expect(parseStrictJson('[1,2,3]', 'list', 3)).toEqual([1, 2, 3])
  expect(codeOf(() => parseStrictJson('[1,2,3,4]', 'list', 3))).toBe('too_large')
  expect(codeOf(() => parseStrictJson('[[[[', 'list', 3))).toBe('too_large')
  expect(codeOf(() => parseStrictJson(`[${'{},'.repeat(LIMITS.json_items)}`))).toBe('too_large')
})

test('a long text is refused for its length alone: no range or version is made of it', () => {
  for (const schema of [Use, Version]) {
    const { error } = schema.safeParse('1'.repeat(1 << 20))
    expect(error?.issues.map(({ code }) => code)).toEqual(['too_big'])
  }
})
test('a revision stays where there is room for the next ones', () => {
  const order = (revision: number) => ({ kind: 'remove', name: 'edge', revision })
  expect(Order.safeParse(order(LIMITS.revision_most)).success).toBe(true)
  expect(Order.safeParse(order(LIMITS.revision_most + 1)).success).toBe(false)
})
test('a message is bounded, whatever it quotes', () => {
  expect(new DomainError('order_invalid', 'x'.repeat(1 << 20)).message).toHaveLength(2001)
  expect(new DomainError('order_invalid', 'short').message).toBe('short')
})
test('an instance named twice is refused by its name', () => {
  const spec = { kind: 'function', name: 'edge', selector: {}, interfaces: ['eth0'] }
  const use = { use: 'acme/limit@^1.0' }
  expect(FunctionSpec.safeParse({ ...spec, instances: [use, use] }).success).toBe(false)
  expect(FunctionSpec.safeParse({ ...spec, instances: [use, { ...use, name: 'second' }] }).success).toBe(true)
})
