import type { Actor, Membership, Role } from '../domain/account.ts'
import type { Digest } from '../domain/names.ts'
import type {
  IdentityView,
  InvitationView,
  MemberView,
  NamespaceView,
  RobotRequest,
} from '../domain/namespace.ts'
import type { ProofRequest } from '../domain/proof.ts'
import type { IdentityRule } from '../domain/signer.ts'

/** A public key as it is kept: SPKI DER. */
export interface StoredKey {
  readonly fingerprint: Digest
  readonly spki: Buffer
  readonly addedAt: Date
  /** It signs nothing before, and nothing from then on; undefined: no bound. */
  readonly validFrom?: Date | undefined
  readonly validUntil?: Date | undefined
}

/** When a key is valid. */
export type KeyValidity = Pick<StoredKey, 'validFrom' | 'validUntil'>

/** Keeps namespaces, their keys and members. Each change is one transaction together with its audit record. */
export interface Namespaces {
  /** Makes a namespace; the account that asks owns it. Throws `namespace_exists`, `name_look_alike`, `too_many`. */
  add(name: string, by: Actor): Promise<void>
  /** Throws `not_found`. */
  view(name: string): Promise<Omit<NamespaceView, 'role' | 'usage'>>
  /** What it holds. Throws `not_found`. */
  usage(name: string): Promise<NonNullable<NamespaceView['usage']>>
  /** What it proves by whose it is. Throws `not_found`. */
  challenge(name: string): Promise<string>
  /** Notes that a proof was seen, or, without a time, that it is gone. Throws `not_found`, `too_many`. */
  setProof(name: string, proof: ProofRequest, at: Date | undefined, by: Actor): Promise<void>
  /** Whether something in it is for everybody to see. */
  isPublic(name: string): Promise<boolean>
  /** What an account may do where, by namespace. */
  memberships(account: string): Promise<Membership[]>
  /** The keys that may sign for a namespace, by fingerprint. Throws `not_found`. */
  keys(namespace: string): Promise<StoredKey[]>
  /** Adds a key, or says anew when the one that is there is valid. Throws `not_found`, `too_many`. */
  addKey(
    namespace: string,
    key: { fingerprint: Digest; spki: Buffer } & KeyValidity,
    by: Actor,
  ): Promise<StoredKey>
  /** A key signs nothing new from then on; what it signed stays. Throws `not_found`. */
  removeKey(namespace: string, fingerprint: Digest, by: Actor): Promise<void>
  /** The identities that may sign for a namespace, in the order in which they were added. Throws `not_found`. */
  identities(namespace: string): Promise<IdentityView[]>
  /** Adds an identity, or gives the one that is there. Throws `not_found`, `too_many`. */
  addIdentity(namespace: string, rule: IdentityRule, by: Actor): Promise<IdentityView>
  /** Likewise. Throws `not_found`. */
  removeIdentity(namespace: string, id: string, by: Actor): Promise<void>
  /** Members and those invited, by account. Throws `not_found`. */
  members(namespace: string, now: Date): Promise<MemberView[]>
  /**
   * Changes a member's role, or invites an account until `expiresAt`. Throws `not_found` for namespace or account,
   * `last_owner`, `robot_not_allowed` for a robot of elsewhere, `too_many`.
   */
  setMember(namespace: string, account: string, role: Role, expiresAt: Date, by: Actor): Promise<MemberView>
  /** Ends a membership or takes an invitation back. Throws `not_found`, `last_owner`. */
  removeMember(namespace: string, account: string, by: Actor): Promise<void>
  /** The invitations of an account that are good at `now`. */
  invitations(account: string, now: Date): Promise<InvitationView[]>
  /** Makes an invitation a membership. Throws `not_found` also when it is no longer good. */
  acceptInvitation(namespace: string, account: string, now: Date, by: Actor): Promise<MemberView>
  /** Ends one's own membership, or declines an invitation. Throws `not_found` likewise, `last_owner`. */
  leave(namespace: string, account: string, by: Actor): Promise<void>
  /** Makes a robot, a member from the start. Throws `not_found`, `account_exists`, `too_many`. */
  addRobot(namespace: string, request: RobotRequest, by: Actor): Promise<MemberView>
}
