import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { DomainError } from '../domain/errors.ts'

const run = promisify(execFile)

/** Who the database server runs as; PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

const USER = 'postgres'

/**
 * The account for the server: undefined for a normal user, who runs it himself. For root it is `postgres`, made when
 * absent. Throws `missing_dependency` when it cannot be made.
 */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const known = await lookUp()
  if (known !== undefined) return known
  try {
    await run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      USER,
    ])
  } catch (cause) {
    throw new DomainError(
      'missing_dependency',
      `the database server cannot run as root and user "${USER}" cannot be made: add it with useradd, or run as a normal user`,
      { cause },
    )
  }
  const made = await lookUp()
  if (made === undefined)
    throw new DomainError('missing_dependency', `user "${USER}" is not known: add it with useradd`)
  return made
}

async function lookUp(): Promise<ServerUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', USER]), run('id', ['-g', USER])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}

/** Whether `user` can reach and read `path` (a directory: enter it), as the kernel answers for that user. */
export async function canRead(path: string, user: ServerUser | undefined): Promise<boolean> {
  try {
    await run('test', ['-r', path, '-a', '-x', path], { ...user, cwd: '/' })
    return true
  } catch {
    return false
  }
}

/** The uppermost folder on the way to `path` that `user` may not enter, or undefined when the way is free. */
export async function blockedAt(path: string, user: ServerUser | undefined): Promise<string | undefined> {
  if (user === undefined) return undefined
  const way: string[] = []
  for (let at = path; ; at = dirname(at)) {
    way.unshift(at)
    if (at === dirname(at)) break
  }
  for (const folder of way)
    try {
      await run('test', ['-x', folder], { ...user, cwd: '/' })
    } catch {
      return folder
    }
  return undefined
}
