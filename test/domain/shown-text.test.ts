import { expect, test } from 'vitest'
import { isPlainLine, isPlainText } from '../../src/domain/shown-text.ts'

test.each(['', 'Drops what is not TCP', 'Größe – 測試 – שלום', '👩‍💻 counts', 'a<script>'])(
  '%j is plain',
  (text) => {
    expect(isPlainLine(text)).toBe(true)
  },
)
test.each([...['a\0', '\u001b[2J', 'a\u202eb', '\u2066a', '\ud800', 'a\u2028b', '\u009b1m']])(
  '%j is not, in one line or in several',
  (text) => {
    expect([isPlainLine(text), isPlainText(text)]).toEqual([false, false])
  },
)
test.each(['one\ntwo', 'a\tb', 'one\r\ntwo'])('%j is text of several lines', (text) => {
  expect([isPlainLine(text), isPlainText(text)]).toEqual([false, true])
})
