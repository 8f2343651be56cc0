import { SCOPES } from '../../src/domain/account.ts'
import { type EnrolledNode, enrolledNode } from './enrolled-node.ts'
import { buildRelease, newKey, openNamespace, releaseForm } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

/** Everybody who may ask, each with all scopes but where it says otherwise. */
export const ACTORS = [
  ...(['anonymous', 'stranger', 'reader', 'publisher', 'owner', 'viewer', 'operator', 'admin'] as const),
  // an administrator whose token does not say so, an owner whose token may only read, or is for another namespace
  ...(['adminWithoutScope', 'ownerReading', 'ownerElsewhere', 'robot', 'node'] as const),
] as const
export type ActorName = (typeof ACTORS)[number]

/** Who has which right in namespace acme. A right that is not named here fails the test: say who has it. */
export const HOLDERS: Record<string, readonly ActorName[]> = {
  anyone: ACTORS,
  account: ACTORS.filter((name) => name !== 'anonymous' && name !== 'node'),
  'account-manage': ACTORS.filter((name) => !['anonymous', 'node', 'ownerReading'].includes(name)),
  membership: ACTORS.filter(
    (name) => !['anonymous', 'node', 'ownerReading', 'ownerElsewhere'].includes(name),
  ),
  publish: ACTORS.filter((name) => !['anonymous', 'node', 'ownerReading'].includes(name)),
  revoke: ACTORS.filter((name) => !['anonymous', 'node', 'ownerReading'].includes(name)),
  'namespace-read': ['reader', 'publisher', 'owner', 'ownerReading', 'robot', 'admin'],
  'namespace-manage': ['owner', 'admin'],
  'program-yank': ['publisher', 'owner', 'robot', 'admin'],
  'program-manage': ['owner', 'admin'],
  'fleet-read': ['viewer', 'operator', 'admin', 'adminWithoutScope'],
  'fleet-join': ['operator', 'admin', 'adminWithoutScope'],
  'fleet-order': ['operator', 'admin', 'adminWithoutScope'],
  admin: ['admin'],
  node: [],
  joining: [],
}

/** A registry with namespace acme, its private program acme/secret, and everybody's token. */
export async function startWithActors(): Promise<{
  registry: RunningRegistry
  node: EnrolledNode
  tokens: ReadonlyMap<ActorName, string>
}> {
  const registry = await startRegistry()
  const tokens = new Map<ActorName, string>()
  const key = newKey()
  await openNamespace({ ...registry, admin: await registry.account('founder') }, 'acme', key)
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', key))
  await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
  const node = await enrolledNode(registry, 'node-1')
  tokens.set('admin', registry.admin)
  tokens.set('stranger', await registry.account('stranger'))
  for (const role of ['reader', 'publisher', 'owner'] as const)
    tokens.set(role, await registry.account(`the-${role}`, { member: { acme: role } }))
  for (const fleet of ['viewer', 'operator'] as const)
    tokens.set(fleet, await registry.account(`the-${fleet}`, { fleet }))
  const allButAdmin = SCOPES.filter((scope) => scope !== 'admin')
  tokens.set('adminWithoutScope', await registry.token({ scopes: allButAdmin }))
  tokens.set('ownerReading', await registry.token({ scopes: ['read'] }, 'the-owner'))
  tokens.set(
    'ownerElsewhere',
    await registry.token({ scopes: allButAdmin, programs: ['other/*'] }, 'the-owner'),
  )
  await registry.call('POST', '/api/v1/namespaces/acme/robots', {
    token: registry.admin,
    body: { name: 'ci', role: 'publisher' },
  })
  tokens.set('robot', await registry.token({ scopes: allButAdmin }, 'acme.ci'))
  return { registry, node, tokens }
}
