import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Digest } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { Digest } from '../domain/names.ts'
import type { BlobStore } from '../ports/blob-store.ts'
import { errnoOf } from './errno.ts'
import { syncDirectory, writeSynced } from './sync.ts'

/**
 * Blobs as files `<dir>/sha256/ab/<hex>`. Each is written aside, synced and renamed, so that a crash leaves no half of
 * one; what a crash left aside is removed here. Throws `file_unreadable` when `dir` cannot be written.
 */
export async function openFileBlobs(dir: string): Promise<BlobStore> {
  const aside = join(dir, 'tmp')
  try {
    await mkdir(join(dir, 'sha256'), { recursive: true, mode: 0o700 })
    await mkdir(aside, { recursive: true, mode: 0o700 })
    for (const name of await readdir(aside)) await rm(join(aside, name), { force: true })
  } catch (cause) {
    throw new DomainError('file_unreadable', `${dir} cannot be written: check its owner and mode`, { cause })
  }
  return {
    put: (digest, bytes) => put(dir, digest, bytes),
    open: async (digest, range) => {
      const { path } = placeOf(dir, digest)
      try {
        const file = await open(path, 'r')
        return file.createReadStream(range ?? {})
      } catch (cause) {
        if (errnoOf(cause) !== 'ENOENT') throw cause
        throw new DomainError('not_found', `there is no blob ${digest}`, { cause })
      }
    },
    remove: async (digest) => {
      const { folder, path } = placeOf(dir, digest)
      try {
        await unlink(path)
      } catch (cause) {
        if (errnoOf(cause) === 'ENOENT') return
        throw cause
      }
      await syncDirectory(folder)
    },
    ready: async () => {
      const probe = join(aside, randomUUID())
      await writeSynced(probe, 'probe', 0o600)
      await rm(probe)
    },
  }
}

/** The folder and the file of a blob; 256 folders keep directories small. */
function placeOf(dir: string, digest: Digest): { folder: string; path: string } {
  const hex = digest.slice('sha256:'.length)
  const folder = join(dir, 'sha256', hex.slice(0, 2))
  return { folder, path: join(folder, hex) }
}

async function put(dir: string, digest: Digest, bytes: Buffer): Promise<void> {
  if (sha256Digest(bytes) !== digest)
    throw new DomainError('digest_mismatch', `the bytes given for ${digest} have another digest`)
  const { folder, path } = placeOf(dir, digest)
  const known = await readFile(path).catch(() => undefined)
  // a file that is there is checked: a disk may have damaged it, and this is the moment when the right bytes are at hand
  if (known === undefined || sha256Digest(known) !== digest) {
    const made = await mkdir(folder, { recursive: true })
    if (made !== undefined) await syncDirectory(join(dir, 'sha256'))
    const aside = join(dir, 'tmp', randomUUID())
    try {
      await writeSynced(aside, bytes, 0o600)
      await rename(aside, path)
    } catch (cause) {
      await rm(aside, { force: true })
      throw cause
    }
  }
  await syncDirectory(folder)
}
