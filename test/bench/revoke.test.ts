import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeAsRoot } from '../support/needs-root.ts'

const BENCH = 'bench/revoke/main.ts'
const MOST_MS = 120_000

/** Names in a folder; none where there is no such folder. */
function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
/** Processes whose command line names a path: what runs for it, or on its files. */
const processesOf = (path: string): string[] =>
  namesIn('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path)
    } catch {
      return false // it ended meanwhile
    }
  })

describeAsRoot('bench:revoke', () => {
  let dir: string
  let bench: ChildProcess
  let ended: Promise<unknown[]>
  let said: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hookline-test-'))
    chmodSync(dir, 0o711) // the database's user walks through
    const args = [BENCH, '--nodes', '2', '--real', '1', '--rounds', '50']
    bench = spawn(process.execPath, args, {
      env: { ...process.env, TMPDIR: dir },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    ended = once(bench, 'close')
    said = ''
    bench.stderr?.on('data', (text: Buffer) => {
      said += text.toString()
    })
  })
  afterEach(async () => {
    bench.kill('SIGTERM') // of a test that failed
    await ended
    rmSync(dir, { recursive: true })
  })
  const namespaces = (): string[] =>
    namesIn('/run/netns').filter((name) => name.startsWith(`hl-${bench.pid}-`))
  const pins = (): string[] =>
    namesIn('/sys/fs/bpf/hookline').filter((name) => name.startsWith(`bench-${bench.pid}-`))
  const left = (): string[][] => [namespaces(), pins(), namesIn(dir), processesOf(dir)]

  test.each([
    [
      'SIGTERM while rounds are measured',
      'SIGTERM',
      () => expect.poll(() => said, { timeout: MOST_MS }).toContain('round 0'),
    ],
    [
      'SIGINT while the nodes are made',
      'SIGINT',
      () => expect.poll(namespaces, { timeout: MOST_MS }).not.toEqual([]),
    ],
  ] as const)(
    'leaves nothing when it is ended by %s',
    async (_, signal, moment) => {
      await moment()
      for (const [what, there] of [namespaces(), processesOf(dir), namesIn(dir)].entries())
        expect([what, there]).not.toEqual([what, []])
      bench.kill(signal)
      expect(await ended).toEqual([130, null])
      expect(left()).toEqual([[], [], [], []])
    },
    MOST_MS,
  )
})
