import { type PublicKey, parsePublicKey } from '../attest/keys.ts'

/** Keys that can be read, SPKI DER in base64; a registry may send anything. */
export function readableKeys(texts: readonly string[]): PublicKey[] {
  return [...new Set(texts)].flatMap((text) => {
    try {
      return [parsePublicKey(Buffer.from(text, 'base64'))]
    } catch {
      return [] // a key that nobody can read can accept nothing
    }
  })
}
