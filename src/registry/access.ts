import {
  type Actor,
  FLEET_ROLES,
  type FleetRole,
  ROLES,
  type Role,
  type Scope,
  type TokenActor,
} from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { coversPattern, wholeNamespace } from '../domain/name-pattern.ts'
import type { ProgramId } from '../domain/names.ts'
import type { Readable } from '../ports/catalog.ts'

/** What a right asks of whoever has it; all of it must hold. */
interface Rule {
  /** The token must have one of these scopes. */
  readonly scopes: readonly Scope[]
  /** The least role in the namespace that the request is about. */
  readonly role?: Role
  /** The least role in the fleet. */
  readonly fleet?: Exclude<FleetRole, 'none'>
  readonly admin?: boolean
  /** The token must be for all programs: what is asked concerns more than some. */
  readonly whole?: boolean
}

/**
 * The rights by name. Rights of publishing give no orders: roles in a namespace and in the fleet are apart, and what
 * concerns neither needs none. `account`: one's own account. `membership`: which namespaces one owns and belongs to. `publish` and `revoke` are checked again once the document is known.
 */
export const RIGHTS = {
  account: { scopes: ['read', 'manage'] },
  'account-manage': { scopes: ['manage'] },
  membership: { scopes: ['manage'], whole: true },
  publish: { scopes: ['publish-new', 'publish-update'] },
  'namespace-read': { scopes: ['read', 'manage'], role: 'reader' },
  'namespace-manage': { scopes: ['manage'], role: 'owner' },
  revoke: { scopes: ['yank', 'order'] },
  'program-yank': { scopes: ['yank'], role: 'publisher' },
  'program-manage': { scopes: ['manage'], role: 'owner' },
  'fleet-read': { scopes: ['read', 'node', 'order'], fleet: 'viewer' },
  'fleet-join': { scopes: ['node'], fleet: 'operator' },
  'fleet-order': { scopes: ['order'], fleet: 'operator' },
  admin: { scopes: ['admin'], admin: true },
} as const satisfies Record<string, Rule>

/** A right that a request needs. */
export type Right = keyof typeof RIGHTS

/** What a request is about, as far as its address says. */
export interface Subject {
  readonly ns?: string | undefined
  readonly name?: string | undefined
}

const rankOf = (role: Role): number => ROLES.indexOf(role)

/** An administrator who says so by the scope may do all that an owner may. */
export const isAdmin = (actor: TokenActor): boolean => actor.account.admin && actor.scopes.includes('admin')

function roleIn(actor: TokenActor, namespace: string): Role | undefined {
  if (isAdmin(actor)) return 'owner'
  return actor.account.memberships.find((membership) => membership.namespace === namespace)?.role
}

const fleetRoleOf = (actor: TokenActor): FleetRole => (isAdmin(actor) ? 'operator' : actor.account.fleet)

/**
 * Refuses an actor without the right. The token's own bounds come first, which say nothing of what exists. Who is no member of a namespace hears
 * that there is none, whether or not there is: nobody finds out by asking. Throws `unauthenticated`, `scope_missing`,
 * `forbidden`, `not_found`.
 */
export function requireRight(
  actor: Actor,
  right: Right,
  subject: Subject = {},
): asserts actor is TokenActor & Actor {
  if (actor.kind === 'anonymous')
    throw new DomainError('unauthenticated', `this needs a token with the right "${right}"`)
  if (actor.kind === 'node') throw new DomainError('forbidden', 'a node may not do this')
  const rule: Rule = RIGHTS[right]
  if (!rule.scopes.some((scope) => actor.scopes.includes(scope)))
    throw new DomainError(
      'scope_missing',
      `this needs a token with the scope ${rule.scopes.map((scope) => `"${scope}"`).join(' or ')}`,
    )
  if (rule.whole === true && !actor.programs.includes('*'))
    throw new DomainError('scope_missing', 'this needs a token that is for all programs ("*")')
  if (rule.admin === true && !isAdmin(actor)) throw new DomainError('forbidden', 'this is for administrators')
  if (rule.fleet !== undefined && FLEET_ROLES.indexOf(fleetRoleOf(actor)) < FLEET_ROLES.indexOf(rule.fleet))
    throw new DomainError('forbidden', `this is for accounts with the fleet role "${rule.fleet}"`)
  if (rule.role !== undefined && subject.ns !== undefined)
    requireRole(actor, rule.role, subject.ns, subject.name)
}

/** Whether an actor has a right: for pages, which offer what would not be refused. */
export function hasRight(actor: Actor, right: Right, subject: Subject = {}): boolean {
  try {
    requireRight(actor, right, subject)
    return true
  } catch (thrown) {
    if (thrown instanceof DomainError) return false
    throw thrown
  }
}

/** Refuses whoever has not at least `role` in a namespace, or whose token is not for the program, or all of them. */
function requireRole(actor: TokenActor, role: Role, namespace: string, name: string | undefined): void {
  const about = name === undefined ? wholeNamespace(namespace) : `${namespace}/${name}`
  if (!actor.programs.some((pattern) => coversPattern(pattern, about)))
    throw new DomainError('scope_missing', `the token is not for ${about}`)
  const held = roleIn(actor, namespace)
  if (held === undefined)
    throw new DomainError('not_found', `there is no namespace "${namespace}" that is yours`)
  if (rankOf(held) < rankOf(role))
    throw new DomainError(
      'forbidden',
      `this is for accounts with the role "${role}" in "${namespace}"; yours is "${held}"`,
    )
}

/** Refuses whoever may not publish this program, `isNew` when it has no release yet. Throws as {@link requireRight}. */
export function requirePublisher(actor: Actor, program: ProgramId, isNew: boolean): void {
  requireRight(actor, 'publish')
  const [namespace = '', name] = program.split('/')
  requireRole(actor, 'publisher', namespace, name)
  const scope: Scope = isNew ? 'publish-new' : 'publish-update'
  if (!actor.scopes.includes(scope))
    throw new DomainError(
      'scope_missing',
      `${program} ${isNew ? 'is new' : 'exists'}: this needs a token with the scope "${scope}"`,
    )
}

/** The private programs that an actor may read. */
export function readableBy(actor: Actor): Readable {
  if (actor.kind === 'node') return actor.programs
  if (actor.kind === 'anonymous' || !actor.scopes.includes('read')) return []
  if (isAdmin(actor)) return actor.programs
  return actor.account.memberships.flatMap(({ namespace }) => {
    const all = wholeNamespace(namespace)
    if (actor.programs.some((pattern) => coversPattern(pattern, all))) return [all]
    return actor.programs.filter((pattern) => coversPattern(all, pattern))
  })
}

/** The role that an actor has in a namespace, when its token may read or manage, and is for something in it. */
export function roleOf(actor: Actor, namespace: string): Role | undefined {
  if (actor.kind !== 'token') return undefined
  const { scopes } = RIGHTS['namespace-read']
  if (!isAdmin(actor) && !scopes.some((scope) => actor.scopes.includes(scope))) return undefined
  const all = wholeNamespace(namespace)
  const concerns = (pattern: string): boolean => coversPattern(pattern, all) || coversPattern(all, pattern)
  return actor.programs.some(concerns) ? roleIn(actor, namespace) : undefined
}
