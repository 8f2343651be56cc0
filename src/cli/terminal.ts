import { styleText } from 'node:util'
import type { Io } from './io.ts'

/**
 * Text that came from elsewhere, safe to print on a terminal: control characters, invisible formatting (which could turn
 * text around) and broken surrogates are spelt out, so that no name or message can move the cursor or rewrite a line.
 */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )

/**
 * A value as one line of JSON that is as safe to print: what {@link printable} spells out stands as `\uXXXX` (RFC 8259
 * section 7), by its UTF-16 units, so that a program reads the very same text. JSON.stringify escapes C0 and broken
 * surrogates itself.
 */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )

/** {@link printable} for text of several lines, which it keeps. */
export const printableLines = (text: string): string => text.split(/\r?\n/).map(printable).join('\n')

const ESCAPE = '\u001b'
/** The marks of {@link bold} and {@link red}: SGR 1, 22, 31 and 39 (ECMA-48, 8.3.117). */
const MARKS = new RegExp(`(${ESCAPE}\\[(?:1|22|31|39)m)`)

/**
 * Everything that a command says, safe to print whatever its parts came from: lines, tabs and our own marks stay, all else is
 * {@link printable}.
 */
export const shown = (text: string): string =>
  text
    .split(MARKS)
    .map((part, at) => (at % 2 === 1 ? part : part.split('\t').map(printableLines).join('\t')))
    .join('')

/** Bold, where standard output is a terminal that may show colours. */
export const bold = (io: Io, text: string): string => (coloured(io) ? style('bold', text) : text)

/** Red, likewise. */
export const red = (io: Io, text: string): string => (coloured(io) ? style('red', text) : text)

/** NO_COLOR as no-color.org has it: any value but an empty one turns colours off. */
const coloured = ({ columns, env }: Io): boolean =>
  columns !== undefined && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'

const style = (format: 'bold' | 'red', text: string): string =>
  styleText(format, text, { validateStream: false })

/** A size for people: whole bytes below 1 KiB, else one decimal. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1 << 20) return `${(bytes / 1024).toFixed(1)} KiB`
  return bytes < 1 << 30 ? `${(bytes / (1 << 20)).toFixed(1)} MiB` : `${(bytes / (1 << 30)).toFixed(1)} GiB`
}

/** `1 file`, `2 files`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** A point in time as tables show it, in UTC to the second: `2026-11-29 10:41:02Z` (RFC 3339). */
export const timeText = (at: string | Date): string =>
  new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')

/** Labels as they are typed: `role=edge,site=north`. */
export const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

/** `1 entry`, `2 entries`. */
export const countedEntries = (count: number): string => (count === 1 ? '1 entry' : `${count} entries`)

/** A time in its largest fitting unit: `45 s`, `3 min`, `2 h`, `5 d`. */
export function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}
