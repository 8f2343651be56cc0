import { z } from 'zod'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { Nodes } from '../ports/nodes.ts'
import { audit, type Database } from './database.ts'

/** A node as the one who did something, and the address that it came from. */
export const nodeActor = ({ id, name }: { id: string; name: string }, address?: string): Actor => ({
  ...{ kind: 'node', id, name, programs: [], address },
})

const Taken = z.tuple([z.object({ known: z.boolean(), added: z.boolean() })])

/**
 * Takes a request once; see {@link Nodes.takeRequest}. One statement for key and nonce: each request of each node makes it, and what a
 * registry remembers of keys is no answer, since another one may have replaced them a moment ago.
 */
export async function takeRequest(
  { prisma }: Database,
  ...[id, { spki, digest, expiresAt }]: Parameters<Nodes['takeRequest']>
): ReturnType<Nodes['takeRequest']> {
  const [{ known, added }] = Taken.parse(
    await prisma.$queryRaw`
      WITH "signer" AS (SELECT FROM "node" WHERE "id" = ${id}::uuid AND ${spki}::bytea IN ("spki", "next_spki")),
      "added" AS (
        INSERT INTO "node_nonce" ("digest", "expires_at") SELECT ${digest}::bytea, ${expiresAt}::timestamptz FROM "signer"
        ON CONFLICT DO NOTHING RETURNING 1)
      SELECT EXISTS (SELECT FROM "signer") AS "known", EXISTS (SELECT FROM "added") AS "added"`,
  )
  if (!known) return 'other_key'
  return added ? 'taken' : 'seen'
}

/** Keeps the key that is to replace a node's; see {@link Nodes.offerKey}. */
export const offerKey = (
  { change }: Database,
  ...[id, { from, to }]: Parameters<Nodes['offerKey']>
): Promise<void> =>
  change(async (transaction) => {
    const { count } = await transaction.node.updateMany({
      where: { id, spki: new Uint8Array(from) },
      data: { nextSpki: new Uint8Array(to) },
    })
    if (count === 0) throw new DomainError('node_key_retired', `node ${id} got another key this very moment`)
  })

/** Makes the offered key the node's; see {@link Nodes.promoteKey}. */
export const promoteKey = (
  { change }: Database,
  ...[id, { fingerprint, spki }, now, address]: Parameters<Nodes['promoteKey']>
): Promise<void> =>
  change(async (transaction) => {
    // the lock lets one of two first requests pass, and shows the other what it did
    await transaction.$queryRaw`SELECT 1 FROM "node" WHERE "id" = ${id}::uuid FOR UPDATE`
    const known = await transaction.node.findUnique({ where: { id } })
    if (known?.fingerprint === fingerprint) return
    if (known === null || known.nextSpki === null || !Buffer.from(known.nextSpki).equals(spki))
      throw new DomainError('node_unauthenticated', `node ${id} offered another key this very moment`)
    await transaction.node.update({
      where: { id },
      data: {
        ...{ fingerprint, spki: new Uint8Array(spki), keySince: now },
        ...{ nextSpki: null, retiredSpki: known.spki },
      },
    })
    await audit(transaction, nodeActor(known, address), 'node.key', known.name, {
      ...{ before: { key: known.fingerprint }, after: { key: fingerprint } },
    })
  })
