import { z } from 'zod'
import { PublicKeyText } from './namespace.ts'

/** A node's next key, and that the node has its private half: an Ed25519 signature in base64 (see attest/node-key.ts). */
export const NodeKeyOffer = z.strictObject({
  publicKey: PublicKeyText,
  proof: z.string().regex(/^[A-Za-z0-9+/]{86}==$/, 'an Ed25519 signature in base64'),
})
export type NodeKeyOffer = z.infer<typeof NodeKeyOffer>
