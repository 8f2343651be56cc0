import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, parsePrivateKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { LogIdentity } from '../store/logs.ts'
import { writeNew } from '../store/new-file.ts'

/** The key that signs the registry's logs, and what they are called. */
export interface LogSettings {
  /** A file that holds the key, the same for all registries on one database; default: log.key in the data directory. */
  readonly keyFile?: string | undefined
  /** Name of the logs, when they begin; default: a random one. */
  readonly origin?: string | undefined
}

/** Nothing set: a key of its own, and a name that nobody else has. */
export const NO_LOG_SETTINGS: LogSettings = {}

/** The settings that the environment names: HOOKLINE_LOG_KEY_FILE, HOOKLINE_LOG_ORIGIN. */
export const logSettings = (env: Readonly<Record<string, string | undefined>>): LogSettings => ({
  keyFile: env['HOOKLINE_LOG_KEY_FILE'] || undefined,
  origin: env['HOOKLINE_LOG_ORIGIN'] || undefined,
})

/**
 * The key of the logs: from the file that is named, or from the data directory, where one is made at the first start. It is kept
 * out of the database: who reads that can sign nothing. Throws `file_unreadable`, `invalid_key`.
 */
export async function logIdentity(dataDir: string, { keyFile, origin }: LogSettings): Promise<LogIdentity> {
  const path = keyFile ?? join(dataDir, 'log.key')
  if (keyFile === undefined) await writeNew(path, () => generateKeyPair('ed25519').privateKey)
  let pem: string
  try {
    pem = await readFile(path, 'utf8')
  } catch (cause) {
    throw new DomainError('file_unreadable', `the key of the log, ${path}, cannot be read`, { cause })
  }
  const { key, publicKey } = parsePrivateKey(pem)
  if (publicKey.algorithm !== 'ed25519')
    throw new DomainError(
      'invalid_key',
      `${path}: a log is signed with Ed25519, this key is ${publicKey.algorithm}`,
    )
  return { privateKey: key, origin }
}
