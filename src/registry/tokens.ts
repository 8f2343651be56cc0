import { timingSafeEqual } from 'node:crypto'
import { type Actor, SCOPES, type TokenActor, type WhoAmI } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { coversPattern } from '../domain/name-pattern.ts'
import type { JoinTokenRequest, NewJoinToken, NewToken, TokenRequest } from '../domain/token.ts'
import type { Accounts } from '../ports/accounts.ts'
import type { Clock } from '../ports/clock.ts'
import type { Nodes } from '../ports/nodes.ts'
import { isAdmin } from './access.ts'
import { hashSecret, newSecret } from './secrets.ts'

/**
 * Finds who holds a bearer token. Throws `unauthenticated` for an unknown one, `token_expired`, `token_revoked`,
 * `account_disabled`.
 */
export async function authenticate(
  accounts: Pick<Accounts, 'findToken' | 'touchToken'>,
  clock: Clock,
  secret: string,
  address: string | undefined,
): Promise<Actor> {
  const hash = hashSecret(secret)
  const token = await accounts.findToken(hash)
  if (token === undefined || !timingSafeEqual(token.hash, hash))
    throw new DomainError('unauthenticated', 'the token is not known here')
  const now = clock()
  if (token.revoked) throw new DomainError('token_revoked', 'the token was revoked')
  if (token.expiresAt <= now)
    throw new DomainError('token_expired', `the token expired at ${token.expiresAt.toISOString()}`)
  if (token.disabled) throw new DomainError('account_disabled', `account "${token.account.name}" is disabled`)
  const age_ms = now.getTime() - (token.lastUsedAt?.getTime() ?? 0)
  if (age_ms > LIMITS.token_touch_s * 1000) await accounts.touchToken(token.id, now)
  const { id, account, scopes, programs, expiresAt } = token
  return { kind: 'token', id, account, scopes, programs, expiresAt, address }
}

/** Who a caller is, and what it may do. */
export const whoAmI = ({ id, account, scopes, programs, expiresAt }: TokenActor): WhoAmI => ({
  account: account.name,
  kind: account.kind,
  admin: account.admin,
  fleet: account.fleet,
  memberships: [...account.memberships],
  token: { id, scopes: [...scopes], programs: [...programs], expiresAt: expiresAt.toISOString() },
})

/** Ends the token of a secret, if it is still good: that of a browser that signs out, or in as somebody else. */
export async function endToken(
  accounts: Pick<Accounts, 'findToken' | 'revokeToken'>,
  secret: string,
  by: Actor,
): Promise<void> {
  const token = await accounts.findToken(hashSecret(secret))
  if (token === undefined || token.revoked) return
  await accounts.revokeToken(token.account.name, token.id, by)
}

/**
 * Makes a token for `account`; its secret is in the answer and nowhere else. Nobody gets more by it than he has: its
 * scopes and programs lie within those of the token that asks, and one for oneself ends with it, unless an administrator asks. Throws `token_escalation`, `invalid_request`,
 * `not_found`, `too_many`.
 */
export async function createToken(
  accounts: Pick<Accounts, 'addToken'>,
  clock: Clock,
  actor: TokenActor & Actor,
  account: string,
  { scopes, programs, note, ttl_s }: TokenRequest,
): Promise<NewToken> {
  const beyond = scopes.find((scope) => !actor.scopes.includes(scope))
  if (beyond !== undefined)
    throw new DomainError('token_escalation', `your token has not the scope "${beyond}"`)
  const outside = programs.find((inner) => !actor.programs.some((outer) => coversPattern(outer, inner)))
  if (outside !== undefined) throw new DomainError('token_escalation', `your token is not for ${outside}`)
  const asked = clock().getTime() + ttl_s * 1000
  // one for oneself ends with the one that asks: who finds a token has it no longer than it lasts
  const bound = account === actor.account.name && !isAdmin(actor)
  const expiresAt = new Date(bound ? Math.min(asked, actor.expiresAt.getTime()) : asked)
  const secret = newSecret('hlt_')
  const id = await accounts.addToken(
    { hash: hashSecret(secret), account, scopes: [...new Set(scopes)], programs, note, expiresAt },
    actor,
  )
  return { id, secret, expiresAt: expiresAt.toISOString() }
}

/** Makes a join token; its secret is in the answer and nowhere else. */
export async function createJoinToken(
  nodes: Pick<Nodes, 'addJoinToken'>,
  clock: Clock,
  actor: Actor,
  { ttl_s, maxUses, labels, freeLabels }: JoinTokenRequest,
): Promise<NewJoinToken> {
  const secret = newSecret('hlj_')
  const expiresAt = new Date(clock().getTime() + ttl_s * 1000)
  const token = { hash: hashSecret(secret), maxUses, expiresAt, labels, freeLabels }
  return { id: await nodes.addJoinToken(token, actor), secret, expiresAt: expiresAt.toISOString() }
}

/** Name of the account that a new registry starts with. */
const FIRST_ACCOUNT = 'admin'

/** Makes the first account of a new registry, with all rights, and gives the secret of its token; undefined when there are accounts. */
export async function createFirstAccount(
  accounts: Pick<Accounts, 'addFirst'>,
  clock: Clock,
): Promise<string | undefined> {
  const token = allRights(clock, 'first start')
  const made = await accounts.addFirst(
    { name: FIRST_ACCOUNT, kind: 'person', admin: true, fleet: 'operator' },
    token.kept,
  )
  return made ? token.secret : undefined
}

/** A token with all scopes for the first account, for whoever runs the registry and has no good token left. Throws `not_found`. */
export async function recoverToken(accounts: Pick<Accounts, 'addToken'>, clock: Clock): Promise<string> {
  const token = allRights(clock, 'made where the registry runs')
  await accounts.addToken({ ...token.kept, account: FIRST_ACCOUNT }, { kind: 'anonymous' })
  return token.secret
}

function allRights(clock: Clock, note: string) {
  const secret = newSecret('hlt_')
  const expiresAt = new Date(clock().getTime() + LIMITS.token_ttl_default_s * 1000)
  const kept = { hash: hashSecret(secret), scopes: SCOPES, programs: ['*'], note, expiresAt }
  return { secret, kept }
}
