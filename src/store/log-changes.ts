import type { Role } from '../domain/account.ts'
import type { Digest } from '../domain/names.ts'
import type { IdentityRule } from '../domain/signer.ts'
import type { Transaction } from './database.ts'
import type { RegistryLogs } from './logs.ts'
import { signerOf } from './releases.ts'

type Change = 'added' | 'removed'

/** Whether something of a namespace is for everybody to see; else the log says nothing of it but that something was. */
export const isOpen = async (transaction: Transaction, namespace: string): Promise<boolean> =>
  (await transaction.program.count({ where: { namespace: { name: namespace }, visibility: 'public' } })) > 0

/** Logs that somebody may, or may no longer, sign releases of a namespace. */
export async function recordSigner(
  transaction: Transaction,
  logs: RegistryLogs,
  namespace: string,
  signer: Digest | IdentityRule,
  change: Change,
): Promise<void> {
  const isPrivate = !(await isOpen(transaction, namespace))
  await logs.record(transaction, { kind: 'signer', namespace, signer, change }, isPrivate)
}

/** Logs who owns a namespace when a role came or went; other roles are nobody's concern but the members'. */
export async function recordOwner(
  transaction: Transaction,
  logs: RegistryLogs,
  namespace: string,
  account: string,
  { before, after }: { before?: Role; after?: Role },
): Promise<void> {
  if ((before === 'owner') === (after === 'owner')) return
  const change = after === 'owner' ? 'added' : 'removed'
  const isPrivate = !(await isOpen(transaction, namespace))
  await logs.record(transaction, { kind: 'owner', namespace, account, change }, isPrivate)
}

/**
 * Logs openly who owns a namespace and who signs for it, when its first program is for everybody: what was logged of it
 * before was hidden.
 */
export async function announceNamespace(
  transaction: Transaction,
  logs: RegistryLogs,
  { id: namespaceId, name: namespace }: { id: string; name: string },
): Promise<void> {
  const change = 'added'
  const owners = await transaction.member.findMany({
    where: { namespaceId, role: 'owner' },
    select: { account: { select: { name: true } } },
    orderBy: { since: 'asc' },
  })
  const keys = await transaction.signingKey.findMany({
    where: { namespaceId, removedAt: null },
    orderBy: { fingerprint: 'asc' },
  })
  const identities = await transaction.signingIdentity.findMany({
    where: { namespaceId },
    orderBy: { id: 'asc' },
  })
  for (const { account } of owners)
    await logs.record(transaction, { kind: 'owner', namespace, account: account.name, change }, false)
  const signers = [
    ...keys.map(({ fingerprint }) =>
      signerOf({ signer: fingerprint, signerIdentity: null, signerIssuer: null }),
    ),
    ...identities.map(({ identity, issuer }) => ({ identity, issuer })),
  ]
  for (const signer of signers)
    await logs.record(transaction, { kind: 'signer', namespace, signer, change }, false)
}
