import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import type { LogName } from '../../src/domain/log.ts'
import { startLogWorker } from '../../src/registry/log-worker.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'

let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.close())

/** Runs a worker of its own for a few turns by a clock that is ahead, and tells which logs it had signed anew. */
async function refreshed(ahead_s: number): Promise<LogName[]> {
  const signed: LogName[] = []
  const { logs } = registry.services
  let turns = 0
  const enough = Promise.withResolvers<void>()
  const failures: unknown[] = []
  const worker = startLogWorker({
    logs: { ...logs, refresh: async (log) => void signed.push(log) },
    witnesses: [],
    notices: {
      get seen() {
        turns += 1
        if (turns === 3) enough.resolve()
        return turns
      },
      next: (_, timeout_ms) => new Promise((next) => setTimeout(next, Math.min(timeout_ms, 5))),
    },
    clock: () => new Date(Date.now() + ahead_s * 1000),
    report: (error) => failures.push(error),
  })
  await enough.promise
  await worker.close()
  expect(failures).toEqual([])
  return [...new Set(signed)]
}

describe('an idle log', () => {
  test('is signed anew once its checkpoint is a minute old', async () => {
    expect(await refreshed(LIMITS.log_resign_s + 30)).toEqual(['catalog', 'revocations'])
  })
  test('and not before', async () => {
    expect(await refreshed(0)).toEqual([])
  })
  test('of several registries one signs: the others find it fresh', async () => {
    const { logs } = registry.services
    const before = await logs.checkpoint('catalog')
    await Promise.all(Array.from({ length: 4 }, () => logs.refresh('catalog', LIMITS.log_resign_s)))
    expect(await logs.checkpoint('catalog')).toBe(before)
  })
})
