import { open, readFile, stat } from 'node:fs/promises'
import { DomainError } from '../domain/errors.ts'

/** A file's bytes, at most `maxBytes`. `what` names it for people. Throws `file_unreadable`, `too_large`. */
export async function readLocalFile(path: string, maxBytes: number, what: string): Promise<Buffer> {
  try {
    const { size } = await stat(path)
    if (size > maxBytes)
      throw new DomainError('too_large', `${what} ${path} has ${size} bytes, at most ${maxBytes}`)
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof DomainError) throw cause
    throw new DomainError('file_unreadable', `cannot read ${what} ${path}: ${reasonOf(cause)}`, { cause })
  }
}

/** Likewise as text. */
export const readLocalText = async (path: string, maxBytes: number, what: string): Promise<string> =>
  (await readLocalFile(path, maxBytes, what)).toString('utf8')

/**
 * Writes a file that did not exist. `mode` is set from the start: a private key is never readable by others, not even for a
 * moment. Throws `file_exists`, `file_unwritable`.
 */
export async function writeNewFile(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
  try {
    const file = await open(path, 'wx', mode)
    try {
      await file.writeFile(content)
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')
      throw new DomainError('file_exists', `${path} exists and is not overwritten`, { cause })
    throw new DomainError('file_unwritable', `cannot write ${path}: ${reasonOf(cause)}`, { cause })
  }
}

/** Whether `path` is a directory; a path that does not exist, or cannot be seen, is none. */
export const isDirectory = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** What a file system error means to a person. */
export function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  return REASONS[code] ?? (code === '' ? String(thrown) : code)
}

const REASONS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is no directory',
  ENOSPC: 'no space left',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
}
