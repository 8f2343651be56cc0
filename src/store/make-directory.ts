import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from './errno.ts'

/**
 * Makes a directory and those above it; one that is there is left as it is. In place of mkdir's own `recursive`, which
 * never ends where a parent exists and mkdir(2) still says ENOENT, as below /proc. Throws what the system said.
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (errnoOf(cause) !== 'ENOENT' || dirname(path) === path) throw cause
    await makeDirectory(dirname(path), mode)
    await mkdir(path, { mode })
  }
}
