import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identitySettings } from '../src/bin/identity-settings.ts'
import { logIdentity, NO_LOG_SETTINGS } from '../src/bin/log-key.ts'
import { composeRegistry } from '../src/bin/registry.ts'
import { buildApp } from '../src/http/app.ts'
import { PATIENT } from '../src/http/protection.ts'
import { openDatabase } from '../src/store/database.ts'
import { openFileBlobs } from '../src/store/file-blobs.ts'

/** The description of the HTTP interface as the registry itself answers it. Needs no database: none is asked. */
export async function describeRegistry(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'hookline-openapi-'))
  const database = openDatabase('postgresql://127.0.0.1:1/none')
  try {
    const blobs = await openFileBlobs(dir)
    const services = composeRegistry(
      database,
      blobs,
      (error) => console.error(error),
      PATIENT,
      identitySettings({}),
      await logIdentity(dir, NO_LOG_SETTINGS),
    )
    const app = await buildApp(services)
    const { payload } = await app.inject({ url: '/openapi.yaml' })
    await app.close()
    return payload
  } finally {
    await database.close()
    await rm(dir, { recursive: true })
  }
}

if (import.meta.main) await writeFile(new URL('../openapi.yaml', import.meta.url), await describeRegistry())
