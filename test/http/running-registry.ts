import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import { type IdentitySettings, identitySettings } from '../../src/bin/identity-settings.ts'
import { composeRegistry } from '../../src/bin/registry.ts'
import { type FleetRole, type Role, SCOPES, type Scope } from '../../src/domain/account.ts'
import { NewToken, type TokenRequest } from '../../src/domain/token.ts'
import { buildApp } from '../../src/http/app.ts'
import { Problem } from '../../src/http/problem.ts'
import { PATIENT, type Protection } from '../../src/http/protection.ts'
import type { Services } from '../../src/http/services.ts'
import type { BlobStore } from '../../src/ports/blob-store.ts'
import { createFirstAccount } from '../../src/registry/tokens.ts'
import type { LogWitness } from '../../src/registry/witnesses.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { openFileBlobs } from '../../src/store/file-blobs.ts'
import type { LogIdentity } from '../../src/store/logs.ts'
import { migrate } from '../../src/store/migrations.ts'
import { startPostgres } from '../../src/store/postgres.ts'
import { webPages } from '../../src/web/pages.ts'
import { newLogIdentity } from '../support/log-identity.ts'

/** An answer with its body read: parsed when it is JSON. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  readonly json: unknown
  /** The code of a problem. */
  readonly code: string | undefined
}

/** A registry that listens on loopback, over a database and a folder of its own. */
export interface RunningRegistry {
  readonly url: string
  readonly services: Services
  readonly database: Database
  readonly databaseUrl: string
  readonly dataDir: string
  readonly logIdentity: LogIdentity
  readonly admin: string
  /** What the registry reported as its own failure. */
  readonly failures: unknown[]
  /** Makes a token for an account, by default the administrator’s, and gives its secret. */
  token(request: z.input<typeof TokenRequest>, account?: string): Promise<string>
  /** Makes an account with a token of these scopes, by default all but an administrator’s, and gives the secret. */
  account(name: string, options?: AccountOptions): Promise<string>
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  close(): Promise<void>
}

/** What an account of a test has. */
interface AccountOptions {
  readonly scopes?: readonly Scope[]
  readonly programs?: readonly string[]
  readonly fleet?: FleetRole
  /** Roles by namespace. */
  readonly member?: Readonly<Record<string, Role>>
}

const ALL_SCOPES = SCOPES.filter((scope) => scope !== 'admin')

/** Throws when a call that prepares a test was refused. */
function requireDone(answer: Answer): Answer {
  if (answer.status >= 300) throw new Error(`refused with ${answer.status} ${answer.code}`)
  return answer
}

/** What a call sends: JSON in `body`, or a form. */
export interface CallOptions {
  readonly token?: string | undefined
  readonly body?: unknown
  readonly form?: FormData
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

/** A folder that the database's user may enter. */
export async function temporaryDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'hookline-test-'))
  await chmod(dir, 0o711)
  return dir
}

/** Where the database's programs are copied when they lie where its user may not read: once for all tests. */
export const COPY_DIR = process.getuid?.() === 0 ? '/var/lib/hookline' : tmpdir()

/** What signs a registry's logs and who witnesses them, by default a key of its own and nobody; and where blobs are kept. */
interface RegistryParts {
  /** Default: files. */
  readonly blobs?: BlobStore
  readonly logIdentity?: LogIdentity
  readonly witnesses?: readonly LogWitness[]
}

/** Starts a registry of its own for a test file. */
export async function startRegistry(
  protection: Protection = PATIENT,
  identity: IdentitySettings = identitySettings({}),
  { logIdentity = newLogIdentity(), witnesses = [], ...parts }: RegistryParts = {},
): Promise<RunningRegistry> {
  const dataDir = await temporaryDirectory()
  const postgres = await startPostgres(dataDir, COPY_DIR)
  await migrate(postgres.url, 'prisma/migrations')
  const database = openDatabase(postgres.url)
  await database.listen()
  const failures: unknown[] = []
  const blobs = parts.blobs ?? (await openFileBlobs(join(dataDir, 'blobs')))
  const services = composeRegistry(
    database,
    blobs,
    (error) => failures.push(error),
    protection,
    identity,
    logIdentity,
    witnesses,
  )
  const app = await buildApp(services, webPages())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const admin = (await createFirstAccount(services.accounts, services.clock)) ?? ''
  const token: RunningRegistry['token'] = async (body, account) => {
    const path = account === undefined ? '/api/v1/tokens' : `/api/v1/accounts/${account}/tokens`
    return NewToken.parse(requireDone(await call('POST', path, { token: admin, body })).json).secret
  }
  const call: RunningRegistry['call'] = (method, path, options) => callAt(url, method, path, options)
  return {
    ...{ url, services, database, databaseUrl: postgres.url, dataDir, logIdentity, admin, failures, call },
    token,
    account: async (name, { scopes = ALL_SCOPES, programs, fleet, member }: AccountOptions = {}) => {
      const body = { name, ...(fleet === undefined ? {} : { fleet }) }
      requireDone(await call('POST', '/api/v1/accounts', { token: admin, body }))
      const secret = await token({ scopes: [...scopes], ...(programs && { programs: [...programs] }) }, name)
      for (const [namespace, role] of Object.entries(member ?? {})) {
        const path = `/api/v1/namespaces/${namespace}/members/${name}`
        requireDone(await call('PUT', path, { token: admin, body: { role } }))
        const accepting = await token({ scopes: ['manage'] }, name)
        requireDone(await call('POST', `/api/v1/invitations/${namespace}/accept`, { token: accepting }))
      }
      return secret
    },
    close: async () => {
      await app.close()
      await database.close()
      await postgres.close()
      await rm(dataDir, { recursive: true })
    },
  }
}

/** Another registry on the same database and files, which it reaches by connections of its own; a deaf one hears of no change. */
export async function startBeside(
  first: RunningRegistry,
  { isDeaf = false }: { readonly isDeaf?: boolean } = {},
): Promise<Pick<RunningRegistry, 'url' | 'call' | 'close'>> {
  const database = openDatabase(first.databaseUrl)
  if (!isDeaf) await database.listen()
  const report = (error: unknown): void => void first.failures.push(error)
  const { blobs } = first.services
  const services = composeRegistry(database, blobs, report, PATIENT, identitySettings({}), first.logIdentity)
  const app = await buildApp(services)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    call: (method, path, options) => callAt(url, method, path, options),
    close: async () => {
      await app.close()
      await database.close()
    },
  }
}

/** Sends one request to a registry and reads the whole answer. */
export async function callAt(
  url: string,
  method: string,
  path: string,
  { token, body, form, headers = {}, signal }: CallOptions = {},
): Promise<Answer> {
  const answer = await fetch(url + path, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined
      ? {}
      : { body: Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body) }),
    ...(form === undefined ? {} : { body: form }),
    ...(signal === undefined ? {} : { signal }),
  })
  const bytes = Buffer.from(await answer.arrayBuffer())
  const type = answer.headers.get('content-type') ?? ''
  const json: unknown = /^application\/(problem\+)?json/.test(type) ? JSON.parse(bytes.toString()) : undefined
  return {
    status: answer.status,
    headers: answer.headers,
    bytes,
    json,
    code: type.startsWith('application/problem+json') ? Problem.parse(json).code : undefined,
  }
}
