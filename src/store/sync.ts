import { open } from 'node:fs/promises'

/** Writes a new file durably: its bytes, not yet its name (see {@link syncDirectory}). Throws EEXIST. */
export async function writeSynced(path: string, bytes: Buffer | string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes the names in a directory durable (fsync(2): a new name is not, until its directory is synced). */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
