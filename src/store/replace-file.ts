import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DomainError } from '../domain/errors.ts'
import { syncDirectory, writeSynced } from './sync.ts'

/** Replaces a file by a JSON document, durably: after a crash it is the old one or the new one, whole. Throws `file_unwritable`. */
export async function replaceFile(folder: string, name: string, value: unknown): Promise<void> {
  await writeAside(join(folder, name), JSON.stringify(value), 0o600)
  await syncDirectory(folder)
}

/** Where a file is written before it takes its name. One process at a time writes, so what is there is a dead one's. */
export const asideOf = (path: string): string => `${path}.new`

/** Writes a file aside, then gives it its name; the folder is the caller's to sync. Throws `file_unwritable`. */
export async function writeAside(path: string, content: Buffer | string, mode: number): Promise<void> {
  const aside = asideOf(path)
  try {
    await rm(aside, { force: true })
    await writeSynced(aside, content, mode)
    await rename(aside, path)
  } catch (cause) {
    await rm(aside, { force: true })
    throw new DomainError('file_unwritable', `${path} cannot be written`, { cause })
  }
}
