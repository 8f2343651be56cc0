import { DomainError } from '../domain/errors.ts'
import type { Digest } from '../domain/names.ts'
import type { NodeKeyOffer } from '../domain/node-key.ts'
import { type PrivateKey, type PublicKey, parsePublicKey } from './keys.ts'
import { holds, signBytes } from './signature.ts'

/** What the next key signs. The first line keeps it from being taken for anything else that a node's key signs. */
const offerText = (nodeId: string, from: Digest, to: Digest): Buffer =>
  Buffer.from(`hookline node key v1\n${nodeId}\n${from}\n${to}\n`)

/** Offers `next` (Ed25519) as the key of a node in place of the one with the fingerprint `from`. */
export const offerNodeKey = (nodeId: string, from: Digest, next: PrivateKey): NodeKeyOffer => ({
  publicKey: next.publicKey.spki.toString('base64'),
  proof: signBytes(offerText(nodeId, from, next.publicKey.fingerprint), next).toString('base64'),
})

/**
 * The key that is offered, once it is proven that who offers it has its private half: nobody takes another's key for his
 * own. Throws `invalid_key`.
 */
export function openNodeKeyOffer(
  nodeId: string,
  from: Digest,
  { publicKey, proof }: NodeKeyOffer,
): PublicKey {
  const key = parsePublicKey(Buffer.from(publicKey, 'base64'))
  if (key.algorithm !== 'ed25519')
    throw new DomainError('invalid_key', 'a node needs an Ed25519 key: its requests are signed with it')
  if (!holds(offerText(nodeId, from, key.fingerprint), Buffer.from(proof, 'base64'), key))
    throw new DomainError('invalid_key', `the proof of ${key.fingerprint} does not hold`)
  return key
}
