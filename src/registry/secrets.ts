import { createHash, randomBytes } from 'node:crypto'

/** What a secret is for; it starts so that a scanner, or a reader, tells it at sight. */
export type SecretPrefix = 'hlt_' | 'hlj_'

/** A new secret of 256 random bits: the prefix and 43 characters of base64url. */
export const newSecret = (prefix: SecretPrefix): string => prefix + randomBytes(32).toString('base64url')

/**
 * SHA-256 of a secret, the only form in which it is kept. A plain hash is enough: 256 random bits cannot be guessed,
 * however fast the hash.
 */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest()
