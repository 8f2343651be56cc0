import { expect, test } from 'vitest'
import { remembering } from '../../src/registry/remember.ts'

/** What was made, in order. */
const counting = () => {
  const made: string[] = []
  const make = (key: string) => async (): Promise<string> => {
    made.push(key)
    return key
  }
  return { made, make }
}

test('a value is made once, also for those who ask while it is made', async () => {
  const { made, make } = counting()
  const remember = remembering<string>({ values: 2 })
  expect(await Promise.all([remember('a', make('a')), remember('a', make('a'))])).toEqual(['a', 'a'])
  await remember('a', make('a'))
  expect(made).toEqual(['a'])
})

test('what was not used for longest goes first', async () => {
  const { made, make } = counting()
  const remember = remembering<string>({ values: 2 })
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await remember(key, make(key))
  expect(made).toEqual(['a', 'b', 'c', 'b'])
})

test('weights bound it, too', async () => {
  const { made, make } = counting()
  const remember = remembering<string>({ values: 10, weight: 5 }, (value) => value.length)
  for (const key of ['aaa', 'bb', 'aaa', 'cc', 'bb', 'dddddd', 'dddddd']) await remember(key, make(key))
  // bb went for cc, then aaa for bb; what is heavier than all is never kept
  expect(made).toEqual(['aaa', 'bb', 'cc', 'bb', 'dddddd', 'dddddd'])
})

test('what failed is tried again', async () => {
  const remember = remembering<string>({ values: 2 })
  await expect(remember('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await remember('a', async () => 'yes')).toBe('yes')
})
