import { z } from 'zod'
import { PublicKeyText } from './namespace.ts'

/** A node's next key, and that the node has its private half: an Ed25519 signature in base64 (see attest/node-key.ts). */
export const NodeKeyOffer = z.strictObject({
  publicKey: PublicKeyText,
  proof: z.base64().max(88),
})
export type NodeKeyOffer = z.infer<typeof NodeKeyOffer>
