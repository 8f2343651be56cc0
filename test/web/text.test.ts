import { describe, expect, test } from 'vitest'
import { ago, byteText, counted, dayOf, grouped, short, shortDigest, visible } from '../../src/web/text.ts'

describe('numbers', () => {
  test.each([
    [0, '0', '0'],
    [999, '999', '999'],
    [1000, '1\u202f000', '1k'],
    [12_345, '12\u202f345', '12.3k'],
    [999_999, '999\u202f999', '999k'],
    [4_190_000, '4\u202f190\u202f000', '4.1M'],
    [2_000_000_000, '2\u202f000\u202f000\u202f000', '2G'],
  ])('%i', (value, parted, few) => {
    expect(grouped(value)).toBe(parted)
    expect(short(value)).toBe(few)
  })

  test('are never rounded up to more than there is', () => {
    expect(short(1999)).toBe('1.9k')
  })

  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [14_541, '14.2 KiB'],
    [200 * 1024, '200 KiB'],
    [3_250_586, '3.1 MiB'],
  ])('%i bytes', (bytes, text) => {
    expect(byteText(bytes)).toBe(text)
  })

  test.each([
    [0, '0 programs'],
    [1, '1 program'],
    [1200, '1\u202f200 programs'],
  ])('%i of something', (count, text) => {
    expect(counted(count, 'program')).toBe(text)
    expect(counted(1, 'entry', 'entries')).toBe('1 entry')
    expect(counted(2, 'entry', 'entries')).toBe('2 entries')
  })
})

describe('times', () => {
  const now = new Date('2026-11-16T12:00:00Z')
  test.each([
    ['2026-11-16T11:59:30Z', 'just now'],
    ['2026-11-16T11:59:00Z', '1 minute ago'],
    ['2026-11-16T10:00:00Z', '2 hours ago'],
    ['2026-11-15T12:00:00Z', '1 day ago'],
    ['2026-11-01T12:00:00Z', '2 weeks ago'],
    ['2026-08-01T12:00:00Z', '3 months ago'],
    ['2024-11-01T12:00:00Z', '2 years ago'],
    ['2026-11-16T12:00:30Z', 'just now'],
  ])('%s', (iso, text) => {
    expect(ago(iso, now)).toBe(text)
    expect(dayOf(iso)).toBe(iso.slice(0, 10))
  })
})

test('a digest is cut where the eye still tells two apart', () => {
  expect(shortDigest(`sha256:${'0123456789ab'.repeat(5)}0123`)).toBe('sha256:0123456789ab…')
})

test.each([
  '\u202a',
  '\u202e',
  '\u2066',
  '\u2069',
  '\u200b',
  '\u200f',
  '\u061c',
  '\ufeff',
  '\x00',
  '\x7f',
  '\x9b',
])('the steering character %j is shown by its number', (character) => {
  expect(visible(`a${character}b`)).toMatch(/^a⟨U\+[0-9A-F]{4}⟩b$/)
})

test('what shows itself stays: tabs, lines, letters that combine, emoji', () => {
  const text = 'a\tb\nc e\u0301 👍🏽'
  expect(visible(text)).toBe(text)
  expect(visible('a\r\nb')).toBe('a\nb')
})
