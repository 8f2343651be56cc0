import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { readLocalText } from './local-file.ts'

/** The ways to hand a secret to a command, by the names of the flags and of the variable: for messages. */
interface SecretSource {
  /** Such as `--token`; the file's flag is `<flag>-file`. */
  readonly flag: string
  readonly given: string | undefined
  readonly file: string | undefined
  readonly fromEnvironment: string | undefined
}

/**
 * A secret from its file, else its flag, else the environment; undefined without any, an empty variable counts as none. A
 * flag is shown to every user of the machine as long as the process runs; a file and the environment are not. Throws
 * `usage` for flag and file together, or a file that holds no secret, `file_unreadable`, `too_large`.
 */
export async function readSecret(source: SecretSource): Promise<string | undefined> {
  const { flag, given, file, fromEnvironment } = source
  if (given !== undefined && file !== undefined)
    throw new DomainError('usage', `give ${flag} or ${flag}-file, not both`)
  if (file === undefined) return given ?? (fromEnvironment === '' ? undefined : fromEnvironment)
  const secret = (await readLocalText(file, LIMITS.secret_bytes, 'secret')).trim()
  if (!/^[!-~]+$/.test(secret))
    throw new DomainError('usage', `${flag}-file ${file}: it holds not one secret on one line`)
  return secret
}
