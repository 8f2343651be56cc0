/**
 * Characters that show nothing and change how what follows is read: control characters but tab and newline, and those
 * of bidirectional text (Unicode Standard Annex 9, section 2), which make one name look like another.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const STEERING = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g

/** Text in which steering characters are shown by their numbers, such as ⟨U+202E⟩. A carriage return is left out. */
export const visible = (text: string): string =>
  text.replace(STEERING, (character) =>
    character === '\r'
      ? ''
      : `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  )

/** A number with its thousands parted: 12 345. */
export const grouped = (value: number): string => value.toString().replace(/\B(?=(\d{3})+$)/g, '\u202f')

/** A number in few characters: 940, 12.3k, 4.1M. */
export function short(value: number): string {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (value >= size) {
      const scaled = value / size
      return `${scaled >= 100 ? Math.floor(scaled) : Math.floor(scaled * 10) / 10}${unit}`
    }
  return String(value)
}

/** Bytes in few characters: 812 B, 14.2 KiB, 3.1 MiB, 20.0 GiB. */
export function byteText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const unit = bytes < 2 ** 20 ? 'KiB' : bytes < 2 ** 30 ? 'MiB' : 'GiB'
  const scaled = bytes / { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[unit]
  return `${scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${unit}`
}

/** A count and its noun: 1 program, 3 programs. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${grouped(count)} ${count === 1 ? noun : plural}`

/** Words as a sentence begins: messages of errors begin small. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** The day of a time: 2026-03-01. */
export const dayOf = (iso: string): string => iso.slice(0, 10)

const AGES = [
  [365 * 86_400, 'year'],
  [30 * 86_400, 'month'],
  [7 * 86_400, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
] as const

/** How long ago a time was, as people say it: 3 days ago. */
export function ago(iso: string, now: Date): string {
  const seconds = Math.floor((now.getTime() - Date.parse(iso)) / 1000)
  return seconds < 60 ? 'just now' : `${lasting(seconds)} ago`
}

/** A time span in its largest unit, as people say it: 45 seconds, 3 days. */
export function lasting(seconds: number): string {
  const age = AGES.find(([size]) => seconds >= size)
  return age === undefined ? counted(seconds, 'second') : counted(Math.floor(seconds / age[0]), age[1])
}

/** The beginning of a digest, enough to tell two apart by eye: sha256:0123456789ab…. */
export const shortDigest = (digest: string): string => `${digest.slice(0, 'sha256:'.length + 12)}…`
