import {
  isEncrypted,
  type PrivateKey,
  type PublicKey,
  parsePrivateKey,
  parsePublicKey,
} from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Io } from './io.ts'
import { readLocalText } from './local-file.ts'

/** Where the passphrase of an encrypted key comes from, besides HOOKLINE_KEY_PASSPHRASE and the terminal. */
export interface PassphraseFlags {
  readonly passphraseFile?: string | undefined
}

/**
 * Reads a private key in PEM; for one that is encrypted, the passphrase from its file, else HOOKLINE_KEY_PASSPHRASE, else
 * the person at the terminal. Throws `invalid_key`, `passphrase_missing`, `passphrase_wrong`, `file_unreadable`.
 */
export async function readPrivateKey(path: string, io: Io, flags: PassphraseFlags = {}): Promise<PrivateKey> {
  const pem = await readLocalText(path, LIMITS.key_bytes, 'private key')
  if (!isEncrypted(pem)) return parsePrivateKey(pem)
  return parsePrivateKey(pem, await givenPassphrase(io, flags, `passphrase of ${path}: `))
}

/** The passphrase for a new key, asked for twice where a person types it. Throws `passphrase_missing`, `usage`. */
export async function newPassphrase(io: Io, flags: PassphraseFlags): Promise<string> {
  const given = await givenPassphrase(io, flags, 'new passphrase: ')
  const typed = flags.passphraseFile === undefined && (io.env[VARIABLE] ?? '') === ''
  if (typed && (await io.askSecret?.('the same again: ')) !== given)
    throw new DomainError('usage', 'the two passphrases differ')
  return given
}

const VARIABLE = 'HOOKLINE_KEY_PASSPHRASE'

async function givenPassphrase(io: Io, { passphraseFile }: PassphraseFlags, prompt: string): Promise<string> {
  const passphrase =
    passphraseFile === undefined
      ? io.env[VARIABLE] || (await io.askSecret?.(prompt))
      : (await readLocalText(passphraseFile, LIMITS.secret_bytes, 'passphrase')).replace(/\r?\n$/, '')
  if (passphrase === undefined || passphrase === '')
    throw new DomainError('passphrase_missing', 'no passphrase is given')
  return passphrase
}

/** Reads a public key in PEM. Throws `invalid_key`, `file_unreadable`. */
export const readPublicKey = async (path: string): Promise<PublicKey> =>
  parsePublicKey(await readLocalText(path, LIMITS.key_bytes, 'public key'))
