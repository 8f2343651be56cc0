import { describe, expect, test } from 'vitest'
import { absentUntil, sighted, sightedAnew } from '../../src/agent/log-sightings.ts'
import { LIMITS } from '../../src/domain/limits.ts'

const NOW = 1_800_000_000
const DAY = 86_400

describe('looks at a log', () => {
  test('say until when an entry was not there', () => {
    let sightings = sighted([], 5, NOW)
    sightings = sighted(sightings, 5, NOW + 60) // the same once more
    sightings = sighted(sightings, 7, NOW + 120)
    expect(absentUntil(sightings, 4)).toBe(0) // it was there at the first look
    expect(absentUntil(sightings, 5)).toBe(NOW + 60)
    expect(absentUntil(sightings, 6)).toBe(NOW + 60)
    expect(absentUntil(sightings, 7)).toBe(NOW + 120)
  })
  test('of a log that was begun anew say that what it has now was not there at the last of them', () => {
    const sightings = sighted(sighted([], 5, NOW), 9, NOW + 60)
    const anew = sighted(sightedAnew(sightings, 6, NOW + 120), 8, NOW + 120)
    expect([4, 5, 6, 7, 8].map((index) => absentUntil(anew, index) - NOW)).toEqual([-NOW, 0, 60, 60, 120])
    // nothing was lost to who saw no more
    expect(sightedAnew(sightings, 9, NOW + 120)).toEqual(sightings)
  })
  test('are few after years, and wrong by a 16th of their age at most', () => {
    const step_s = 3600
    let sightings: ReturnType<typeof sighted> = []
    for (let look = 0; look < 30_000; look++) sightings = sighted(sightings, look, NOW + look * step_s)
    expect(sightings.length).toBeLessThan(LIMITS.agent_sightings / 2)
    const now = NOW + 29_999 * step_s
    for (const age of [step_s, DAY, 7 * DAY, 30 * DAY, 365 * DAY]) {
      const index = 29_999 - Math.round(age / step_s)
      const seen = NOW + index * step_s
      expect(absentUntil(sightings, index)).toBeLessThanOrEqual(seen)
      expect(now - absentUntil(sightings, index)).toBeLessThanOrEqual((now - seen) * (17 / 16) + 2 * step_s)
    }
  })
  test('at a log that lost entries say when none of the new ones was there', () => {
    let sightings = sighted([], 2, NOW)
    sightings = sighted(sightings, 3, NOW + DAY)
    sightings = sighted(sightings, 9, NOW + 2 * DAY)
    const anew = sighted(sightedAnew(sightings, 4, NOW + 3 * DAY), 6, NOW + 3 * DAY)
    expect([2, 3, 4, 5, 6].map((index) => absentUntil(anew, index) - NOW)).toEqual([
      ...[0, DAY, 2 * DAY, 2 * DAY, 3 * DAY],
    ])
    expect(absentUntil(sightedAnew([], 4, NOW), 4)).toBe(NOW)
  })
})
