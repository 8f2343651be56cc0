import { z } from 'zod'
import { AccountName, Membership, Role } from './account.ts'
import { Digest, Name } from './names.ts'
import { ProofView } from './proof.ts'
import { IdentityRule } from './signer.ts'

/** Request for a namespace. */
export const NamespaceRequest = z.strictObject({ name: Name })
export type NamespaceRequest = z.infer<typeof NamespaceRequest>

/** A namespace as everybody sees it. `role` is the caller's own. */
export const NamespaceView = z.strictObject({
  name: Name,
  createdAt: z.iso.datetime(),
  /** What it proved to be of. */
  verified: z.array(ProofView),
  role: Role.optional(),
  /** What it holds of what it may; for members. */
  usage: z
    .strictObject({
      programs: z.int(),
      mostPrograms: z.int(),
      bytes: z.int(),
      mostBytes: z.int(),
    })
    .optional(),
})
export type NamespaceView = z.infer<typeof NamespaceView>

/** The namespaces that an account is a member of, by name. */
export const NamespaceList = z.strictObject({ namespaces: z.array(Membership) })

/** A member, or, while `invited`, somebody who has not accepted yet. */
export const MemberView = z.strictObject({
  account: AccountName,
  role: Role,
  invited: z.boolean(),
  since: z.iso.datetime(),
})
export type MemberView = z.infer<typeof MemberView>

/** Members and invitations by account. */
export const MemberList = z.strictObject({ members: z.array(MemberView) })

/** The role that somebody is to have. */
export const MemberRequest = z.strictObject({ role: Role })

/** An invitation as the invited sees it. */
export const InvitationView = z.strictObject({
  namespace: Name,
  role: Role,
  invitedBy: z.string(),
  expiresAt: z.iso.datetime(),
})
export type InvitationView = z.infer<typeof InvitationView>

/** The caller's invitations by namespace. */
export const InvitationList = z.strictObject({ invitations: z.array(InvitationView) })

/** Request for a robot: an account that belongs to the namespace and has tokens only. */
export const RobotRequest = z.strictObject({ name: Name, role: Role.exclude(['owner']) })
export type RobotRequest = z.infer<typeof RobotRequest>

/** A public key as it travels: SPKI DER in base64. Its fingerprint is the SHA-256 of the DER. */
export const PublicKeyText = z.base64().max(1024)

/** When a key of a namespace is valid: it signs nothing before, and nothing from then on. */
const KeyValidity = { validFrom: z.iso.datetime().optional(), validUntil: z.iso.datetime().optional() }

/** A key that may sign releases of a namespace, or, for operators, orders. */
export const KeyView = z.strictObject({
  fingerprint: Digest,
  publicKey: PublicKeyText,
  addedAt: z.iso.datetime(),
  ...KeyValidity,
})
export type KeyView = z.infer<typeof KeyView>

/** An identity that may sign releases of a namespace. */
export const IdentityView = z.strictObject({
  id: z.uuid(),
  ...IdentityRule.shape,
  addedAt: z.iso.datetime(),
})
export type IdentityView = z.infer<typeof IdentityView>

/** All identities of a namespace. */
export const IdentityList = z.strictObject({ identities: z.array(IdentityView) })

/** A key to add under its fingerprint. */
export const KeyUpload = z.strictObject({ publicKey: PublicKeyText })

/** The same for a namespace; without bounds it is valid until it is removed. */
export const NamespaceKeyUpload = z
  .strictObject({ ...KeyUpload.shape, ...KeyValidity })
  .refine(
    ({ validFrom, validUntil }) =>
      validFrom === undefined || validUntil === undefined || Date.parse(validFrom) < Date.parse(validUntil),
    'validFrom is before validUntil',
  )
export type NamespaceKeyUpload = z.infer<typeof NamespaceKeyUpload>

/** All keys of a namespace, or of the operators, by fingerprint. */
export const KeyList = z.strictObject({ keys: z.array(KeyView) })
