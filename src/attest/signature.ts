import { sign, verify } from 'node:crypto'
import type { PrivateKey, PublicKey } from './keys.ts'

/** Ed25519 signs the message itself (RFC 8032); ECDSA signs its SHA-256. */
const digestOf = (key: PublicKey): 'sha256' | null => (key.algorithm === 'ed25519' ? null : 'sha256')

/** Signs `message`: 64 bytes for Ed25519, a DER ECDSA-Sig-Value (RFC 3279 section 2.2.3) for P-256. */
export const signBytes = (message: Buffer, privateKey: PrivateKey): Buffer =>
  sign(digestOf(privateKey.publicKey), message, privateKey.key)

/** Whether `signature` over `message` is the key's. A malformed signature is simply not. */
export function holds(message: Buffer, signature: Buffer, publicKey: PublicKey): boolean {
  try {
    return verify(digestOf(publicKey), message, publicKey.key, signature)
  } catch {
    return false
  }
}
