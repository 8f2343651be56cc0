import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import type { LogIdentity } from '../../src/store/logs.ts'

/** A log's identity of its own for a test. */
export const newLogIdentity = (origin?: string): LogIdentity => ({
  privateKey: parsePrivateKey(generateKeyPair('ed25519').privateKey).key,
  origin,
})
