import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { type Postgres, startPostgres } from '../../src/store/postgres.ts'
import { COPY_DIR, temporaryDirectory } from '../http/running-registry.ts'

const never = new AbortController().signal
let dir: string
let postgres: Postgres
let here: Database
let there: Database
beforeAll(async () => {
  dir = await temporaryDirectory()
  postgres = await startPostgres(dir, COPY_DIR)
  here = openDatabase(postgres.url)
  there = openDatabase(postgres.url)
  await Promise.all([here.listen(), there.listen()])
})
afterAll(async () => {
  await here.close()
  await there.close()
  await postgres.close()
  await rm(dir, { recursive: true })
})

/** Settles once `database` heard of a change since `after`; fails the test after 20 s. */
async function heard(database: Database, after: number): Promise<void> {
  await database.notices.next(after, 20_000, never)
  expect(database.notices.seen).toBeGreaterThan(after)
}

test('a change made by one process is heard of by the other, and counted once where it was made', async () => {
  const [before, there0] = [here.notices.seen, there.notices.seen]
  expect(await here.change(async () => 7)).toBe(7)
  expect(here.notices.seen).toBe(before + 1)
  await heard(there, there0)
  await there.change(async () => {})
  await heard(here, before + 1)
  expect(here.notices.seen).toBe(before + 2)
})
test('what is rolled back is not announced, and a plain transaction neither', async () => {
  const [before, there0] = [here.notices.seen, there.notices.seen]
  await expect(here.change(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await here.transact((transaction) => transaction.$executeRaw`SELECT 1`)
  await here.change(async () => {})
  await heard(there, there0)
  // notices come in the order of the commits: an earlier one would have been counted by now
  expect(there.notices.seen).toBe(there0 + 1)
  expect(here.notices.seen).toBe(before + 1)
})
test('a connection that was cut is made again, and what happened meanwhile counts as a change', async () => {
  const cut = there.notices.seen
  await here.prisma.$executeRaw`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`
  await heard(there, cut)
  await expect
    .poll(
      async () =>
        here.prisma.$queryRaw`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`,
      { timeout: 20_000 },
    )
    .toEqual([{ n: 2 }])
  const again = there.notices.seen
  await here.change(async () => {})
  await heard(there, again)
})
