import { dirname } from 'node:path'
import { errnoOf } from './errno.ts'
import { syncDirectory, writeSynced } from './sync.ts'

/**
 * Writes a file that only its owner reads, unless it is there already; durable when it returns. Of two that do so at once, one
 * writes.
 */
export async function writeNew(path: string, content: () => string): Promise<void> {
  try {
    await writeSynced(path, content(), 0o600)
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown
  }
  await syncDirectory(dirname(path))
}
