import { once } from 'node:events'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serve } from '../../src/bin/serve.ts'
import { NodeList } from '../../src/domain/node.ts'
import { readPidFile, stopOrphan } from '../../src/store/postmaster.ts'
import { processIdentity } from '../../src/store/process-identity.ts'
import { enrolledNode } from '../http/enrolled-node.ts'
import { type CallOptions, callAt, temporaryDirectory } from '../http/running-registry.ts'
import { type ServeProcess, startServe } from './serve-process.ts'

let dir: string
beforeEach(async () => {
  dir = await temporaryDirectory()
})
afterEach(async () => {
  await stopOrphan(join(dir, 'pg')) // of a test that failed half-way
  await rm(dir, { recursive: true })
})
const postgresPid = async (): Promise<number> => (await readPidFile(join(dir, 'pg')))?.pid ?? 0
const of = ({ url }: { url: string }, admin = '') => ({
  admin,
  call: (method: string, path: string, options?: CallOptions) => callAt(url, method, path, options),
})

test('the first start shows an admin token, later ones do not, and it stays valid', async () => {
  const first = await serve({ dataDir: dir, port: 0 })
  expect(first.adminToken).toMatch(/^hlt_[A-Za-z0-9_-]{43}$/)
  expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const node = await enrolledNode(of(first, first.adminToken), 'node-1')
  await first.close()
  const second = await serve({ dataDir: dir, port: 0 })
  expect(second.adminToken).toBeUndefined()
  const answer = await callAt(second.url, 'GET', '/api/v1/nodes', { token: first.adminToken })
  expect(NodeList.parse(answer.json).nodes.map(({ id }) => id)).toEqual([node.id])
  expect((await callAt(second.url, 'GET', '/readyz')).json).toEqual({ status: 'ok' })
  await second.close()
})
test('a data directory is served by one process only', async () => {
  const first = await serve({ dataDir: dir, port: 0 })
  await expect(serve({ dataDir: dir, port: 0 })).rejects.toMatchObject({ code: 'state_in_use' })
  expect((await callAt(first.url, 'GET', '/readyz')).status).toBe(200)
  await first.close()
})
test('a port that is taken is refused, and everything that was started is stopped', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' ? address?.port : undefined
  await expect(serve({ dataDir: dir, port: port ?? 0 })).rejects.toMatchObject({ code: 'address_in_use' })
  other.close()
  expect(await readPidFile(join(dir, 'pg'))).toBeUndefined()
  // and the admin token was not used up by the failed start
  const registry = await serve({ dataDir: dir, port: 0 })
  expect(registry.adminToken).toBeDefined()
  await registry.close()
})
test('a directory that cannot be made is refused', async () => {
  await writeFile(join(dir, 'file'), '')
  await expect(serve({ dataDir: join(dir, 'file', 'data'), port: 0 })).rejects.toMatchObject({
    code: 'file_unreadable',
  })
})
/** A backend looks for its postmaster at the latest when it has nothing else to do. */
const POLL = { timeout: 10_000, interval: 50 }
test('when the database is gone, it is alive but not ready', async () => {
  const failures: unknown[] = []
  const registry = await serve({ dataDir: dir, port: 0, report: (error) => failures.push(error) })
  process.kill(await postgresPid(), 'SIGKILL')
  // backends outlive their postmaster by a moment, and go on answering
  await expect
    .poll(async () => {
      const ready = await callAt(registry.url, 'GET', '/readyz')
      return [ready.status, ready.code]
    }, POLL)
    .toEqual([503, 'not_ready'])
  expect(failures.length).toBeGreaterThan(0)
  expect((await callAt(registry.url, 'GET', '/healthz')).status).toBe(200)
  const failed = await callAt(registry.url, 'GET', '/api/v1/programs')
  expect([failed.status, failed.code]).toEqual([500, 'internal'])
  expect(failed.bytes.toString()).not.toContain('5432')
  await registry.close()
})
test('when its database ends, it says so and ends with code 1, whatever is under way', async () => {
  const process_ = await startServe(dir)
  const node = await enrolledNode(of(process_, process_.adminToken), 'node-1')
  const { etag } = await node.desired()
  const waiting = node.poll(etag, 30).catch(() => undefined)
  process.kill(await postgresPid(), 'SIGKILL')
  const { code, errors } = await process_.ended()
  expect(code).toBe(1)
  expect(errors).toContain('"database_lost"')
  expect(errors).toContain('SIGKILL')
  await waiting
  const next = await startServe(dir)
  expect((await callAt(next.url, 'GET', '/readyz')).status).toBe(200)
  expect(await next.end('SIGTERM')).toBe(0)
})
test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends it in order: long polls, then the database',
  async (signal) => {
    const process_ = await startServe(dir)
    const node = await enrolledNode(of(process_, process_.adminToken), 'node-1')
    const { etag } = await node.desired()
    const waiting = node.poll(etag, 30)
    await new Promise((later) => setTimeout(later, 100))
    const pid = await postgresPid()
    expect(await processIdentity(pid)).toBeDefined()
    const [code, answer] = await Promise.all([process_.end(signal), waiting])
    expect([code, answer.status]).toEqual([0, 304])
    expect(await processIdentity(pid)).toBeUndefined()
    await expect(readFile(join(dir, 'hookline.lock'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await readFile(join(dir, 'postgres.log'), 'utf8')).not.toContain('FATAL')
  },
)
test('what it keeps is closed to others', async () => {
  const registry = await serve({ dataDir: dir, port: 0 })
  const mode = async (name: string) => ((await stat(join(dir, name))).mode & 0o077).toString(8)
  expect(
    await Promise.all(['postgres-password', 'postgres.log', 'hookline.lock', 'pg', 'run'].map(mode)),
  ).toEqual(Array(5).fill('0'))
  await registry.close()
})
test('after kill -9 it starts on the same directory without help, and stops the database left behind', async () => {
  const killed: ServeProcess = await startServe(dir)
  const orphan = await postgresPid()
  expect(await killed.end('SIGKILL')).toBeNull()
  expect(await processIdentity(orphan)).toBeDefined()
  const next = await startServe(dir)
  expect(await processIdentity(orphan)).toBeUndefined()
  expect((await callAt(next.url, 'GET', '/api/v1/nodes', { token: killed.adminToken })).status).toBe(200)
  expect(await next.end('SIGTERM')).toBe(0)
})
