import type { KeptLog } from '../domain/kept-log.ts'

type Sightings = KeptLog['sightings']

/** A node can tell how old an entry is to this share of its age. */
const PRECISION = 16

/**
 * When a log was seen with how many entries, with one look more: of `size` entries at `now_s`, in POSIX seconds. A look whose
 * neighbours are close together, for how long ago they are, is left out, so that few are kept of years.
 */
export function sighted(sightings: Sightings, size: number, now_s: number): Sightings {
  const earlier = sightings.filter((one) => one.size < size).toReversed()
  const kept: Sightings = [{ size, at: now_s }]
  for (const [place, one] of earlier.entries()) {
    const [next, older] = [kept.at(-1)?.at ?? now_s, earlier[place + 1]?.at]
    const isMissed = older === undefined || next - older > (now_s - older) / PRECISION
    if (place === 0 || isMissed) kept.push(one)
  }
  return kept.toReversed()
}

/**
 * What the looks at a log say of one that has only its first `size` entries and goes on otherwise: at the last look nothing of
 * the new log stood behind them, however many entries the old one had. Without any look that is said of `now_s`.
 */
export const sightedAnew = (sightings: Sightings, size: number, now_s: number): Sightings => [
  ...sightings.filter((one) => one.size < size),
  { size, at: sightings.at(-1)?.at ?? now_s },
]

/** Until when, in POSIX seconds, an entry is known not to have been in the log; 0 for one that was there at the first look. */
export const absentUntil = (sightings: Sightings, index: number): number =>
  sightings.reduce((latest, { size, at }) => (size <= index ? Math.max(latest, at) : latest), 0)
