import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { timedInTurns, timesOf } from '../../bench/times.ts'
import { entryAt } from '../../bench/trust/log-entries.ts'
import { encodeEntry, hideEntry, SALT_BYTES } from '../../src/tlog/entry.ts'
import { emptyHistory } from '../../src/tlog/history.ts'
import { describeAsRoot } from '../support/needs-root.ts'

/** Runs a bench in a tiny form; gives its last line, whatever its floors came to. */
async function figuresOf(bench: string, ...args: string[]): Promise<Record<string, unknown>> {
  const run = promisify(execFile)(process.execPath, [`bench/${bench}/main.ts`, '--json', ...args])
  const { stdout } = await run.catch((failed: { stdout: string; stderr: string }) => {
    if (!/^MISSED/m.test(failed.stdout)) throw new Error(failed.stderr)
    return failed
  })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}

describe('times', () => {
  test('the percentile is the nearest rank above, and nothing has none', () => {
    const times = Array.from({ length: 200 }, (_, at) => 200 - at)
    expect(timesOf(times)).toEqual({ count: 200, p50Ms: 100, p99Ms: 198, maxMs: 200 })
    expect(timesOf([7])).toEqual({ count: 1, p50Ms: 7, p99Ms: 7, maxMs: 7 })
    expect(() => timesOf([])).toThrow('nothing was measured')
  })
  test('works that take turns are done as often as each other', () => {
    const done = { a: 0, b: 0 }
    const times = timedInTurns({ a: () => done.a++, b: () => done.b++ }, 150)
    expect([times.a.count, times.b.count]).toEqual([150, 150])
    expect(done.a).toBe(done.b)
  })
})

test('entries of the made-up log are of several kinds, and none contradicts another', () => {
  const history = emptyHistory()
  const salt = Buffer.alloc(SALT_BYTES)
  const entries = Array.from({ length: 2000 }, (_, at) => entryAt(at))
  const logged = entries.map(({ entry, isPrivate }) => (isPrivate ? hideEntry(entry, salt) : entry))
  history.take(logged.map(encodeEntry), 0)
  expect(history.contradictions).toEqual([])
  expect(history.releases.size).toBeGreaterThan(1500)
  expect(history.hidden.size).toBe(200)
  expect([...history.releases.values()].some(({ yanked }) => yanked.value)).toBe(true)
})

test('the bench of trust measures all that it promises', { timeout: 120_000 }, async () => {
  const figures = await figuresOf('trust', '--entries', '600', '--appends', '8', '--rounds', '20')
  for (const name of ['verifyP50Ms', 'appendP50Ms', 'proofCheckMs', 'auditMs'])
    expect(figures[name]).toBeGreaterThan(0)
  // 600 built, and what was appended around: warm-up and both ways, to the empty log and to the large one
  expect(figures['details']).toMatchObject({ audit: { entries: 624 } })
})

describeAsRoot('the bench of revocations', () => {
  test('empties real and simulated chains', { timeout: 120_000 }, async () => {
    const figures = await figuresOf('revoke', '--nodes', '5', '--real', '1', '--rounds', '1')
    expect(figures['revokeToDetachedP99Ms']).toBeGreaterThan(0)
    expect(figures['details']).toMatchObject({ all: { count: 6 }, real: { count: 1 } })
  })
})
