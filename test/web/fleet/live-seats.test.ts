import { expect, test } from 'vitest'
import { DomainError } from '../../../src/domain/errors.ts'
import { liveSeats } from '../../../src/web/fleet/live-seats.ts'

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act()
  } catch (thrown) {
    return thrown instanceof DomainError ? thrown.code : String(thrown)
  }
  return undefined
}

test('one account has its share, all together have theirs', () => {
  const seats = liveSeats(3, 2)
  const leave = seats.take('ada')
  seats.take('ada')
  expect(codeOf(() => seats.take('ada'))).toBe('rate_limited')
  seats.take('bob')
  expect(codeOf(() => seats.take('cyd'))).toBe('overloaded')
  leave()
  expect(codeOf(() => seats.take('cyd'))).toBeUndefined()
})

test('a place is left once', () => {
  const seats = liveSeats(3, 2)
  const leave = seats.take('ada')
  seats.take('ada')
  leave()
  leave()
  expect(seats.taken).toBe(1)
})
