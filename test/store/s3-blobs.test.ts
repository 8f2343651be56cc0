import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { Client } from 'minio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { openS3Blobs, type S3Settings } from '../../src/store/s3-blobs.ts'
import { type S3Server, startS3 } from '../support/s3.ts'
import { blobStoreContract } from './blob-store-contract.ts'

let server: S3Server
let settings: S3Settings
beforeAll(async () => {
  server = await startS3()
  settings = await server.bucket()
}, 120_000)
afterAll(() => server.close())

describe('a bucket', () => blobStoreContract(async () => openS3Blobs(await server.bucket())))

/** The same bucket without us in between. */
function raw({ endpoint, accessKey, secretKey }: S3Settings): Client {
  const { hostname, port } = new URL(endpoint)
  return new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey })
}
const bytes = Buffer.from('bytes in a bucket')
const place = `sha256/${sha256Digest(bytes).slice(7, 9)}/${sha256Digest(bytes).slice(7)}`

test('an object that is there is not written again, one of another size is', async () => {
  const store = await openS3Blobs(settings)
  await store.put(sha256Digest(bytes), bytes)
  const before = await raw(settings).statObject(settings.bucket, place)
  await new Promise((done) => setTimeout(done, 1100)) // times are kept to the second
  await store.put(sha256Digest(bytes), bytes)
  expect((await raw(settings).statObject(settings.bucket, place)).lastModified).toEqual(before.lastModified)
  await raw(settings).putObject(settings.bucket, place, Buffer.from('damaged'))
  await store.put(sha256Digest(bytes), bytes)
  expect(await buffer(await store.open(sha256Digest(bytes)))).toEqual(bytes)
})
test('several parts make one object, also when several writers bring it at once', async () => {
  const large = Buffer.alloc(11 << 20, 'hookline')
  const digest = sha256Digest(large)
  const stores = await Promise.all([1, 2, 3].map(() => openS3Blobs(settings)))
  await Promise.all(stores.map((store) => store.put(digest, large)))
  const [store = await openS3Blobs(settings)] = stores
  const hash = createHash('sha256')
  for await (const chunk of await store.open(digest)) hash.update(chunk)
  expect(`sha256:${hash.digest('hex')}`).toBe(digest)
  expect(await buffer(await store.open(digest, { start: 6 << 20, end: (6 << 20) + 7 }))).toEqual(
    large.subarray(6 << 20, (6 << 20) + 8),
  )
})
test('two stores on one bucket see each other’s blobs', async () => {
  const [one, other] = [await openS3Blobs(settings), await openS3Blobs(settings)]
  const mine = Buffer.from('written by one')
  await one.put(sha256Digest(mine), mine)
  expect(await buffer(await other.open(sha256Digest(mine)))).toEqual(mine)
})

describe('refused, and the secret is not told:', () => {
  const failure = (changed: Partial<S3Settings>) =>
    openS3Blobs({ ...settings, ...changed }).catch((thrown: Error) => thrown)
  test.each([
    ['an endpoint that is none', { endpoint: 'nowhere' }, 'usage'],
    ['an endpoint with a path', { endpoint: 'http://127.0.0.1/path' }, 'usage'],
    ['nobody who listens', { endpoint: 'http://127.0.0.1:1' }, 'blob_store_failed'],
    ['a bucket that is not there', { bucket: 'absent' }, 'blob_store_failed'],
    ['another secret', { secretKey: 'wrong-secret-word' }, 'blob_store_failed'],
    ['an unknown key', { accessKey: 'nobody' }, 'blob_store_failed'],
  ])('%s', async (_, changed, code) => {
    const thrown = await failure(changed)
    expect(thrown).toMatchObject({ code })
    expect(`${thrown} ${JSON.stringify(thrown)}`).not.toMatch(/wrong-secret-word|testsecret123/)
  })
  test('a bucket that went away is not ready', async () => {
    const own = await server.bucket()
    const store = await openS3Blobs(own)
    await expect(store.ready()).resolves.toBeUndefined()
    await raw(own).removeObject(own.bucket, 'probe')
    await raw(own).removeBucket(own.bucket)
    await expect(store.ready()).rejects.toMatchObject({ code: 'blob_store_failed' })
    await expect(store.put(sha256Digest(bytes), bytes)).rejects.toMatchObject({ code: 'blob_store_failed' })
  })
})
