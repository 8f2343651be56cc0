import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import type { BlobStore } from '../../src/ports/blob-store.ts'

/** What every blob store must do; `make` gives an empty one. */
export function blobStoreContract(make: () => Promise<BlobStore>): void {
  const bytes = Buffer.from('some bytes that are kept')
  const digest = sha256Digest(bytes)
  const read = async (store: BlobStore, ...range: [{ start: number; end: number }?]): Promise<Buffer> =>
    buffer(await store.open(digest, ...range))

  test('gives back what was put, whole and in parts', async () => {
    const store = await make()
    await store.put(digest, bytes)
    expect(await read(store)).toEqual(bytes)
    expect(await read(store, { start: 5, end: 9 })).toEqual(bytes.subarray(5, 10))
    expect(await read(store, { start: 0, end: 0 })).toEqual(bytes.subarray(0, 1))
  })
  test('an empty blob is a blob', async () => {
    const store = await make()
    const empty = Buffer.alloc(0)
    await store.put(sha256Digest(empty), empty)
    expect(await buffer(await store.open(sha256Digest(empty)))).toEqual(empty)
  })
  test('putting the same bytes again, also at the same time, is fine', async () => {
    const store = await make()
    await Promise.all(Array.from({ length: 10 }, () => store.put(digest, bytes)))
    await store.put(digest, bytes)
    expect(await read(store)).toEqual(bytes)
  })
  test('bytes of another digest are refused, and not kept', async () => {
    const store = await make()
    await expect(store.put(digest, Buffer.from('other'))).rejects.toMatchObject({ code: 'digest_mismatch' })
    await expect(store.open(digest)).rejects.toMatchObject({ code: 'not_found' })
  })
  test('what was never put is not found', async () => {
    await expect((await make()).open(digest)).rejects.toMatchObject({ code: 'not_found' })
  })
  test('what is removed is gone, and can be put again', async () => {
    const store = await make()
    const other = Buffer.from('bytes that stay')
    await store.put(digest, bytes)
    await store.put(sha256Digest(other), other)
    await store.remove(digest)
    await expect(store.open(digest)).rejects.toMatchObject({ code: 'not_found' })
    expect(await buffer(await store.open(sha256Digest(other)))).toEqual(other)
    await store.put(digest, bytes)
    expect(await read(store)).toEqual(bytes)
  })
  test('removing what is not there is fine', async () => {
    const store = await make()
    await expect(store.remove(digest)).resolves.toBeUndefined()
    await store.put(digest, bytes)
    await store.remove(digest)
    await expect(store.remove(digest)).resolves.toBeUndefined()
  })
  test('a store that can be written is ready', async () => {
    await expect((await make()).ready()).resolves.toBeUndefined()
  })
}
