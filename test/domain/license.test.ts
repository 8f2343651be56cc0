import { expect, test } from 'vitest'
import { satisfiesLicenses } from '../../src/domain/license.ts'

test.each([
  ['a licence that is named', 'MIT', ['MIT'], true],
  ['one that is not', 'MIT', ['ISC'], false],
  ['of OR the left side', 'MIT OR GPL-2.0-only', ['MIT'], true],
  ['of OR the right side', 'MIT OR GPL-2.0-only', ['GPL-2.0-only'], true],
  ['of OR neither side', 'MIT OR GPL-2.0-only', ['ISC'], false],
  ['of AND both sides', 'MIT AND ISC', ['ISC', 'MIT'], true],
  ['of AND one side only', 'MIT AND ISC', ['MIT'], false],
  ['AND within OR', 'GPL-3.0-only OR (MIT AND ISC)', ['MIT', 'ISC'], true],
  ['OR within AND', '(GPL-3.0-only OR MIT) AND ISC', ['GPL-3.0-only'], false],
  [
    'an exception that is named',
    'GPL-2.0-only WITH Linux-syscall-note',
    ['GPL-2.0-only WITH Linux-syscall-note'],
    true,
  ],
  ['an exception that is not', 'GPL-2.0-only WITH Linux-syscall-note', ['GPL-2.0-only'], false],
  [
    'a licence without the exception that is named',
    'GPL-2.0-only',
    ['GPL-2.0-only WITH Linux-syscall-note'],
    false,
  ],
  ['a later version, which is another licence', 'GPL-2.0-or-later', ['GPL-2.0-only'], false],
  ['a licence of an allowed expression', 'ISC', ['MIT OR ISC'], true],
  ['no expression at all', 'whatever you like', ['MIT'], false],
])('%s', (_, license, allowed, satisfied) => {
  expect(satisfiesLicenses(license, allowed)).toBe(satisfied)
})
