import { Client, S3Error } from 'minio'
import { sha256Digest } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type { BlobStore } from '../ports/blob-store.ts'

/** Where the bucket is, and who asks. */
export interface S3Settings {
  /** Such as https://s3.eu-central-1.amazonaws.com. */
  readonly endpoint: string
  readonly bucket: string
  readonly region?: string | undefined
  readonly accessKey: string
  readonly secretKey: string
}

/** Parts of a larger upload: S3's smallest, so that what is sent again after a failure is little. */
const PART_BYTES = 5 << 20

/**
 * Blobs as objects `sha256/ab/<hex>` of a bucket, which several registries may share. The bucket must be there. Throws
 * `usage` for an endpoint that is none, `blob_store_failed`.
 */
export async function openS3Blobs(settings: S3Settings): Promise<BlobStore> {
  const { bucket } = settings
  const client = connect(settings)
  const found = await within(`bucket "${bucket}" cannot be looked up`, client.bucketExists(bucket))
  if (!found)
    throw new DomainError('blob_store_failed', `there is no bucket "${bucket}" at ${settings.endpoint}`)
  return {
    put: (digest, bytes) => put(client, bucket, digest, bytes),
    open: async (digest, range) => {
      const asked = range === undefined ? undefined : range.end - range.start + 1
      const reading = client.getPartialObject(bucket, placeOf(digest), range?.start ?? 0, asked)
      return within(`blob ${digest} cannot be read`, reading).catch((thrown: unknown) => {
        if (isMissing(thrown))
          throw new DomainError('not_found', `there is no blob ${digest}`, { cause: thrown })
        throw thrown
      })
    },
    remove: (digest) =>
      within(`blob ${digest} cannot be removed`, client.removeObject(bucket, placeOf(digest))),
    ready: async () => {
      await within('the bucket cannot be written', client.putObject(bucket, 'probe', Buffer.from('probe')))
    },
  }
}

function connect({ endpoint, region, accessKey, secretKey }: S3Settings): Client {
  const url = URL.parse(endpoint)
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '')
    throw new DomainError('usage', 'the S3 endpoint is not an address such as https://s3.example.org')
  return new Client({
    endPoint: url.hostname,
    useSSL: url.protocol === 'https:',
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    // named, so that no question about it precedes the first request
    region: region ?? 'us-east-1',
    ...{ accessKey, secretKey, partSize: PART_BYTES },
  })
}

/** 256 prefixes, as files have folders. */
function placeOf(digest: Digest): string {
  const hex = digest.slice('sha256:'.length)
  return `sha256/${hex.slice(0, 2)}/${hex}`
}

/**
 * An object is written once: the condition makes the store refuse a second writer, who has the same bytes. The store checks
 * what arrives by the signed hash, or over TLS by Content-MD5. What is there in another size was damaged, and is written anew.
 */
async function put(client: Client, bucket: string, digest: Digest, bytes: Buffer): Promise<void> {
  if (sha256Digest(bytes) !== digest)
    throw new DomainError('digest_mismatch', `the bytes given for ${digest} have another digest`)
  const place = placeOf(digest)
  const what = `blob ${digest} cannot be written`
  const known = await within(what, sizeOf(client, bucket, place))
  if (known === bytes.length) return
  const condition = known === undefined ? { 'If-None-Match': '*' } : {}
  const writing = client.putObject(bucket, place, bytes, bytes.length, condition)
  await within(what, writing).catch(async (thrown: unknown) => {
    // another one wrote the same at the same time, as a whole or in parts
    if ((await within(what, sizeOf(client, bucket, place))) !== bytes.length) throw thrown
  })
}

const sizeOf = (client: Client, bucket: string, place: string): Promise<number | undefined> =>
  client.statObject(bucket, place).then(
    ({ size }) => size,
    (thrown: unknown) => {
      if (isMissing(thrown)) return undefined
      throw thrown
    },
  )

const isMissing = (thrown: unknown): boolean => {
  const error = thrown instanceof DomainError ? thrown.cause : thrown
  return error instanceof S3Error && (error.code === 'NoSuchKey' || error.code === 'NotFound')
}

/** What the store answers in time; anything else is `blob_store_failed`, with what it said and no secret. */
async function within<T>(what: string, asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new Error(`no answer within ${LIMITS.blob_store_ms} ms`))
    timer = setTimeout(fail, LIMITS.blob_store_ms)
  })
  try {
    return await Promise.race([asked, late])
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    const code = cause instanceof S3Error && cause.code !== undefined ? ` (${cause.code})` : ''
    throw new DomainError('blob_store_failed', `${what}: ${said}${code}`, { cause })
  } finally {
    clearTimeout(timer)
    asked.catch(() => {})
  }
}
