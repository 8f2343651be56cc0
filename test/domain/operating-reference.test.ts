import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isErrorCode } from '../../src/domain/errors.ts'

const TEXT = readFileSync('docs/operating.md', 'utf8')
const table = /^\| code \|.*\n\|[-|]+\|\n((?:\|.*\n)+)/m.exec(TEXT)?.[1] ?? ''

/** What is set as code in the first cell of each row. */
const codesOf = (rows: string): string[] =>
  rows
    .split('\n')
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, code = '']) => code))

test('docs/operating.md says of codes that exist what to do, of each once', () => {
  const codes = codesOf(table)
  expect(codes).toContain('node_unauthenticated')
  expect(codes.filter((code) => !isErrorCode(code))).toEqual([])
  expect(new Set(codes).size).toBe(codes.length)
})

test('a code that does not exist is found', () => {
  expect(codesOf('| `log_fork`, `log_spoon` | `other` |\n').filter((code) => !isErrorCode(code))).toEqual([
    'log_spoon',
  ])
})
