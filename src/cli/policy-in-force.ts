import type { NodePolicy } from '../agent/node-policy.ts'
import { heldPolicy } from '../agent/owner-policy.ts'
import { DomainError } from '../domain/errors.ts'
import type { AgentStateReader } from '../store/agent-state.ts'
import { readPolicy } from './policy-file.ts'

/**
 * A trust.yaml with the policy of its owners, where it names any, as the node keeps it. Throws what {@link readPolicy} and
 * {@link heldPolicy} do, `usage`.
 */
export async function policyInForce(path: string, kept: AgentStateReader | undefined): Promise<NodePolicy> {
  const { policy } = await readPolicy(path)
  if (policy.owners === undefined) return policy
  if (kept === undefined)
    throw new DomainError(
      'usage',
      `${path} names owners, whose policy a node keeps: name its directory by --state`,
    )
  const labels = (await kept.identity())?.labels ?? {}
  return heldPolicy(policy, kept, labels)
}
