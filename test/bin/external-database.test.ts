import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Registry, serve } from '../../src/bin/serve.ts'
import { Desired } from '../../src/domain/node.ts'
import { type Postgres, startPostgres } from '../../src/store/postgres.ts'
import { applyOrder, enrolledNode, putFunction } from '../http/enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from '../http/release-builder.ts'
import { type CallOptions, COPY_DIR, callAt, temporaryDirectory } from '../http/running-registry.ts'

let dir: string
let postgres: Postgres
const started: Registry[] = []
beforeAll(async () => {
  dir = await temporaryDirectory()
  postgres = await startPostgres(dir, COPY_DIR)
})
afterAll(async () => {
  for (const registry of started) await registry.close()
  await postgres.close()
  await rm(dir, { recursive: true })
})
const at = ({ url }: Registry, admin = '') => ({
  admin,
  call: (method: string, path: string, options?: CallOptions) => callAt(url, method, path, options),
})
const start = async (name: string, databaseUrl: string): Promise<Registry> => {
  // the first one makes the key of the log, the others are given it
  const log = started.length === 0 ? {} : { keyFile: join(dir, 'first', 'log.key') }
  const registry = await serve({ dataDir: join(dir, name), port: 0, databaseUrl, log })
  started.push(registry)
  return registry
}

test('two registries on one database serve one fleet: a node waiting at one hears of an order given to the other', async () => {
  const first = await start('first', postgres.url)
  const second = await start('second', postgres.url)
  expect(second.adminToken).toBeUndefined()
  const [here, there] = [at(first, first.adminToken), at(second, first.adminToken)]
  const operator = newKey('ed25519')
  await addKey(here, '/api/v1/operators/keys', operator)
  const publisher = newKey()
  await openNamespace(here, 'acme', publisher)
  const release = await buildRelease('acme/limit', '1.0.0', publisher)
  expect((await publishAt(here, release)).status).toBe(201)
  const joined = await enrolledNode(there, 'node-1', { role: 'edge' })
  const { etag } = await joined.desired()
  const waiting = joined.poll(etag, 20)
  expect((await putFunction(here, 'edge', applyOrder('edge', 1, operator))).status).toBe(200)
  const answer = await waiting
  expect(answer.status).toBe(200)
  expect(Desired.parse(answer.json).functions).toMatchObject([{ name: 'edge', revision: 1 }])
})
test('the database outlives a registry that closes', async () => {
  const third = await start('third', postgres.url)
  await third.close()
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  expect((await client.query('SELECT count(*)::int AS n FROM node')).rows).toEqual([{ n: 1 }])
  await client.end()
})
test('a registry with another key of the log is refused', async () => {
  const dataDir = join(dir, 'stranger')
  const refused = serve({ dataDir, port: 0, databaseUrl: postgres.url })
  await expect(refused).rejects.toMatchObject({ code: 'log_key_mismatch' })
})
test.each([
  ['mysql://localhost/x', 'usage'],
  ['postgresql://hookline:secret-word@127.0.0.1:1/none', 'database_failed'],
])('%s is refused, and its password is not told', async (databaseUrl, code) => {
  const failure = await serve({ dataDir: join(dir, 'refused'), port: 0, databaseUrl }).catch(
    (thrown: Error) => thrown,
  )
  expect(failure).toMatchObject({ code })
  expect(JSON.stringify(failure) + String(failure)).not.toContain('secret-word')
})
