import { preAuthEncoding } from '../../src/attest/dsse.ts'
import {
  generateKeyPair,
  type KeyAlgorithm,
  type PrivateKey,
  parsePrivateKey,
} from '../../src/attest/keys.ts'
import { signBytes } from '../../src/attest/signature.ts'
import { DomainError } from '../../src/domain/errors.ts'

/** A fresh key. */
export const newKey = (algorithm: KeyAlgorithm = 'ed25519'): PrivateKey =>
  parsePrivateKey(generateKeyPair(algorithm).privateKey)

/** The code of the DomainError that `act` throws; 'no error' when it does not throw. */
export function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof DomainError) return thrown.code
    throw thrown
  }
  return 'no error'
}

/** A DSSE envelope over any bytes, genuinely signed. */
export function craftEnvelope(
  payload: string | Buffer,
  { type, key, keyid = key.fingerprint }: { type: string; key: PrivateKey; keyid?: string },
): { payload: string; payloadType: string; signatures: { sig: string; keyid: string }[] } {
  const bytes = Buffer.from(payload)
  return {
    payload: bytes.toString('base64'),
    payloadType: type,
    signatures: [{ sig: signBytes(preAuthEncoding(type, bytes), key).toString('base64'), keyid }],
  }
}

/** The hint of a key as bundles carry it. */
export const hintOf = (key: PrivateKey): string =>
  Buffer.from(key.fingerprint.slice('sha256:'.length), 'hex').toString('base64')
