import { rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DomainError } from '../domain/errors.ts'
import { syncDirectory, writeSynced } from './sync.ts'

/** What is being done to files, by path; settled entries are gone. */
const underWay = new Map<string, Promise<void>>()

/** Replaces a file by a JSON document, durably: after a crash it is the old one or the new one, whole. Throws `file_unwritable`. */
export async function replaceFile(folder: string, name: string, value: unknown): Promise<void> {
  await writeAside(join(folder, name), JSON.stringify(value), 0o600)
  await syncDirectory(folder)
}

/**
 * Writes a file aside, then gives it its name; the folder is the caller's to sync. Writers of one path take turns in the order in
 * which they asked, so the last one's content stays. Throws `file_unwritable`.
 */
export function writeAside(path: string, content: Buffer | string, mode: number): Promise<void> {
  return inTurn(path, async () => {
    const aside = asideOf(path)
    try {
      await rm(aside, { force: true })
      await writeSynced(aside, content, mode)
      await rename(aside, path)
    } catch (cause) {
      await rm(aside, { force: true })
      throw new DomainError('file_unwritable', `${path} cannot be written`, { cause })
    }
  })
}

/** Removes a file, and what a writer that died left aside; nothing to do where there is none. In turn with its writers. */
export function removeFile(path: string): Promise<void> {
  return inTurn(path, async () => {
    for (const one of [path, asideOf(path)]) await rm(one, { force: true })
  })
}

/** Where a file is written before it takes its name. One process at a time writes, and takes turns: what is there is a dead one's. */
const asideOf = (path: string): string => `${path}.new`

/** Does one thing after the other to a file, whatever becomes of each. */
function inTurn(path: string, work: () => Promise<void>): Promise<void> {
  const key = resolve(path)
  const done = (underWay.get(key) ?? Promise.resolve()).then(work)
  const settled = done
    .catch(() => {}) // whoever asked for it is told
    .then(() => {
      if (underWay.get(key) === settled) underWay.delete(key)
    })
  underWay.set(key, settled)
  return done
}
