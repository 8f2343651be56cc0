import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startPostgres } from '../../src/store/postgres.ts'
import { postgresBinaries } from '../../src/store/postgres-binaries.ts'
import { blockedAt, canRead, serverUser } from '../../src/store/postgres-user.ts'
import { stopOrphan } from '../../src/store/postmaster.ts'
import { processIdentity } from '../../src/store/process-identity.ts'
import { COPY_DIR, temporaryDirectory } from '../http/running-registry.ts'

let dir: string
beforeEach(async () => {
  dir = await temporaryDirectory()
})
afterEach(() => rm(dir, { recursive: true }))

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

test('starts, keeps what was committed over a restart, and leaves no process', async () => {
  const first = await startPostgres(dir, COPY_DIR)
  await query(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)')
  await first.close()
  expect(await processIdentity(first.pid)).toBeUndefined()
  const second = await startPostgres(dir, COPY_DIR)
  expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }])
  expect(await query(second.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }])
  await second.close()
})
test('a server left behind by a killed registry is stopped, and started anew', async () => {
  const orphan = await startPostgres(dir, COPY_DIR)
  await query(orphan.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (8)')
  const next = await startPostgres(dir, COPY_DIR)
  expect(await processIdentity(orphan.pid)).toBeUndefined()
  expect(await query(next.url, 'SELECT n FROM kept')).toEqual([{ n: 8 }])
  await next.close()
})
test('a server that was killed itself is recovered', async () => {
  const killed = await startPostgres(dir, COPY_DIR)
  await query(killed.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (9)')
  process.kill(killed.pid, 'SIGKILL')
  const next = await startPostgres(dir, COPY_DIR)
  expect(await query(next.url, 'SELECT n FROM kept')).toEqual([{ n: 9 }])
  await next.close()
})
test('only the password opens it, and only this user reads the password', async () => {
  const server = await startPostgres(dir, COPY_DIR)
  const wrong = new URL(server.url)
  wrong.password = 'wrong'
  await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  expect((await stat(join(dir, 'postgres-password'))).mode & 0o777).toBe(0o600)
  await server.close()
})
test('it listens on a socket that only its own user reaches, and on no port', async () => {
  const server = await startPostgres(dir, COPY_DIR)
  const run = await stat(join(dir, 'run'))
  expect([run.mode & 0o777, run.uid]).toEqual([0o700, (await serverUser())?.uid ?? process.getuid?.()])
  expect(await readdir(join(dir, 'run'))).toContain('.s.PGSQL.5432')
  const open = await readdir(`/proc/${server.pid}/fd`)
  const links = await Promise.all(open.map((fd) => readlink(`/proc/${server.pid}/fd/${fd}`).catch(() => '')))
  const inodes = links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [])
  expect(inodes.length).toBeGreaterThan(0)
  const inodesIn = async (table: string) =>
    (await readFile(`/proc/net/${table}`, 'utf8')).split('\n').flatMap((line) => line.trim().split(/\s+/))
  for (const table of ['tcp', 'tcp6', 'udp', 'udp6']) {
    const words = new Set(await inodesIn(table))
    expect(inodes.filter((inode) => words.has(inode))).toEqual([])
  }
  await server.close()
})
test('a looser folder for the socket, and what lay in it, does not stay', async () => {
  await mkdir(join(dir, 'run'))
  await chmod(join(dir, 'run'), 0o777)
  await writeFile(join(dir, 'run', '.s.PGSQL.5432'), 'of somebody else')
  const server = await startPostgres(dir, COPY_DIR)
  expect((await stat(join(dir, 'run'))).mode & 0o777).toBe(0o700)
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await server.close()
})
test('a folder with a comma and a quotation mark in its name is one folder', async () => {
  const odd = join(dir, 'a, "b" %2F')
  await mkdir(odd, { mode: 0o711 })
  const server = await startPostgres(odd, COPY_DIR)
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await server.close()
})
test('a path too long for a socket is refused before anything is made, with the length that fits', async () => {
  const fits = join(dir, 'd'.repeat(89 - dir.length - 1))
  for (const path of [fits, `${fits}d`]) await mkdir(path, { mode: 0o711 })
  await expect(startPostgres(`${fits}d`, COPY_DIR)).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('at most 89 bytes'),
  })
  expect(await readdir(`${fits}d`)).toEqual([])
  const server = await startPostgres(fits, COPY_DIR)
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await server.close()
})
test('a server that ends by itself is told of, one that is closed is not', async () => {
  const killed = await startPostgres(dir, COPY_DIR)
  process.kill(killed.pid, 'SIGKILL')
  expect(await killed.lost).toMatchObject({
    code: 'database_lost',
    message: expect.stringContaining('SIGKILL'),
  })
  await killed.close()
  const closed = await startPostgres(dir, COPY_DIR)
  let told = false
  closed.lost.then(() => {
    told = true
  })
  await closed.close()
  await new Promise((later) => setTimeout(later, 50))
  expect(told).toBe(false)
})
test('a database whose password is lost says so', async () => {
  await (await startPostgres(dir, COPY_DIR)).close()
  await rm(join(dir, 'postgres-password'))
  await expect(startPostgres(dir, COPY_DIR)).rejects.toMatchObject({
    code: 'file_unreadable',
    message: expect.stringContaining('postgres-password'),
  })
})
test('a database that is damaged says what the server says', async () => {
  await (await startPostgres(dir, COPY_DIR)).close()
  await rm(join(dir, 'pg', 'global', 'pg_control'))
  await expect(startPostgres(dir, COPY_DIR)).rejects.toMatchObject({
    code: 'database_failed',
    message: expect.stringMatching(/database system|pg_control/),
  })
})
test('a pid file that names another program is removed, the program is left alone', async () => {
  const bystander = spawn('sleep', ['60'])
  await mkdir(join(dir, 'pg'))
  await writeFile(join(dir, 'pg', 'postmaster.pid'), `${bystander.pid}\n${join(dir, 'pg')}\n`)
  expect(await stopOrphan(join(dir, 'pg'))).toBe('stale')
  expect(await processIdentity(bystander.pid ?? 0)).toBeDefined()
  expect(await stopOrphan(join(dir, 'pg'))).toBe('none')
  bystander.kill()
  await once(bystander, 'exit')
})

describe.runIf(process.getuid?.() === 0)('as root (the server runs as another user)', () => {
  test('a data directory below a closed folder is refused with that folder and what to do', async () => {
    const closed = join(dir, 'closed')
    await mkdir(join(closed, 'data'), { recursive: true })
    await chmod(closed, 0o700)
    await expect(startPostgres(join(closed, 'data'), COPY_DIR)).rejects.toMatchObject({
      code: 'file_unreadable',
      message: expect.stringContaining(`chmod o+x ${closed}`),
    })
  })
  test('programs that the server’s user cannot reach are copied once, and work', async () => {
    const user = await serverUser()
    const found = await postgresBinaries(user, dir)
    const native = join(found.postgres, '..', '..')
    const closed = join(dir, 'closed')
    await mkdir(closed, { mode: 0o700 })
    await cp(native, join(closed, 'native'), { recursive: true, verbatimSymlinks: true })
    const hidden = { folder: join(closed, 'native'), version: '18.0.0' }
    const copied = await postgresBinaries(user, join(dir, 'copies'), hidden)
    expect(copied.postgres).toBe(join(dir, 'copies', 'postgres-18.0.0', 'bin', 'postgres'))
    expect(await canRead(copied.postgres, user)).toBe(true)
    const before = (await stat(copied.postgres)).ino
    const [again, another] = await Promise.all([
      postgresBinaries(user, join(dir, 'copies'), hidden),
      postgresBinaries(user, join(dir, 'copies'), hidden),
    ])
    expect([again, another]).toEqual([copied, copied])
    expect((await stat(copied.postgres)).ino).toBe(before)
  })
  test('the way to a folder is checked as that user, not as root', async () => {
    const user = await serverUser()
    const closed = await mkdtemp(join(tmpdir(), 'hookline-closed-'))
    await mkdir(join(closed, 'inner'), { mode: 0o755 })
    expect(await blockedAt(join(closed, 'inner'), user)).toBe(closed)
    expect(await blockedAt(join(closed, 'inner'), undefined)).toBeUndefined()
    await chown(closed, user?.uid ?? 0, user?.gid ?? 0)
    expect(await blockedAt(join(closed, 'inner'), user)).toBeUndefined()
    await rm(closed, { recursive: true })
  })
})
test('an installation without its library links says how to mend it', async () => {
  await mkdir(join(dir, 'native', 'bin'), { recursive: true })
  const broken = { folder: join(dir, 'native'), version: '18.0.0' }
  await expect(postgresBinaries(undefined, dir, broken)).rejects.toMatchObject({ code: 'missing_dependency' })
  expect(existsSync(join(dir, 'postgres-18.0.0'))).toBe(false)
})
test('the log of the server is kept for this user only', async () => {
  await (await startPostgres(dir, COPY_DIR)).close()
  expect((await stat(join(dir, 'postgres.log'))).mode & 0o777).toBe(0o600)
  expect(await readFile(join(dir, 'postgres.log'), 'utf8')).not.toContain('FATAL')
})
