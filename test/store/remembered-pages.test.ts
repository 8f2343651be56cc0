import { beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { rememberPages } from '../../src/store/remembered-pages.ts'

const FRESH_MS = LIMITS.search_remembered_ms
let notices = { seen: 0 }
let now_ms = 0
let reads: { give: (page: string) => void; fail: () => void }[] = []
let remembered = rememberPages<string>(notices, () => now_ms)

beforeEach(() => {
  notices = { seen: 0 }
  now_ms = 0
  reads = []
  remembered = rememberPages<string>(notices, () => now_ms)
})

/** Asks for a page, which is read when the test says so. */
const ask = (key = 'dns'): Promise<string> =>
  remembered(
    key,
    () =>
      new Promise((give, reject) => {
        reads.push({ give, fail: () => reject(new Error('no database')) })
      }),
  )
/** Lets all that is under way in memory come to rest. */
const settled = (): Promise<void> => new Promise((done) => setImmediate(done))
const asked = async (page: string): Promise<void> => {
  const asking = ask()
  reads[0]?.give(page)
  expect(await asking).toBe(page)
}

test('the same again is read once, another one for itself', async () => {
  await asked('first')
  now_ms = FRESH_MS
  expect(await ask()).toBe('first')
  void ask('dhcp')
  expect(reads).toHaveLength(2)
})

test('what grew old is answered while it is read anew, once', async () => {
  await asked('first')
  now_ms = FRESH_MS + 1
  expect(await ask()).toBe('first')
  expect(await ask()).toBe('first')
  expect(reads).toHaveLength(2)
  reads[1]?.give('second')
  await settled()
  expect(await ask()).toBe('second')
  expect(reads).toHaveLength(2)
})

test('what is too old is waited for', async () => {
  await asked('first')
  now_ms = LIMITS.search_stale_ms + 1
  const asking = ask()
  reads[1]?.give('second')
  expect(await asking).toBe('second')
})

test('a change anywhere makes all be read anew, also what was being read', async () => {
  await asked('first')
  now_ms = FRESH_MS + 1
  await ask() // begins to read it anew
  notices.seen += 1
  const asking = ask()
  reads[2]?.give('third')
  expect(await asking).toBe('third')
  reads[1]?.give('of before')
  await settled()
  expect(await ask()).toBe('third')
})

test('a search that failed is not remembered', async () => {
  const failing = ask()
  reads[0]?.fail()
  await expect(failing).rejects.toThrow('no database')
  const again = ask()
  reads[1]?.give('first')
  expect(await again).toBe('first')
  now_ms = FRESH_MS + 1
  expect(await ask()).toBe('first')
  reads[2]?.fail()
  await settled()
  const next = ask()
  reads[3]?.give('second')
  expect(await next).toBe('second')
})
