import pg from 'pg'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

/** The oldest PostgreSQL whose SQL the registry uses. */
const OLDEST_MAJOR = 14

/**
 * Checks that a PostgreSQL answers at a connection string (libpq's URI form) and is new enough, and gives the string.
 * Throws `usage` when it is no such string, `database_failed` without its password in the message.
 */
export async function externalDatabase(url: string): Promise<string> {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new DomainError(
      'usage',
      'DATABASE_URL is not of the form postgresql://user:password@host:5432/name',
    )
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: LIMITS.database_connect_ms,
  })
  client.on('error', () => {}) // told by the query that fails
  try {
    await client.connect()
    const { rows } = await client.query<{ number: number }>(
      `SELECT current_setting('server_version_num')::int AS "number"`,
    )
    const major = Math.floor((rows[0]?.number ?? 0) / 10_000)
    if (major < OLDEST_MAJOR)
      throw new DomainError('database_failed', `PostgreSQL is ${major}, at least ${OLDEST_MAJOR} is needed`)
    return url
  } catch (cause) {
    if (cause instanceof DomainError) throw cause
    const { hostname, pathname } = new URL(url)
    const why = cause instanceof Error ? cause.message || String(cause) : String(cause)
    throw new DomainError('database_failed', `the database ${hostname}${pathname} cannot be used: ${why}`, {
      cause,
    })
  } finally {
    client.end().catch(() => {})
  }
}
