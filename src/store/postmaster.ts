import { readFile, readlink, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { processIdentity } from './process-identity.ts'

/** What postmaster.pid says (LOCK_FILE_LINE_*, src/include/utils/pidfile.h of PostgreSQL). */
interface PidFile {
  readonly pid: number
  readonly ready: boolean
}

/** Reads `<databaseDir>/postmaster.pid`; undefined when there is none. */
export async function readPidFile(databaseDir: string): Promise<PidFile | undefined> {
  const text = await readFile(join(databaseDir, 'postmaster.pid'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const lines = text.split('\n')
  return { pid: Number(lines[0]), ready: lines[7]?.trim() === 'ready' }
}

/** How a server is asked to stop, and how long it may take: once all have gone, then with their sessions ended, then at once. */
const STOPS = [
  ['SIGTERM', LIMITS.database_sessions_ms],
  ['SIGINT', LIMITS.database_stop_ms],
  ['SIGQUIT', LIMITS.database_stop_ms],
] as const

/** Asks a server to stop (PostgreSQL's smart, fast and immediate shutdown, one after the other); resolves when it is gone. */
export async function stopServer(pid: number): Promise<void> {
  for (const [signal, within_ms] of STOPS) {
    try {
      process.kill(pid, signal)
    } catch {
      return // gone already
    }
    if (await gone(pid, within_ms)) return
  }
  throw new DomainError('state_in_use', `the database server ${pid} does not stop: end it, then start again`)
}

async function gone(pid: number, within_ms: number): Promise<boolean> {
  for (let waited_ms = 0; waited_ms < within_ms; waited_ms += 20) {
    if ((await processIdentity(pid)) === undefined) return true
    await sleep(20)
  }
  return false
}

/**
 * Stops a server that still runs on `databaseDir` after its registry was killed. A pid file that names no server, or by
 * now another program, is removed; that program is left alone. Call it only while holding the directory's lock.
 */
export async function stopOrphan(databaseDir: string): Promise<'none' | 'stale' | 'stopped'> {
  const found = await readPidFile(databaseDir)
  if (found === undefined) return 'none'
  // the server's working directory is its database: that tells it from whatever else got its pid
  const cwd = await readlink(`/proc/${found.pid}/cwd`).catch(() => undefined)
  if ((await processIdentity(found.pid)) === undefined || cwd !== (await realpath(databaseDir))) {
    await rm(join(databaseDir, 'postmaster.pid'), { force: true })
    return 'stale'
  }
  await stopServer(found.pid)
  return 'stopped'
}
