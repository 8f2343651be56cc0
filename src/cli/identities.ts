import type { IdentityRule } from '../domain/signer.ts'
import type { Context, Outcome } from './io.ts'
import { connect, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { timeText } from './terminal.ts'

/** Lets an identity sign releases of a namespace. Throws `too_many`. */
export async function addIdentity(
  { namespace, identity, issuer, ...flags }: RegistryFlags & IdentityRule & { namespace: string },
  { io }: Context,
): Promise<Outcome> {
  const view = await (await connectWithToken(io, flags)).addIdentity(namespace, { identity, issuer })
  return { json: view, text: `${view.identity} may sign releases of ${namespace}; its id is ${view.id}` }
}

/** Lists the identities that may sign releases of a namespace. */
export async function listIdentities(
  { namespace, ...flags }: RegistryFlags & { namespace: string },
  { io }: Context,
): Promise<Outcome> {
  const identities = await (await connect(io, flags)).identities(namespace)
  const rows = identities.map(({ identity, issuer, addedAt, id }) => [
    identity,
    issuer,
    timeText(addedAt),
    id,
  ])
  return {
    json: { identities },
    text: rows.length === 0 ? 'no identities' : renderTable(io, ['identity', 'issuer', 'added', 'id'], rows),
  }
}

/** Takes the right to sign back; what was signed stays. Throws `not_found`. */
export async function removeIdentity(
  { namespace, id, ...flags }: RegistryFlags & { namespace: string; id: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).removeIdentity(namespace, id)
  return { json: { id }, text: `identity ${id} signs nothing new of ${namespace}` }
}
