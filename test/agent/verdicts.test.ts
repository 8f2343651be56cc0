import { expect, test } from 'vitest'
import { rememberVerdicts } from '../../src/agent/verdicts.ts'

test('what was verified is not verified again, and another question is', () => {
  const verdicts = rememberVerdicts()
  let asked = 0
  const ask = (...question: unknown[]) => verdicts.recall(question, () => ({ number: ++asked }))
  expect([ask('a', 1), ask('a', 1), ask('a', 2), ask('a', 1)].map(({ number }) => number)).toEqual([
    1, 1, 2, 1,
  ])
})
test('a refusal is not remembered', () => {
  const verdicts = rememberVerdicts()
  const refuse = (): object => {
    throw new Error('no')
  }
  expect(() => verdicts.recall(['a'], refuse)).toThrow('no')
  expect(verdicts.recall(['a'], () => ({ fine: true }))).toEqual({ fine: true })
})
test('no more is remembered than there is room for: what was not asked for longest goes', () => {
  const verdicts = rememberVerdicts(2)
  let asked = 0
  const ask = (question: string) => verdicts.recall([question], () => ({ number: ++asked })).number
  expect([ask('a'), ask('b'), ask('a'), ask('c'), ask('a'), ask('b')]).toEqual([1, 2, 1, 3, 1, 4])
})
