import type { NodePolicy } from '../agent/node-policy.ts'
import { heldPolicy } from '../agent/owner-policy.ts'
import { DomainError } from '../domain/errors.ts'
import { underFloor } from '../domain/policy-document.ts'
import type { AgentStateReader } from '../store/agent-state.ts'
import { type OwnersPolicy, readAnyPolicy, readPolicy } from './policy-file.ts'

/**
 * A trust.yaml with the policy of its owners, where it names any, as the node keeps it. Throws what {@link readPolicy} and
 * {@link heldPolicy} do, `usage`.
 */
export const policyInForce = async (path: string, kept: AgentStateReader | undefined): Promise<NodePolicy> =>
  followed(path, (await readPolicy(path)).policy, kept)

async function followed(
  path: string,
  policy: NodePolicy,
  kept: AgentStateReader | undefined,
): Promise<NodePolicy> {
  if (policy.owners === undefined) return policy
  if (kept === undefined)
    throw new DomainError(
      'usage',
      `${path} names owners, whose policy a node keeps: name its directory by --state`,
    )
  const labels = (await kept.identity())?.labels ?? {}
  return heldPolicy(policy, kept, labels)
}

/**
 * What a node obeys by a file: by a trust.yaml as {@link policyInForce} has it, by a policy of owners as the trust.yaml `under`
 * binds it, which has the floor, the log and what vouches for identities. Throws likewise, `owner_not_allowed`.
 */
export async function policyBy(
  path: string,
  kept: AgentStateReader | undefined,
  under: string | undefined,
): Promise<NodePolicy> {
  const found = await readAnyPolicy(path)
  if (found.kind === 'node') return followed(path, found.policy, kept)
  return boundBy(path, found, under)
}

async function boundBy(
  path: string,
  { spec, signed }: OwnersPolicy,
  under: string | undefined,
): Promise<NodePolicy> {
  if (under === undefined) return underFloor({ operators: [], programs: [] }, spec)
  const { policy } = await readPolicy(under)
  if (policy.owners === undefined)
    throw new DomainError('usage', `${under} names no owners: its node obeys no policy of theirs`)
  if (signed !== undefined && policy.owners.every(({ key }) => key !== signed.owner))
    throw new DomainError('owner_not_allowed', `${path} is signed by ${signed.owner}, no owner of ${under}`)
  const { digest: _, ...local } = policy // it would stand for another policy
  return underFloor(local, spec)
}
