import { DomainError } from '../domain/errors.ts'
import type { S3Settings } from '../store/s3-blobs.ts'
import { readSecretFile } from './secret-file.ts'

/** Names of the variables that say where blobs are kept; each secret may come from the file that `<name>_FILE` names. */
const [ENDPOINT, BUCKET, REGION] = ['HOOKLINE_S3_ENDPOINT', 'HOOKLINE_S3_BUCKET', 'HOOKLINE_S3_REGION']
const [ACCESS_KEY, SECRET_KEY] = ['HOOKLINE_S3_ACCESS_KEY', 'HOOKLINE_S3_SECRET_KEY']

/**
 * The bucket that the environment names; undefined when it names none: blobs are files then. Throws `usage` for half a
 * bucket, `file_unreadable`.
 */
export function blobSettings(env: Readonly<Record<string, string | undefined>>): S3Settings | undefined {
  const value = (name: string): string | undefined => {
    return readSecretFile(env, name) ?? (env[name] === '' ? undefined : env[name])
  }
  const required = (name: string): string => {
    const found = value(name)
    if (found === undefined) throw new DomainError('usage', `${ENDPOINT} is set, and ${name} is not`)
    return found
  }
  const endpoint = value(ENDPOINT)
  if (endpoint === undefined) return undefined
  return {
    ...{ endpoint, bucket: required(BUCKET), region: value(REGION) },
    ...{ accessKey: required(ACCESS_KEY), secretKey: required(SECRET_KEY) },
  }
}
