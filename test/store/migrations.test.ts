import { readdirSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lookOf } from '../../src/domain/name-rules.ts'
import { Prisma } from '../../src/store/generated/client.ts'
import { migrate } from '../../src/store/migrations.ts'
import { type Postgres, startPostgres } from '../../src/store/postgres.ts'
import { COPY_DIR, temporaryDirectory } from '../http/running-registry.ts'

/** The folders of the migrations that the product has, in order. */
const SHIPPED = readdirSync('prisma/migrations').sort()

let dir: string
let postgres: Postgres
let client: pg.Client
beforeAll(async () => {
  dir = await temporaryDirectory()
  postgres = await startPostgres(dir, COPY_DIR)
  client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await postgres.close()
  await rm(dir, { recursive: true })
})

/** A new database on the same server, and a copy of the migrations that a test may change. */
async function fresh(name: string): Promise<{ url: string; folder: string }> {
  await client.query(`CREATE DATABASE ${name}`)
  const folder = join(dir, `migrations-${name}`)
  await cp('prisma/migrations', folder, { recursive: true })
  return { url: postgres.url.replace(/postgres$/, name), folder }
}
const addMigration = async (folder: string, name: string, sql: string): Promise<void> => {
  await mkdir(join(folder, name))
  await writeFile(join(folder, name, 'migration.sql'), sql)
}

test('each migration is applied once, in order', async () => {
  const { url, folder } = await fresh('once')
  expect(await migrate(url, folder)).toEqual(SHIPPED)
  expect(await migrate(url, folder)).toEqual([])
  await addMigration(folder, '9003_third', 'ALTER TABLE added ADD COLUMN later int')
  await addMigration(folder, '9002_second', 'CREATE TABLE added (n int)')
  expect(await migrate(url, folder)).toEqual(['9002_second', '9003_third'])
})
test('registries that start at once migrate once', async () => {
  const { url, folder } = await fresh('racing')
  const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(url, folder)))
  expect(applied.flat()).toEqual(SHIPPED)
})
test('a migration that was changed after it was applied is refused', async () => {
  const { url, folder } = await fresh('changed')
  await migrate(url, folder)
  await writeFile(join(folder, '0001_init', 'migration.sql'), '-- something else')
  await expect(migrate(url, folder)).rejects.toMatchObject({ code: 'database_failed' })
})
test('a database of a newer version is refused', async () => {
  const { url, folder } = await fresh('newer')
  await addMigration(folder, '9009_future', 'CREATE TABLE future (n int)')
  await migrate(url, folder)
  await rm(join(folder, '9009_future'), { recursive: true })
  await expect(migrate(url, folder)).rejects.toMatchObject({
    code: 'database_failed',
    message: expect.stringContaining('9009_future'),
  })
})
test('a migration that fails leaves nothing behind, and can be mended', async () => {
  const { url, folder } = await fresh('failing')
  await migrate(url, folder)
  await addMigration(folder, '0002_bad', 'CREATE TABLE half (n int); SELECT nonsense')
  await expect(migrate(url, folder)).rejects.toMatchObject({ code: 'database_failed' })
  await writeFile(join(folder, '0002_bad', 'migration.sql'), 'CREATE TABLE half (n int)')
  expect(await migrate(url, folder)).toEqual(['0002_bad'])
})
test('a folder without migrations is refused', async () => {
  await expect(migrate(postgres.url, 'prisma/migrations/0001_init')).rejects.toMatchObject({
    code: 'database_failed',
  })
})

/** What the migrations made: `table.column type [null]`, keys and indexes. */
async function columnsOf(url: string): Promise<string[]> {
  const own = new pg.Client({ connectionString: url })
  await own.connect()
  const { rows } = await own.query<{ line: string }>(`
    SELECT table_name || '.' || column_name || ' ' || udt_name ||
      CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END AS line
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'`)
  await own.end()
  return rows.map(({ line }) => line).sort()
}

const PG_TYPES: Record<string, string> = {
  ...{ String: 'text', Bytes: 'bytea', Int: 'int4', BigInt: 'int8' },
  ...{ Boolean: 'bool', DateTime: 'timestamptz' },
  ...{ '@db.Date': 'date', Unsupported: 'tsvector' },
  ...{ '@db.Uuid': 'uuid', '@db.Timestamptz': 'timestamptz', '@db.Json': 'json' },
}

/** The same lines, read from schema.prisma. */
async function columnsOfSchema(): Promise<string[]> {
  const schema = await readFile('prisma/schema.prisma', 'utf8')
  const enums = [...schema.matchAll(/^enum (\w+) \{.*?@@map\("(\w+)"\)\n\}/gms)]
  const types = { ...PG_TYPES, ...Object.fromEntries(enums.map(([, name, mapped]) => [name, mapped])) }
  const models = [...schema.matchAll(/^model (\w+) \{(.*?)^\}/gms)]
  expect(models.map(([, name]) => name).sort()).toEqual(Object.keys(Prisma.ModelName).sort())
  return models
    .flatMap(([, , body = '']) => {
      const table = /@@map\("(\w+)"\)/.exec(body)?.[1]
      return body.split('\n').flatMap((line) => {
        const [, field, type = '', optional] = /^ {2}(\w+)\s+(\w+)(?:\("\w+"\))?(\?|\[\])?/.exec(line) ?? []
        const native = /@db\.\w+/.exec(line)?.[0]
        const pgType = types[native ?? type]
        if (field === undefined || pgType === undefined) return [] // a relation, not a column
        const column = /@map\("(\w+)"\)/.exec(line)?.[1] ?? field
        return [
          `${table}.${column} ${optional === '[]' ? '_' : ''}${pgType}${optional === '?' ? ' null' : ''}`,
        ]
      })
    })
    .sort()
}

test('the migrations make exactly the tables of schema.prisma', async () => {
  const { url, folder } = await fresh('drift')
  await migrate(url, folder)
  const made = await columnsOf(url)
  expect(made.length).toBeGreaterThan(50)
  expect(made).toEqual(await columnsOfSchema())
})
test('looks that were kept by an older rule are those of the new one; names that are alike stay', async () => {
  const { url, folder } = await fresh('looks')
  const later = SHIPPED.slice(SHIPPED.indexOf('0012_looks'))
  for (const name of later) await rm(join(folder, name), { recursive: true })
  await migrate(url, folder)
  const old = new pg.Client({ connectionString: url })
  await old.connect()
  await old.query(`INSERT INTO "namespace" ("id", "name", "look") VALUES
    (gen_random_uuid(), 'c1oud', 'cloud'), (gen_random_uuid(), 'cloud', 'doud'), (gen_random_uuid(), 'ciick', 'cllck')`)
  await migrate(url, 'prisma/migrations')
  const { rows } = await old.query('SELECT "name", "look" FROM "namespace" ORDER BY "name"')
  await old.end()
  expect(rows.map(({ name, look }) => [name, look])).toEqual([
    ['c1oud', 'cloud'],
    ['ciick', lookOf('ciick')],
    ['cloud', lookOf('cloud')],
  ])
})
test('revocations that were made before have their places; those of files, or by today’s operators, are operators’', async () => {
  const { url, folder } = await fresh('signers')
  const later = SHIPPED.slice(SHIPPED.indexOf('0025_revocations'))
  for (const name of later) await rm(join(folder, name), { recursive: true })
  await migrate(url, folder)
  const old = new pg.Client({ connectionString: url })
  await old.connect()
  await old.query(`INSERT INTO "operator_key" ("fingerprint", "spki") VALUES ('operator', '')`)
  await old.query(`INSERT INTO "revocation"
    ("digest", "program", "version", "file", "private", "reason", "message", "at", "envelope", "signer") VALUES
    ('a', 'acme/limit', '1.0.0', NULL, false, 'other', '', now(), '', 'operator'),
    ('b', 'acme/limit', '1.0.0', NULL, false, 'other', '', now(), '', 'publisher'),
    ('c', 'acme/limit', '1.1.0', NULL, false, 'other', '', now(), '', NULL),
    ('d', NULL, NULL, 'sha256:1', false, 'other', '', now(), '', 'retired')`)
  const entry = (envelope: string) => Buffer.from(`{"at":1,"envelope":"${envelope}","kind":"revoke","v":1}`)
  const hidden = Buffer.from('{"at":1,"commitment":"sha256:2","kind":"private","v":1}')
  const place = 'INSERT INTO "log_entry" ("log", "index", "data", "hidden") VALUES ($1, $2, $3, $4)'
  await old.query(place, ['catalog', 7, entry('a'), null])
  await old.query(place, ['revocations', 0, entry('a'), null])
  await old.query(place, ['catalog', 9, hidden, entry('b')])
  await old.query(place, ['revocations', 1, hidden, entry('b')])
  await migrate(url, 'prisma/migrations')
  const { rows } = await old.query(`SELECT "digest", "by_operator", "catalog_index", "revocations_index"
    FROM "revocation" ORDER BY "digest"`)
  await old.end()
  expect(rows.map((row) => Object.values(row))).toEqual([
    ['a', true, '7', '0'],
    ['b', false, '9', '1'],
    ['c', false, null, null],
    ['d', true, null, null],
  ])
})
