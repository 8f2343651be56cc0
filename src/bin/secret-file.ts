import { readFileSync } from 'node:fs'
import { DomainError } from '../domain/errors.ts'

/** A secret from the file that `<name>_FILE` names; undefined when it names none. Throws `file_unreadable`. */
export function readSecretFile(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): string | undefined {
  const path = env[`${name}_FILE`]
  if (!path) return undefined
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new DomainError('file_unreadable', `${name}_FILE: ${path} cannot be read`, { cause })
  }
}
