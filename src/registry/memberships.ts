import type { Actor, Role, TokenActor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { requireFreeName } from '../domain/name-rules.ts'
import type { MemberView } from '../domain/namespace.ts'
import type { Clock } from '../ports/clock.ts'
import type { Namespaces } from '../ports/namespaces.ts'

/**
 * Makes a namespace, which whoever asks then owns. Throws `forbidden` for robots and pipelines, `name_reserved`,
 * `name_look_alike`, `namespace_exists`, `too_many`.
 */
export async function createNamespace(
  namespaces: Pick<Namespaces, 'add'>,
  holder: TokenActor & Actor,
  name: string,
): Promise<void> {
  requireFreeName(name)
  if (holder.account.kind !== 'person') throw new DomainError('forbidden', 'a robot may not own a namespace')
  await namespaces.add(name, holder)
}

/**
 * Gives a member another role, or invites an account for as long as invitations are good. Throws `not_found`, `last_owner`,
 * `robot_not_allowed`, `too_many`.
 */
export function putMember(
  namespaces: Pick<Namespaces, 'setMember'>,
  clock: Clock,
  actor: Actor,
  { namespace, account, role }: { namespace: string; account: string; role: Role },
): Promise<MemberView> {
  const expiresAt = new Date(clock().getTime() + LIMITS.invitation_ttl_s * 1000)
  return namespaces.setMember(namespace, account, role, expiresAt, actor)
}

/** The account of a namespace's robot. */
export const robotAccount = (namespace: string, robot: string): string => `${namespace}.${robot}`
