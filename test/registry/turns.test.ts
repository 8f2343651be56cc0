import { expect, test } from 'vitest'
import { takeTurns } from '../../src/registry/turns.ts'

test('turns are taken again and again, never two at a time, whatever they throw', async () => {
  const told: unknown[] = []
  let [under, most, taken] = [0, 0, 0]
  const turns = takeTurns(
    1,
    async () => {
      most = Math.max(most, ++under)
      await new Promise((done) => setTimeout(done, 5))
      under -= 1
      taken += 1
      throw new Error(`turn ${taken}`)
    },
    (error) => told.push(String(error)),
  )
  await expect.poll(() => told.length).toBeGreaterThan(2)
  await turns.close()
  expect(most).toBe(1)
  expect(told[0]).toBe('Error: turn 1')
})

test('closing waits for the turn that is under way, and for no other; what fails then is told to nobody', async () => {
  let [begun, ended] = [0, 0]
  let end = (): void => {}
  const turns = takeTurns(
    1,
    async () => {
      begun += 1
      await new Promise<void>((done) => {
        end = done
      })
      ended += 1
      throw new Error('closed under it')
    },
    (error) => expect.fail(String(error)),
  )
  await expect.poll(() => begun).toBe(1)
  const closing = turns.close()
  expect(turns.closed).toBe(true)
  end()
  await closing
  expect([begun, ended]).toEqual([1, 1])
})
