import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { DomainError } from '../domain/errors.ts'

/** The advisory lock that Prisma's own migration engine takes: neither it nor another registry migrates meanwhile. */
const MIGRATION_LOCK = 72707369

/** Prisma's bookkeeping table, as its migration engine makes it, so that its commands read what is written here. */
const BOOKKEEPING = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0)`

interface Migration {
  readonly name: string
  readonly sql: string
  /** SHA-256 of the SQL, hexadecimal. */
  readonly checksum: string
}

/**
 * Applies each `<folder>/<name>/migration.sql` that the database has not recorded, in the order of their names, one
 * transaction each, and gives the names applied. Throws `database_failed` when an applied migration was changed since,
 * when the database was migrated by a newer version, or when the SQL fails.
 */
export async function migrate(url: string, folder: string): Promise<string[]> {
  const migrations = await readMigrations(folder)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    await client.query(BOOKKEEPING)
    const { rows } = await client.query<{ migration_name: string; checksum: string }>(
      'SELECT "migration_name", "checksum" FROM "_prisma_migrations" WHERE "rolled_back_at" IS NULL',
    )
    const recorded = new Map(rows.map((row) => [row.migration_name, row.checksum]))
    requireSameHistory(migrations, recorded)
    const missing = migrations.filter(({ name }) => !recorded.has(name))
    for (const migration of missing) await apply(client, migration)
    return missing.map(({ name }) => name)
  } finally {
    await client.end()
  }
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  if (names.length === 0)
    throw new DomainError('database_failed', `no migrations in ${folder}: install again`)
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

function requireSameHistory(migrations: readonly Migration[], recorded: ReadonlyMap<string, string>): void {
  for (const { name, checksum } of migrations)
    if (recorded.has(name) && recorded.get(name) !== checksum)
      throw new DomainError(
        'database_failed',
        `migration ${name} differs from the one that this database was made with: restore the original`,
      )
  for (const name of recorded.keys())
    if (!migrations.some((migration) => migration.name === name))
      throw new DomainError(
        'database_failed',
        `the database has migration ${name}, which this version does not know: use the newer version`,
      )
}

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  try {
    await client.query('BEGIN')
    await client.query(sql)
    await client.query(
      `INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "finished_at", "applied_steps_count")
       VALUES ($1, $2, $3, now(), 1)`,
      [randomUUID(), checksum, name],
    )
    await client.query('COMMIT')
  } catch (cause) {
    await client.query('ROLLBACK')
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DomainError('database_failed', `migration ${name} failed: ${why}`, { cause })
  }
}
