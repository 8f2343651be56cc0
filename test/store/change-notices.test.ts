import { expect, test } from 'vitest'
import { localNotices } from '../../src/store/change-notices.ts'

const never = new AbortController().signal
const pending = Symbol('pending')
const now = <T>(promise: Promise<T>) =>
  Promise.race([promise, new Promise((done) => setTimeout(() => done(pending), 20))])

test('a change wakes all who wait, and none who come after it', async () => {
  const notices = localNotices()
  const waiting = [notices.next(0, 60_000, never), notices.next(0, 60_000, never)]
  expect(await now(Promise.race(waiting))).toBe(pending)
  notices.announce()
  await Promise.all(waiting)
  expect(notices.seen).toBe(1)
  const ending = new AbortController()
  const late = notices.next(1, 60_000, ending.signal)
  expect(await now(late)).toBe(pending)
  ending.abort()
  await late
})
test('a change between reading and waiting is not missed', async () => {
  const notices = localNotices()
  const { seen } = notices
  notices.announce()
  await notices.next(seen, 60_000, never)
})
test('a wait ends by its time, and at once when it is aborted before', async () => {
  const notices = localNotices()
  await notices.next(0, 10, never)
  await notices.next(0, 60_000, AbortSignal.abort())
  expect(notices.seen).toBe(0)
})
