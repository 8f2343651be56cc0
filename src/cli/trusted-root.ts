import { parseTrustedRoot, type TrustedRoot } from '../attest/trusted-root.ts'
import { LIMITS } from '../domain/limits.ts'
import { readLocalText } from './local-file.ts'

/** Reads a trusted root from a file. Throws `file_unreadable`, `too_large`, `invalid_trusted_root`. */
export const readTrustedRoot = async (path: string): Promise<TrustedRoot> =>
  parseTrustedRoot(await readLocalText(path, LIMITS.trusted_root_bytes, 'trusted root'))
