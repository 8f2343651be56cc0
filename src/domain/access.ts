import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { Digest, Name } from './names.ts'

/**
 * What a token may do. `publish`: publish releases in the named namespaces. `fleet`: orders, nodes and join tokens.
 * `admin`: everything. Publishing rights never give orders to nodes.
 */
export const Grant = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('admin') }),
  z.strictObject({ kind: z.literal('fleet') }),
  z.strictObject({ kind: z.literal('publish'), namespaces: z.array(Name).min(1).max(100) }),
])
export type Grant = z.infer<typeof Grant>

/** A public key as it travels: SPKI DER in base64. Its fingerprint is the SHA-256 of the DER. */
export const PublicKeyText = z.base64().max(1024)

/** Request for a token; `ttl_s` absent means that it does not expire. */
export const TokenRequest = z.strictObject({
  grant: Grant,
  note: z.string().max(200).default(''),
  ttl_s: z.int().min(LIMITS.token_ttl_min_s).max(LIMITS.token_ttl_s).optional(),
})
export type TokenRequest = z.infer<typeof TokenRequest>

/** A new token; the only time that its secret is shown. */
export const NewToken = z.strictObject({
  id: z.string(),
  secret: z.string(),
  expiresAt: z.iso.datetime().optional(),
})
export type NewToken = z.infer<typeof NewToken>

/** Who a request is made by, after its credentials held. */
export type Actor =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'token'; readonly id: string; readonly grant: Grant }
  | { readonly kind: 'node'; readonly id: string; readonly name: string }

/** A key that may sign releases of a namespace, or, for operators, orders. */
export const KeyView = z.strictObject({
  fingerprint: Digest,
  publicKey: PublicKeyText,
  addedAt: z.iso.datetime(),
})
export type KeyView = z.infer<typeof KeyView>

/** Request for a namespace, and its answer. */
export const NamespaceRequest = z.strictObject({ name: Name })
export type NamespaceRequest = z.infer<typeof NamespaceRequest>

/** A key to add under its fingerprint. */
export const KeyUpload = z.strictObject({ publicKey: PublicKeyText })

/** All keys of a namespace, or of the operators, by fingerprint. */
export const KeyList = z.strictObject({ keys: z.array(KeyView) })

/** Request for a join token, by default for one node. */
export const JoinTokenRequest = z.strictObject({
  ttl_s: z.int().min(LIMITS.token_ttl_min_s).max(LIMITS.join_token_ttl_s).default(LIMITS.join_token_ttl_s),
  maxUses: z.int().min(1).max(LIMITS.join_token_uses).default(1),
})
export type JoinTokenRequest = z.infer<typeof JoinTokenRequest>

/** A new join token; the only time that its secret is shown. */
export const NewJoinToken = z.strictObject({ secret: z.string(), expiresAt: z.iso.datetime() })
export type NewJoinToken = z.infer<typeof NewJoinToken>
