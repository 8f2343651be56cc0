import { chmod } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { jsonText } from '../cli/terminal.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { buildApp } from '../http/app.ts'
import { PATIENT, type Protection } from '../http/protection.ts'
import type { Services } from '../http/services.ts'
import { createFirstAccount, recoverToken } from '../registry/tokens.ts'
import { openDatabase } from '../store/database.ts'
import { lockDirectory } from '../store/directory-lock.ts'
import { externalDatabase } from '../store/external-database.ts'
import { openFileBlobs } from '../store/file-blobs.ts'
import { makeDirectory } from '../store/make-directory.ts'
import { migrate } from '../store/migrations.ts'
import { type Postgres, startPostgres } from '../store/postgres.ts'
import { openS3Blobs, type S3Settings } from '../store/s3-blobs.ts'
import { webPages } from '../web/pages.ts'
import { type IdentitySettings, NO_IDENTITIES } from './identity-settings.ts'
import { type LogSettings, logIdentity, NO_LOG_SETTINGS } from './log-key.ts'
import { composeRegistry } from './registry.ts'
import { reportLine } from './report-line.ts'

/** Where a registry keeps its state and where it listens. All have defaults. */
export interface ServeOptions {
  /** Default for root /var/lib/hookline, else ~/.local/share/hookline. */
  readonly dataDir?: string
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 7070; 0 takes any free port. */
  readonly port?: number
  /** Connection string of a PostgreSQL that is kept elsewhere; default: one of its own, in the data directory. */
  readonly databaseUrl?: string
  /** The bucket that keeps blobs; default: files in the data directory. */
  readonly s3?: S3Settings
  /** How much it puts up with; by default it sends nobody away for load. */
  readonly protection?: Protection
  /** What it is known by, and whose identity tokens it takes; default: where it listens, and nobody's. */
  readonly identity?: IdentitySettings
  /** What signs the logs, and what they are called. */
  readonly log?: LogSettings
  /** Make a new token for the first administrator, whose old ones may be lost. */
  readonly newAdminToken?: boolean
  /** Told of the registry's own failures; default: nobody. */
  readonly report?: Services['report']
}

/** A running registry. */
export interface Registry {
  /** Its address, such as http://127.0.0.1:7070. */
  readonly url: string
  readonly dataDir: string
  /** Connection string of its database. */
  readonly databaseUrl: string
  /** The secret of the first administrator's token, only at the very first start or when asked for: it is not kept. */
  readonly adminToken?: string
  /** Settles when its database ends by itself: then nothing but {@link close} helps, and a new start. */
  readonly lost: Promise<DomainError>
  /** Ends long polls and requests, then stops the database. */
  close(): Promise<void>
}

const SYSTEM_DIR = '/var/lib/hookline'
const DEFAULT_PORT = 7070
const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

/** The data directory of this user. */
const defaultDataDir = (): string => {
  if (process.getuid?.() === 0) return SYSTEM_DIR
  return join(process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'hookline')
}

/**
 * Starts a registry: takes the data directory, starts its database, migrates it, and listens.
 * Throws `state_in_use`, `file_unreadable`, `missing_dependency`, `database_failed`, `blob_store_failed`, `address_in_use`, and `usage` for a
 * data directory whose path is too long.
 */
export async function serve(options: ServeOptions = {}): Promise<Registry> {
  const dataDir = resolve(options.dataDir ?? defaultDataDir())
  const undo: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step()
  }
  try {
    await prepareDirectory(dataDir)
    const lock = await lockDirectory(dataDir)
    undo.push(() => lock.release())
    const { s3 } = options
    const blobs = s3 === undefined ? await openFileBlobs(join(dataDir, 'blobs')) : await openS3Blobs(s3)
    const postgres = await findPostgres(dataDir, options.databaseUrl)
    undo.push(() => postgres.close())
    await migrate(postgres.url, MIGRATIONS)
    const database = openDatabase(postgres.url)
    undo.push(() => database.close())
    await database.listen()
    const services = composeRegistry(
      database,
      blobs,
      options.report ?? (() => {}),
      options.protection ?? PATIENT,
      options.identity ?? NO_IDENTITIES,
      await logIdentity(dataDir, options.log ?? NO_LOG_SETTINGS),
      options.log?.witnesses,
    )
    await services.logs.open()
    const app = await buildApp(services, webPages())
    undo.push(() => app.close())
    const { host = '127.0.0.1', port = DEFAULT_PORT } = options
    const url = await app.listen({ host, port }).catch((cause: Error) => {
      throw new DomainError('address_in_use', `cannot listen on ${host}:${port}: ${cause.message}`, { cause })
    })
    // only when everything else held: the secret is shown once
    const { accounts, clock } = services
    const adminToken =
      (await createFirstAccount(accounts, clock)) ??
      (options.newAdminToken === true ? await recoverToken(accounts, clock) : undefined)
    const { lost } = postgres
    return {
      url,
      dataDir,
      databaseUrl: postgres.url,
      ...(adminToken === undefined ? {} : { adminToken }),
      lost,
      close,
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** The database server of its own, or the one that is kept elsewhere, which this neither starts nor ends. */
async function findPostgres(
  dataDir: string,
  url: string | undefined,
): Promise<Pick<Postgres, 'url' | 'lost' | 'close'>> {
  if (url === undefined) return startPostgres(dataDir, process.getuid?.() === 0 ? SYSTEM_DIR : dataDir)
  return { url: await externalDatabase(url), lost: new Promise(() => {}), close: async () => {} }
}

/** Root's directory is entered, not read, by the database's user; anybody else's is his own. */
async function prepareDirectory(dataDir: string): Promise<void> {
  try {
    await makeDirectory(dataDir)
    await chmod(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DomainError('file_unreadable', `${dataDir} cannot be used as data directory: ${why}`, { cause })
  }
}

/**
 * Runs a registry in the foreground until SIGINT or SIGTERM: prints its address, its data directory and, at the first
 * start, the admin token; `json` prints them as one JSON line. A second signal ends it at once. Throws as {@link serve}, and
 * `database_lost` when its database ends by itself, upon which the process ends soon, whatever is under way.
 */
export async function runServe(options: Omit<ServeOptions, 'report'> & { json?: boolean }): Promise<void> {
  const { json = false, ...serveOptions } = options
  const stopped = new Promise<undefined>((stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop(undefined))
  })
  const registry = await serve({
    ...serveOptions,
    report: (error, request) => console.error(reportLine(error, request)),
  })
  const { url, dataDir, adminToken } = registry
  if (json) console.log(jsonText({ url, dataDir, ...(adminToken === undefined ? {} : { adminToken }) }))
  else {
    console.log(`Hookline registry on ${url}`)
    console.log(`  data directory  ${dataDir}`)
    if (adminToken !== undefined) {
      console.log(`  admin token     ${adminToken}`)
      console.log('  (keep it: it is shown this once)')
    }
  }
  const lost = await Promise.race([stopped, registry.lost])
  if (lost === undefined) return await registry.close()
  // no request under way can be answered any more: what hangs must not keep the process from its supervisor
  setTimeout(() => process.exit(1), LIMITS.database_lost_ms).unref()
  registry.close().catch(() => {})
  throw lost
}
