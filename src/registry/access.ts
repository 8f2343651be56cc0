import { timingSafeEqual } from 'node:crypto'
import type { Actor, JoinTokenRequest, NewJoinToken, NewToken, TokenRequest } from '../domain/access.ts'
import { DomainError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Tokens } from '../ports/tokens.ts'
import { hashSecret, newSecret } from './secrets.ts'

/** What a request needs: nothing, any right to give orders, ... `publish` leaves the namespace to be checked later. */
export type Need = 'anyone' | 'publish' | 'fleet' | 'admin'

/** Finds who holds a bearer token. Throws `unauthenticated` for an unknown or expired one. */
export async function authenticate(
  tokens: Pick<Tokens, 'find'>,
  clock: Clock,
  secret: string,
): Promise<Actor> {
  const hash = hashSecret(secret)
  const token = await tokens.find(hash)
  if (token === undefined || !timingSafeEqual(token.hash, hash))
    throw new DomainError('unauthenticated', 'the token is not known here')
  if (token.expiresAt !== undefined && token.expiresAt <= clock())
    throw new DomainError('unauthenticated', `the token expired at ${token.expiresAt.toISOString()}`)
  return { kind: 'token', id: token.id, grant: token.grant }
}

/**
 * Refuses an actor without the right. Throws `unauthenticated` without a token, `forbidden` with another one. Rights do
 * not include one another, but admin has all: a stolen publish token gives no orders, a fleet token publishes nothing.
 */
export function requireRight(actor: Actor, need: Need): void {
  if (need === 'anyone') return
  if (actor.kind === 'anonymous')
    throw new DomainError('unauthenticated', `this needs a token with the right "${need}"`)
  if (actor.kind === 'token' && (actor.grant.kind === 'admin' || actor.grant.kind === need)) return
  throw new DomainError('forbidden', `this needs a token with the right "${need}"`)
}

/** Refuses whoever may not publish in `namespace`. Throws `forbidden`. */
export function requirePublisher(actor: Actor, namespace: string): void {
  if (actor.kind === 'token') {
    if (actor.grant.kind === 'admin') return
    if (actor.grant.kind === 'publish' && actor.grant.namespaces.includes(namespace)) return
  }
  throw new DomainError(
    'forbidden',
    `this needs a token with the right to publish in namespace "${namespace}"`,
  )
}

/** Makes a token; its secret is in the answer and nowhere else. Throws `invalid_request`. */
export async function createToken(
  tokens: Pick<Tokens, 'add'>,
  clock: Clock,
  actor: Actor,
  { grant, note, ttl_s }: TokenRequest,
): Promise<NewToken> {
  if (note.includes('\0')) throw new DomainError('invalid_request', 'the note holds a NUL character')
  const secret = newSecret('hlt_')
  const expiresAt = ttl_s === undefined ? undefined : new Date(clock().getTime() + ttl_s * 1000)
  const id = await tokens.add({ hash: hashSecret(secret), grant, note, expiresAt }, actor)
  return { id, secret, ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }) }
}

/** Makes a join token; its secret is in the answer and nowhere else. */
export async function createJoinToken(
  tokens: Pick<Tokens, 'addJoinToken'>,
  clock: Clock,
  actor: Actor,
  { ttl_s, maxUses }: JoinTokenRequest,
): Promise<NewJoinToken> {
  const secret = newSecret('hlj_')
  const expiresAt = new Date(clock().getTime() + ttl_s * 1000)
  await tokens.addJoinToken({ hash: hashSecret(secret), maxUses, expiresAt }, actor)
  return { secret, expiresAt: expiresAt.toISOString() }
}

/** Makes the first token of a new registry, with all rights, and gives its secret; undefined when there are tokens. */
export async function createFirstToken(tokens: Pick<Tokens, 'any' | 'add'>): Promise<string | undefined> {
  if (await tokens.any()) return undefined
  const secret = newSecret('hlt_')
  const grant = { kind: 'admin' } as const
  await tokens.add(
    { hash: hashSecret(secret), grant, note: 'first start', expiresAt: undefined },
    { kind: 'anonymous' },
  )
  return secret
}
