import { expect, test } from 'vitest'
import { bytesText, jsonText } from '../../src/cli/terminal.ts'

test.each([
  ['a C1 control character', '\u009b2J'],
  ['DEL', '\u007f'],
  ['an override of direction', '\u202eTIM\u202c'],
  ['an isolate', '\u2066x\u2069'],
  ['a mark of direction', '\u200e\u200f\u061c'],
  ['a line separator', '\u2028\u2029'],
  ['a tag beyond the basic plane', '\u{e0041}'],
  ['an escape', '\u001b[2J'],
])('%s in JSON is spelt out, and read back as it was', (_, text) => {
  const line = jsonText({ [text]: [text] })
  expect(line).toMatch(/^[ -~]*$/)
  expect(JSON.parse(line)).toEqual({ [text]: [text] })
})

test('what is no danger stays readable', () => {
  expect(jsonText({ name: 'Zoë', at: ['日本', '🙂'], n: 1 })).toBe('{"name":"Zoë","at":["日本","🙂"],"n":1}')
})

test('a size is told in its largest unit', () => {
  expect([1023, 1024, 1 << 20, (1 << 30) - 1, 20 * 2 ** 30].map(bytesText)).toEqual([
    ...['1023 B', '1.0 KiB', '1.0 MiB', '1024.0 MiB', '20.0 GiB'],
  ])
})
