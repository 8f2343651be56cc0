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
 * What the looks say of a log that was begun anew with its first `size` entries: at the last one, other entries were behind
 * those, or none, and so not the ones that are there now.
 */
export function sightedAnew(sightings: Sightings, size: number): Sightings {
  const last = sightings.at(-1)
  return last === undefined || last.size <= size ? sightings : sighted(sightings, size, last.at)
}

/** Until when, in POSIX seconds, an entry is known not to have been in the log; 0 for one that was there at the first look. */
export const absentUntil = (sightings: Sightings, index: number): number =>
  sightings.reduce((latest, { size, at }) => (size <= index ? Math.max(latest, at) : latest), 0)
