import { existsSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, type KeyAlgorithm } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { Context, Outcome } from './io.ts'
import { newPassphrase, type PassphraseFlags } from './key-file.ts'
import { isDirectory, writeNewFile } from './local-file.ts'
import { renderFields } from './table.ts'

/**
 * Makes a key pair: `<out>.pem`, readable by its owner only, and `<out>.pub.pem`; in a directory they are named `hookline`.
 * With `encrypt` the private key is encrypted by a passphrase.
 * Nothing is overwritten: a lost private key cannot be made again. Throws `file_exists`,
 * `file_unwritable`, `passphrase_missing`.
 */
export async function keygen(
  {
    out,
    algorithm,
    encrypt,
    ...flags
  }: PassphraseFlags & { out: string; algorithm: KeyAlgorithm; encrypt: boolean },
  { io }: Context,
): Promise<Outcome> {
  const prefix = (await isDirectory(out)) ? join(out, 'hookline') : out
  const paths = { privateKey: `${prefix}.pem`, publicKey: `${prefix}.pub.pem` }
  for (const path of Object.values(paths))
    if (existsSync(path)) throw new DomainError('file_exists', `${path} exists and is not overwritten`)
  const pair = generateKeyPair(algorithm, encrypt ? await newPassphrase(io, flags) : undefined)
  await writeNewFile(paths.privateKey, pair.privateKey, 0o600)
  try {
    await writeNewFile(paths.publicKey, pair.publicKey)
  } catch (cause) {
    await unlink(paths.privateKey)
    throw cause
  }
  return {
    json: { ...paths, fingerprint: pair.fingerprint, algorithm },
    text: renderFields([
      ['private key', `${paths.privateKey} (${encrypt ? 'encrypted' : 'keep it secret'})`],
      ['public key', paths.publicKey],
      ['fingerprint', pair.fingerprint],
    ]),
  }
}
