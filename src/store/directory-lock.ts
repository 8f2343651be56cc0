import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { errnoOf } from './errno.ts'
import { isRunning, processIdentity } from './process-identity.ts'

const Holder = z.strictObject({ pid: z.int().min(1), startTime: z.string(), bootId: z.string() })

/** Attempts at a lock that others take and leave meanwhile. */
const ATTEMPTS = 10

/**
 * Takes `dir` for this process by a file `hookline.lock` that names it by pid, start time and boot. A lock whose holder is
 * gone (kill -9, power cut) is taken over. Throws `state_in_use` while the holder runs.
 */
export async function lockDirectory(dir: string): Promise<{ release(): Promise<void> }> {
  const self = await processIdentity(process.pid)
  if (self === undefined) throw new DomainError('missing_dependency', 'needs /proc: mount procfs')
  const lock = join(dir, 'hookline.lock')
  const mine = join(dir, `hookline.lock.${randomUUID()}`)
  await writeFile(mine, JSON.stringify(self), { flag: 'wx', mode: 0o600 })
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await tryLink(mine, lock)) return { release: () => rm(lock, { force: true }) }
      const text = await readFile(lock, 'utf8').catch(() => undefined)
      if (text === undefined) continue
      const holder = Holder.safeParse(parseOrUndefined(text))
      if (holder.success && (await isRunning(holder.data)))
        throw new DomainError(
          'state_in_use',
          `${dir} is in use by process ${holder.data.pid}: stop it, or use another directory`,
        )
      await removeStale(lock, text)
    }
    throw new DomainError('state_in_use', `${dir} is being taken by another process`)
  } finally {
    await rm(mine, { force: true })
  }
}

/** A hard link appears whole or not at all, and only one process can make it. */
async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return false
    throw cause
  }
}

/** Removes the lock that read as `text`. Another process may have replaced it since: then that one is put back. */
async function removeStale(lock: string, text: string): Promise<void> {
  const aside = `${lock}.${randomUUID()}`
  try {
    await rename(lock, aside)
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return
    throw cause
  }
  if ((await readFile(aside, 'utf8')) !== text) await tryLink(aside, lock)
  await rm(aside, { force: true })
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
