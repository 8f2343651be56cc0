import { expect, test } from 'vitest'
import { lookOf, requireFreeName } from '../../src/domain/name-rules.ts'

test.each([
  ['cloud', 'c1oud'],
  ['cloud', 'doud'],
  ['click', 'ciick'],
  ['c1oud', 'doud'],
  ['corner', 'comer'],
  ['wave', 'vv-ave'],
  ['zebra', '2e8ra'],
  ['acme', 'acne', false],
])('%s and %s look alike', (one, other, alike = true) => {
  expect(lookOf(one) === lookOf(other)).toBe(alike)
})

test.each(['admin', 'adm1n', 'adrnin', 'r00t', 'supp0rt', 'a-pi', 'offlcial'])('%s is reserved', (name) => {
  expect(() => requireFreeName(name)).toThrow(expect.objectContaining({ code: 'name_reserved' }))
})

test.each(['acme', 'administration', 'cloud', 'notes'])('%s is free', (name) => {
  expect(() => requireFreeName(name)).not.toThrow()
})
