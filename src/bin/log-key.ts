import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, parsePrivateKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogWitness } from '../registry/witnesses.ts'
import type { LogIdentity } from '../store/logs.ts'
import { writeNew } from '../store/new-file.ts'
import { type NoteKey, parseNoteKey } from '../tlog/note-key.ts'

/** The key that signs the registry's logs, and what they are called. */
export interface LogSettings {
  /** A file that holds the key, the same for all registries on one database; default: log.key in the data directory. */
  readonly keyFile?: string | undefined
  /** Name of the logs, when they begin; default: a random one. */
  readonly origin?: string | undefined
  /** Who is asked to cosign; default: nobody. */
  readonly witnesses?: readonly LogWitness[]
  /** Whose statements begin the logs anew after a restore; default: nobody's. */
  readonly recoveryKey?: NoteKey | undefined
}

/** Nothing set: a key of its own, and a name that nobody else has. */
export const NO_LOG_SETTINGS: LogSettings = {}

/**
 * The settings that the environment names: HOOKLINE_LOG_KEY_FILE, HOOKLINE_LOG_ORIGIN, HOOKLINE_LOG_WITNESSES,
 * HOOKLINE_LOG_RECOVERY_KEY. Throws as {@link parseWitnesses}.
 */
export const logSettings = (env: Readonly<Record<string, string | undefined>>): LogSettings => ({
  keyFile: env['HOOKLINE_LOG_KEY_FILE'] || undefined,
  origin: env['HOOKLINE_LOG_ORIGIN'] || undefined,
  witnesses: parseWitnesses(env['HOOKLINE_LOG_WITNESSES'] ?? ''),
  recoveryKey: parseRecoveryKey(env['HOOKLINE_LOG_RECOVERY_KEY'] || undefined),
})

function parseRecoveryKey(text: string | undefined): NoteKey | undefined {
  const key = text === undefined ? undefined : parseNoteKey(text)
  if (key?.type === 'cosignature')
    throw new DomainError('log_key_invalid', `HOOKLINE_LOG_RECOVERY_KEY: ${key.name} is the key of a witness`)
  return key
}

/** Witnesses, `<url> <verifier key>` each, between commas or newlines. Throws `usage`, `log_key_invalid`. */
function parseWitnesses(text: string): LogWitness[] {
  const lines = text.split(/[,\n]/).map((line) => line.trim())
  const witnesses = lines.filter((line) => line !== '').map(parseWitness)
  if (witnesses.length > LIMITS.witnesses)
    throw new DomainError('usage', `HOOKLINE_LOG_WITNESSES: at most ${LIMITS.witnesses} witnesses`)
  const names = witnesses.map(({ key }) => key.name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  // what one signed is kept by its name
  if (twice !== undefined)
    throw new DomainError(
      'usage',
      `HOOKLINE_LOG_WITNESSES: two witnesses are called ${JSON.stringify(twice)}`,
    )
  return witnesses
}

function parseWitness(line: string): LogWitness {
  const [address = '', keyText = '', ...rest] = line.split(/\s+/)
  const url = URL.parse(address)
  if (url === null || !/^https?:$/.test(url.protocol) || rest.length > 0 || url.search + url.hash !== '')
    throw new DomainError('usage', `HOOKLINE_LOG_WITNESSES: "${line}" is not an address and a verifier key`)
  const key = parseNoteKey(keyText)
  if (key.type !== 'cosignature')
    throw new DomainError(
      'log_key_invalid',
      `HOOKLINE_LOG_WITNESSES: ${key.name} is the key of a log, not of a witness`,
    )
  return { url, key }
}

/**
 * The key of the logs: from the file that is named, or from the data directory, where one is made at the first start. It is kept
 * out of the database: who reads that can sign nothing. Throws `file_unreadable`, `invalid_key`.
 */
export async function logIdentity(
  dataDir: string,
  { keyFile, origin, recoveryKey }: LogSettings,
): Promise<LogIdentity> {
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
  return { privateKey: key, origin, recoveryKey }
}
