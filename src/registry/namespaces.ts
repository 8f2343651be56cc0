import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { NamespaceView } from '../domain/namespace.ts'
import type { Namespaces } from '../ports/namespaces.ts'
import { roleOf } from './access.ts'

/**
 * A namespace as an actor sees it: one that shows nothing to everybody is not there for everybody; its members see their role
 * and what it holds. Throws `not_found`.
 */
export async function viewNamespace(
  namespaces: Namespaces,
  name: string,
  actor: Actor,
): Promise<NamespaceView> {
  await requireSeen(namespaces, name, actor)
  const role = roleOf(actor, name)
  const view = await namespaces.view(name)
  return role === undefined ? view : { ...view, role, usage: await namespaces.usage(name) }
}

/** Refuses whoever may not know of a namespace. Throws `not_found`. */
export async function requireSeen(namespaces: Namespaces, name: string, actor: Actor): Promise<void> {
  if (roleOf(actor, name) === undefined && !(await namespaces.isPublic(name)))
    throw new DomainError('not_found', `there is no namespace "${name}"`)
}
