import { sha256Digest } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import { Labels } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Policies, PolicyHead } from '../ports/policies.ts'
import { audit, type Database, lockFleet, type Transaction } from './database.ts'

/** The policies of owners in the database. */
export function databasePolicies({ readTogether, change }: Database): Policies {
  return {
    heads: () => readTogether(readPolicyHeads),
    put: ({ document, envelope, owner }, anyOwner, by) =>
      change(async (transaction) => {
        await lockFleet(transaction)
        const { name, revision, selector } = document
        const heads = await readPolicyHeads(transaction)
        const before = heads.find((head) => head.name === name)
        if (before !== undefined && !anyOwner && !owner.equals(before.owner))
          throw new DomainError(
            'policy_owner_changed',
            `policy "${name}" is signed by ${sha256Digest(before.owner)}, this by ${sha256Digest(owner)}`,
          )
        if (before !== undefined && revision <= before.revision)
          throw new DomainError(
            'revision_conflict',
            `policy "${name}" is at revision ${before.revision}, this is ${revision}`,
          )
        if (before === undefined && heads.length >= LIMITS.policies)
          throw new DomainError(
            'too_many_policies',
            `there are ${heads.length} policies, the most there may be, and their names stay: ${heads.map((head) => head.name).join(', ')}`,
          )
        const data = { name, revision: BigInt(revision), selector, envelope, owner: new Uint8Array(owner) }
        const { appliedAt } = await transaction.policyRevision.create({ data })
        await audit(transaction, by, 'policy.apply', name, {
          ...(before === undefined
            ? {}
            : { before: { revision: before.revision, owner: sha256Digest(before.owner) } }),
          after: { revision, owner: sha256Digest(owner) },
        })
        const selectors = [...(before?.selectors ?? []), selector]
        return { name, revision, selector, selectors, envelope, owner, appliedAt }
      }),
  }
}

/** The newest revision of every policy, by name. */
export async function readPolicyHeads(transaction: Transaction): Promise<PolicyHead[]> {
  const rows = await transaction.policyRevision.findMany({
    orderBy: [{ name: 'asc' }, { revision: 'desc' }],
    select: { name: true, revision: true, selector: true },
  })
  const heads: PolicyHead[] = []
  for (const name of new Set(rows.map((row) => row.name))) {
    const selectors = rows.filter((row) => row.name === name).map((row) => Labels.parse(row.selector))
    const newest = await transaction.policyRevision.findFirstOrThrow({
      where: { name },
      orderBy: { revision: 'desc' },
    })
    const { envelope, owner, appliedAt } = newest
    heads.push({
      ...{ name, revision: Number(newest.revision), envelope, appliedAt, selectors },
      ...{ owner: Buffer.from(owner), selector: Labels.parse(newest.selector) },
    })
  }
  return heads
}
