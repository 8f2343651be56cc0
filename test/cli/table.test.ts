import { describe, expect, test } from 'vitest'
import { renderFields, renderTable } from '../../src/cli/table.ts'
import { bold, bytesText, printable, printableLines } from '../../src/cli/terminal.ts'
import { memoryIo } from './hookline.ts'

describe('a table', () => {
  test('aligns text on the left and numbers on the right, without trailing blanks', () => {
    const table = renderTable(
      memoryIo(),
      ['name', 'size', 'note'],
      [
        ['a', '5', ''],
        ['longer', '1234', 'x'],
      ],
    )
    expect(table).toBe(['name    size  note', 'a          5', 'longer  1234  x'].join('\n'))
  })

  test('is cut to the width of the terminal, the widest column first', () => {
    const rows = [['node-1', 'sha256:0123456789abcdef0123456789abcdef', 'ok']]
    const table = renderTable(
      memoryIo({ columns: 30, env: { NO_COLOR: '1' } }),
      ['node', 'digest', 'state'],
      rows,
    )
    expect(table.split('\n').map((line) => line.length <= 30)).toEqual([true, true])
    expect(table).toContain('node-1  sha256:0123456…  ok')
  })

  test('is not cut where there is no terminal', () => {
    const digest = `sha256:${'0'.repeat(200)}`
    expect(renderTable(memoryIo(), ['digest'], [[digest]])).toContain(digest)
  })

  test('keeps something of every column on a terminal that is far too narrow', () => {
    const table = renderTable(
      memoryIo({ columns: 5, env: { NO_COLOR: '1' } }),
      ['a', 'b'],
      [['0123456789', '0123456789']],
    )
    expect(table.split('\n')[1]).toBe('0123456…  0123456…')
  })

  test('shows control characters of data instead of obeying them', () => {
    const table = renderTable(memoryIo(), ['name'], [['a\u001b[2Jb\nc\u202e']])
    expect(table).toBe('name\na\\u{1b}[2Jb\\u{a}c\\u{202e}')
  })
})

describe('fields', () => {
  test('stand below each other, the undefined ones left out, their values made printable', () => {
    const text = renderFields([
      ['name', 'a\u0007'],
      ['nothing', undefined],
      ['longer', 'b'],
    ])
    expect(text).toBe('name    a\\u{7}\nlonger  b')
  })
})

describe('text for a terminal', () => {
  test.each([
    ['plain text, umlauts and dashes: ä – 漢字', 'plain text, umlauts and dashes: ä – 漢字'],
    ['\u001b]0;title\u0007', '\\u{1b}]0;title\\u{7}'],
    ['\u009b31m', '\\u{9b}31m'],
    ['a\rb', 'a\\u{d}b'],
    ['zero\u200bwidth', 'zero\\u{200b}width'],
    ['\ud800', '\\u{d800}'],
  ])('%j is printed as %j', (given, shown) => {
    expect(printable(given)).toBe(shown)
  })

  test('keeps its line ends where lines are wanted', () => {
    expect(printableLines('a\r\nb\u001b\nc')).toBe('a\nb\\u{1b}\nc')
  })

  test.each<[string, Parameters<typeof memoryIo>[0], string]>([
    ['a terminal', { columns: 80 }, '\u001b[1mx\u001b[22m'],
    ['no terminal', {}, 'x'],
    ['a terminal with NO_COLOR', { columns: 80, env: { NO_COLOR: '1' } }, 'x'],
    ['a dumb terminal', { columns: 80, env: { TERM: 'dumb' } }, 'x'],
  ])('is coloured or not on %s', (_, io, shown) => {
    expect(bold(memoryIo(io), 'x')).toBe(shown)
  })

  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [8 << 20, '8.0 MiB'],
  ])('%i bytes are %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text)
  })
})
