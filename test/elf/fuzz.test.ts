import { expect, test } from 'vitest'
import { mutateObject } from '../../tools/fuzz/mutate-object.ts'
import { seededRandom } from '../../tools/fuzz/random.ts'
import { runFuzz } from '../../tools/fuzz/run-fuzz.ts'
import { compileSeeds } from '../../tools/fuzz/seed-objects.ts'

const seeds = compileSeeds()

test('3000 changed objects give an answer or a named error, in bounded time and memory', () => {
  const report = runFuzz(seeds, { count: 3000, seed: 20260101 })
  expect(report.failures).toEqual([])
  // what a change is for is to get past the first checks
  expect(report.accepted).toBeGreaterThan(300)
  expect(Object.keys(report.refused)).toEqual(
    expect.arrayContaining(['elf_malformed', 'elf_truncated', 'btf_malformed', 'elf_wrong_endian']),
  )
  const total = Object.values(report.refused).reduce((sum, count) => sum + count, report.accepted)
  expect(total).toBe(3000)
})

test('a number of a seed is the same object every time, another one is another', () => {
  const object = (seed: number, index: number) =>
    mutateObject(seeds, seededRandom(seed, index)).toString('hex')
  expect(object(1, 7)).toBe(object(1, 7))
  expect(new Set([object(1, 7), object(1, 8), object(2, 7)]).size).toBe(3)
})

test('changes leave the seeds as they were', () => {
  const before = seeds.map(({ bytes }) => bytes.toString('hex'))
  for (let index = 0; index < 200; index++) mutateObject(seeds, seededRandom(3, index))
  expect(seeds.map(({ bytes }) => bytes.toString('hex'))).toEqual(before)
})
