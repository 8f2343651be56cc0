import { z } from 'zod'
import { NamePattern } from './name-pattern.ts'
import { Name, type ProgramId } from './names.ts'

/** What a member may do in a namespace; each role has the rights of those before it. */
export const ROLES = ['reader', 'publisher', 'owner'] as const
export const Role = z.enum(ROLES)
export type Role = z.infer<typeof Role>

/** What an account may do with the fleet: `viewer` sees nodes and functions, `operator` gives orders and lets nodes in. */
export const FLEET_ROLES = ['none', 'viewer', 'operator'] as const
export const FleetRole = z.enum(FLEET_ROLES)
export type FleetRole = z.infer<typeof FleetRole>

/**
 * What a token may be used for, out of what its account may do. `read`: what is not public. `publish-new`: the first
 * release of a program. `publish-update`: further ones. `yank`: yank, deprecate, channels. `manage`: namespaces, members,
 * tokens. `node`: nodes and how they join. `order`: functions. `admin`: accounts and all that only administrators do.
 */
export const SCOPES = [
  ...(['read', 'publish-new', 'publish-update', 'yank', 'manage', 'node', 'order', 'admin'] as const),
] as const
export const Scope = z.enum(SCOPES)
export type Scope = z.infer<typeof Scope>

/** A person's account is named like a namespace; a robot's is its namespace, a dot, and a name. */
export const AccountName = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,37}[a-z0-9](\.[a-z][a-z0-9-]{0,37}[a-z0-9])?$/,
    'lower-case letters, digits and hyphens, 2 to 39 characters; a robot’s is namespace.name',
  )

/** A right of an account in one namespace. */
export const Membership = z.strictObject({ namespace: Name, role: Role })
export type Membership = z.infer<typeof Membership>

/** An account as administrators see it. */
export const AccountView = z.strictObject({
  name: AccountName,
  kind: z.enum(['person', 'robot']),
  admin: z.boolean(),
  fleet: FleetRole,
  disabled: z.boolean(),
  createdAt: z.iso.datetime(),
})
export type AccountView = z.infer<typeof AccountView>

/** Accounts by name; `next` is the cursor of the page behind. */
export const AccountPage = z.strictObject({ accounts: z.array(AccountView), next: AccountName.optional() })
export type AccountPage = z.infer<typeof AccountPage>

/** Request for an account. A robot that belongs to no namespace serves the fleet, such as a pipeline that gives orders. */
export const AccountRequest = z.strictObject({
  name: Name,
  kind: z.enum(['person', 'robot']).default('person'),
  admin: z.boolean().default(false),
  fleet: FleetRole.default('none'),
})
export type AccountRequest = z.infer<typeof AccountRequest>

/** What administrators change of an account; what is absent stays. */
export const AccountChange = z.strictObject({
  admin: z.boolean().optional(),
  fleet: FleetRole.optional(),
  disabled: z.boolean().optional(),
})
export type AccountChange = z.infer<typeof AccountChange>

/** Who a caller is, by the token that it sent. */
export const WhoAmI = z.strictObject({
  /** A pipeline has the name of its provider and repository. */
  account: z.string(),
  kind: z.enum(['person', 'robot', 'workload']),
  admin: z.boolean(),
  fleet: FleetRole,
  memberships: z.array(Membership),
  token: z.strictObject({
    id: z.string(),
    scopes: z.array(Scope),
    programs: z.array(NamePattern),
    expiresAt: z.iso.datetime(),
  }),
})
export type WhoAmI = z.infer<typeof WhoAmI>

/** Who a request is made by, after its credentials held, and the address that it came from. */
export type Actor = (Anonymous | TokenActor | NodeActor) & { readonly address?: string | undefined }

interface Anonymous {
  readonly kind: 'anonymous'
}

/** A request with a bearer token. */
export interface TokenActor {
  readonly kind: 'token'
  readonly id: string
  readonly account: AccountRights
  readonly scopes: readonly Scope[]
  /** Programs that the token is for. */
  readonly programs: readonly NamePattern[]
  readonly expiresAt: Date
}

/** What the account behind a token may do now, whatever its tokens were made for. */
export interface AccountRights {
  readonly id: string
  readonly name: string
  readonly kind: 'person' | 'robot' | 'workload'
  readonly admin: boolean
  readonly fleet: FleetRole
  readonly memberships: readonly Membership[]
}

interface NodeActor {
  readonly kind: 'node'
  readonly id: string
  readonly name: string
  /** Programs that its orders name. */
  readonly programs: readonly ProgramId[]
}
