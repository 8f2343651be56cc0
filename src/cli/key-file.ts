import { type PrivateKey, type PublicKey, parsePrivateKey, parsePublicKey } from '../attest/keys.ts'
import { LIMITS } from '../domain/limits.ts'
import { readLocalText } from './local-file.ts'

/** Reads a private key in PEM. Throws `invalid_key`, `file_unreadable`. */
export const readPrivateKey = async (path: string): Promise<PrivateKey> =>
  parsePrivateKey(await readLocalText(path, LIMITS.key_bytes, 'private key'))

/** Reads a public key in PEM. Throws `invalid_key`, `file_unreadable`. */
export const readPublicKey = async (path: string): Promise<PublicKey> =>
  parsePublicKey(await readLocalText(path, LIMITS.key_bytes, 'public key'))
