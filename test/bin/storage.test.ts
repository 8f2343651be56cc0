import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { type Registry, type ServeOptions, serve } from '../../src/bin/serve.ts'
import { type Postgres, startPostgres } from '../../src/store/postgres.ts'
import { COPY_DIR, temporaryDirectory } from '../http/running-registry.ts'
import { type S3Server, startS3 } from '../support/s3.ts'
import { registryContract } from './registry-contract.ts'

let dir: string
let postgres: Postgres
let s3: S3Server
const started: Registry[] = []
beforeAll(async () => {
  dir = await temporaryDirectory()
  postgres = await startPostgres(dir, COPY_DIR)
  s3 = await startS3()
}, 120_000)
afterAll(async () => {
  for (const registry of started) await registry.close()
  await postgres.close()
  s3.close()
  await rm(dir, { recursive: true })
})

const start = async (name: string, options: ServeOptions): Promise<Registry> => {
  const registry = await serve({ dataDir: join(dir, name), port: 0, ...options })
  started.push(registry)
  return registry
}

describe('a database and files of its own', () =>
  registryContract(async () => {
    const first = await start('alone', {})
    return { first, second: undefined, admin: first.adminToken ?? '' }
  }))
describe('a database of its own, a bucket', () =>
  registryContract(async () => {
    const first = await start('bucket', { s3: await s3.bucket() })
    return { first, second: undefined, admin: first.adminToken ?? '' }
  }))
describe('two registries on one PostgreSQL that is kept elsewhere and one bucket', () =>
  registryContract(async () => {
    const shared = { databaseUrl: postgres.url, s3: await s3.bucket() }
    const first = await start('first', shared)
    const second = await start('second', { ...shared, log: { keyFile: join(dir, 'first', 'log.key') } })
    return { first, second, admin: first.adminToken ?? '' }
  }))
