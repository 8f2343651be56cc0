import { createHash, createPrivateKey } from 'node:crypto'
import { type PrivateKey, parsePrivateKey } from '../../src/attest/keys.ts'

/** What precedes the 32 bytes of an Ed25519 key in PKCS#8 (RFC 8410 section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The key of somebody made up: the same name has the same key, so that pictures of its fingerprint stay the same. */
export function keyOf(name: string): PrivateKey {
  const seed = createHash('sha256').update(`showcase ${name}`).digest()
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, seed]),
    format: 'der',
    type: 'pkcs8',
  })
  return parsePrivateKey(key.export({ type: 'pkcs8', format: 'pem' }).toString())
}
