import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { openFileBlobs } from '../../src/store/file-blobs.ts'
import { blobStoreContract } from './blob-store-contract.ts'

const made: string[] = []
const newDir = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'hookline-blobs-'))
  made.push(dir)
  return dir
}
afterAll(() => Promise.all(made.map((dir) => rm(dir, { recursive: true }))))

describe('files', () => blobStoreContract(async () => openFileBlobs(await newDir())))

const bytes = Buffer.from('bytes')
const hex = sha256Digest(bytes).slice('sha256:'.length)

test('a blob lies under the first two digits of its digest, and nothing is left aside', async () => {
  const dir = await newDir()
  await (await openFileBlobs(dir)).put(sha256Digest(bytes), bytes)
  expect(await readFile(join(dir, 'sha256', hex.slice(0, 2), hex))).toEqual(bytes)
  expect(await readdir(join(dir, 'tmp'))).toEqual([])
})
test('what a crash left aside is removed at the next start, blobs stay', async () => {
  const dir = await newDir()
  await (await openFileBlobs(dir)).put(sha256Digest(bytes), bytes)
  await writeFile(join(dir, 'tmp', 'half'), 'hal')
  const store = await openFileBlobs(dir)
  expect(await readdir(join(dir, 'tmp'))).toEqual([])
  expect(await buffer(await store.open(sha256Digest(bytes)))).toEqual(bytes)
})
test('a damaged blob is mended when its bytes are put again', async () => {
  const dir = await newDir()
  const store = await openFileBlobs(dir)
  await store.put(sha256Digest(bytes), bytes)
  await writeFile(join(dir, 'sha256', hex.slice(0, 2), hex), 'damaged')
  await store.put(sha256Digest(bytes), bytes)
  expect(await buffer(await store.open(sha256Digest(bytes)))).toEqual(bytes)
})
test('a folder that cannot be one is refused with its path', async () => {
  const dir = await newDir()
  await writeFile(join(dir, 'file'), '')
  await expect(openFileBlobs(join(dir, 'file'))).rejects.toMatchObject({
    code: 'file_unreadable',
    message: expect.stringContaining(join(dir, 'file')),
  })
})
test('a store whose folder is gone is not ready', async () => {
  const dir = await newDir()
  const store = await openFileBlobs(dir)
  await rm(join(dir, 'tmp'), { recursive: true })
  await expect(store.ready()).rejects.toMatchObject({ code: 'ENOENT' })
})
