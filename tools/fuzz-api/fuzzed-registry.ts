import { join } from 'node:path'
import { parse } from 'yaml'
import { NO_IDENTITIES } from '../../src/bin/identity-settings.ts'
import { logIdentity, NO_LOG_SETTINGS } from '../../src/bin/log-key.ts'
import { composeRegistry } from '../../src/bin/registry.ts'
import { SCOPES, type Scope } from '../../src/domain/account.ts'
import { buildApp } from '../../src/http/app.ts'
import { openApiYaml } from '../../src/http/openapi.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { hashSecret, newSecret } from '../../src/registry/secrets.ts'
import { createFirstAccount } from '../../src/registry/tokens.ts'
import { openDatabase } from '../../src/store/database.ts'
import { openFileBlobs } from '../../src/store/file-blobs.ts'
import { migrate } from '../../src/store/migrations.ts'
import { startPostgres } from '../../src/store/postgres.ts'
import { seedCatalog } from '../seed/seed-catalog.ts'
import type { Description, FuzzActor } from './fuzz-api.ts'

/** A registry with a small catalog and some accounts, asked without a socket. */
export async function openFuzzedRegistry(dir: string) {
  const postgres = await startPostgres(dir, process.getuid?.() === 0 ? '/var/lib/hookline' : dir)
  await migrate(postgres.url, 'prisma/migrations')
  const database = openDatabase(postgres.url)
  const failures: unknown[] = []
  const blobs = await openFileBlobs(join(dir, 'blobs'))
  const services = composeRegistry(
    database,
    blobs,
    (error) => failures.push(error),
    { ...PATIENT, rates: undefined },
    { ...NO_IDENTITIES, publicUrl: 'http://127.0.0.1' },
    await logIdentity(dir, NO_LOG_SETTINGS),
  )
  const app = await buildApp(services)
  await seedCatalog(database.prisma, { programs: 40, releases: 100, seed: 5 })
  await createFirstAccount(services.accounts, services.clock)
  const { prisma } = database
  /** A token of an account that may do all it ever could, whatever became of it. */
  const tokenOf = async (name: string, rights: object, scopes: readonly Scope[]): Promise<string> => {
    await prisma.account.updateMany({ where: { name }, data: { ...rights, disabledAt: null } })
    await prisma.token.updateMany({ where: { account: { name } }, data: { revokedAt: new Date() } })
    const secret = newSecret('hlt_')
    const expiresAt = new Date(Date.now() + 3_600_000)
    const kept = { hash: hashSecret(secret), account: name, scopes, programs: ['*'], note: '', expiresAt }
    await services.accounts.addToken(kept, { kind: 'anonymous' })
    return secret
  }
  const actor = async (name: string, rights: object, scopes: readonly Scope[]): Promise<FuzzActor> => {
    let token = await tokenOf(name, rights, scopes)
    return {
      name,
      headers: () => ({ authorization: `Bearer ${token}` }),
      renew: async () => {
        token = await tokenOf(name, rights, scopes)
      },
    }
  }
  const some = SCOPES.filter((scope) => scope !== 'admin')
  for (const name of ['ada', 'ops'])
    await services.accounts.add({ name, kind: 'person', admin: false, fleet: 'none' }, { kind: 'anonymous' })
  const ada = await actor('ada', { fleet: 'none', admin: false }, some)
  const payload = { name: 'acme' }
  await app.inject({ method: 'POST', url: '/api/v1/namespaces', headers: ada.headers(), payload })
  const actors: FuzzActor[] = [
    { name: 'nobody', headers: () => ({}) },
    { name: 'a stranger to tokens', headers: () => ({ authorization: 'Bearer hlt_unknown' }) },
    await actor('admin', { fleet: 'operator', admin: true }, SCOPES),
    await actor('ops', { fleet: 'operator', admin: false }, some),
    ada,
    ada,
  ]
  const description: Description = parse(openApiYaml(app))
  return {
    ...{ app, description, actors, failures },
    close: async () => {
      await app.close()
      await database.close()
      await postgres.close()
    },
  }
}
