import { expect, test } from 'vitest'
import { sharingReads } from '../../src/registry/share-reads.ts'

/** A source whose reads end when they are told to; each gives the value of when it began. */
function source() {
  const ends: (() => void)[] = []
  let value = 0
  return {
    set: (to: number) => {
      value = to
    },
    reads: () => ends.length,
    end: (at: number) => ends[at]?.(),
    read: (): Promise<number> => {
      const found = value
      return new Promise((resolve) => ends.push(() => resolve(found)))
    },
  }
}

test('who asks while a read is under way shares the next one, which sees what was there when he asked', async () => {
  const [share, from] = [sharingReads<number>(), source()]
  const first = share('a', from.read)
  from.set(1)
  const later = [share('a', from.read), share('a', from.read)]
  expect(from.reads()).toBe(1)
  from.end(0)
  expect(await first).toBe(0)
  await expect.poll(from.reads).toBe(2)
  from.end(1)
  expect(await Promise.all(later)).toEqual([1, 1])
  const alone = share('a', from.read)
  from.end(2)
  expect(await alone).toBe(1)
  expect(from.reads()).toBe(3)
})

test('other keys do not wait, and a read that fails fails nobody who asked later', async () => {
  const [share, from] = [sharingReads<number>(), source()]
  const failing = share('a', () => Promise.reject(new Error('away')))
  const after = share('a', from.read)
  const other = share('b', async () => 7)
  expect(await other).toBe(7)
  await expect(failing).rejects.toThrow('away')
  await expect.poll(from.reads).toBe(1)
  from.end(0)
  expect(await after).toBe(0)
})
