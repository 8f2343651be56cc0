import { type KeySigner, localSigner } from '../attest/sign-release.ts'
import { DomainError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { type PassphraseFlags, readPrivateKey, readPublicKey } from './key-file.ts'

/** By what keys somebody signs. */
export interface SigningFlags extends PassphraseFlags {
  /** Private keys in PEM. */
  readonly key: readonly string[]
  /** A command that signs by the key whose public half is `publicKey`. */
  readonly signerCommand?: string | undefined
  readonly publicKey?: string | undefined
}

/** Those who sign, in the order of the flags, the command last; none where no flag names any. Throws `usage`, what keys throw. */
export async function signersOf(flags: SigningFlags, io: Io): Promise<KeySigner[]> {
  const { key, signerCommand, publicKey } = flags
  if ((signerCommand === undefined) !== (publicKey === undefined))
    throw new DomainError('usage', '--signer-command and --public-key belong together')
  const signers: KeySigner[] = []
  for (const path of key) signers.push(localSigner(await readPrivateKey(path, io, flags)))
  if (signerCommand === undefined || publicKey === undefined) return signers
  const { commandSigner } = await import('./signer-command.ts')
  return [...signers, commandSigner(signerCommand, await readPublicKey(publicKey))]
}
