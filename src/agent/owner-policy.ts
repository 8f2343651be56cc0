import { type PublicKey, sha256Digest } from '../attest/keys.ts'
import { verifyPolicy } from '../attest/policy-document.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { type Labels, selects } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type { Desired } from '../domain/node.ts'
import {
  type AcceptedPolicy,
  type PolicyDocument,
  type SignedPolicy,
  underFloor,
} from '../domain/policy-document.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodePolicy } from './node-policy.ts'
import { acceptedOperators } from './orders.ts'
import { readableKeys } from './readable-keys.ts'

/** The policy that a node obeys, and what is wrong with one that it was sent. */
interface FollowedPolicy {
  readonly policy: NodePolicy
  readonly problem: DomainError | undefined
}

/**
 * The policy that counts under a trust.yaml: its own, or, where it names owners, the newest of theirs for this node's labels. A
 * newer one is kept durably before it is obeyed; what was not sent goes on, since a registry could leave anything out.
 * Throws `policy_missing`, `policy_conflict`, `invalid_policy`.
 */
export async function followPolicy(
  local: NodePolicy,
  desired: Pick<Desired, 'policies' | 'keys'>,
  state: Pick<AgentState, 'acceptedPolicies' | 'saveAcceptedPolicy'>,
  labels: Labels,
): Promise<FollowedPolicy> {
  if (local.owners === undefined) return { policy: local, problem: undefined }
  const held = await state.acceptedPolicies()
  const keys = readableKeys([...desired.keys, ...held.map(({ ownerKey }) => ownerKey)])
  const owners = acceptedOperators(keys, local.owners)
  const newest = new Map(held.map((policy) => [policy.name, policy]))
  let problem: DomainError | undefined
  for (const sent of desired.policies ?? [])
    try {
      const accepted = accept(sent, newest, owners, labels)
      if (accepted === undefined) continue
      await state.saveAcceptedPolicy(accepted)
      newest.set(accepted.name, accepted)
    } catch (thrown) {
      problem ??= asDomainError(thrown)
    }
  // signature first, again: the disk is not trusted either, and owners may have changed
  const active = [...newest.values()].flatMap(({ envelope }) => {
    const document = readHeld(envelope, owners)
    return document !== undefined && selects(document.selector, labels) ? [{ envelope, document }] : []
  })
  const [one, other] = active
  if (one === undefined)
    throw (
      problem ??
      new DomainError(
        'policy_missing',
        'trust.yaml names owners, and none of them gave a policy for this node',
      )
    )
  if (other !== undefined)
    throw new DomainError(
      'policy_conflict',
      `policies ${one.document.name} and ${other.document.name} are both for this node`,
    )
  const digest = local.digest && digestOf(local.digest, one.envelope)
  return { policy: { ...underFloor(local, one.document), ...(digest && { digest }) }, problem }
}

/** The same by what is kept alone; nothing is written. Throws as {@link followPolicy}. */
export async function heldPolicy(
  local: NodePolicy,
  { acceptedPolicies }: Pick<AgentState, 'acceptedPolicies'>,
  labels: Labels,
): Promise<NodePolicy> {
  const state = { acceptedPolicies, saveAcceptedPolicy: async () => {} }
  return (await followPolicy(local, { keys: [] }, state, labels)).policy
}

/**
 * The policy to keep, or undefined when it is the one held. One for other nodes is kept as well, so that an older one is refused,
 * as long as there is room. Throws the reason of a refusal.
 */
function accept(
  { name, envelope }: SignedPolicy,
  held: ReadonlyMap<string, AcceptedPolicy>,
  owners: readonly PublicKey[],
  labels: Labels,
): AcceptedPolicy | undefined {
  const before = held.get(name)
  if (before?.envelope === envelope) return undefined
  const { document, owner } = verifyPolicy(envelope, owners)
  const { revision, selector } = document
  if (document.name !== name)
    throw new DomainError('policy_document_invalid', `the registry shows policy ${document.name} as ${name}`)
  // an old one replayed would allow again what a newer one forbids
  if (before !== undefined && revision <= before.revision)
    throw new DomainError(
      'stale_revision',
      `revision ${revision} of policy ${name} is not newer than ${before.revision}, which this node has seen`,
    )
  const isFull = held.size >= LIMITS.agent_policies
  if (isFull && before === undefined && !selects(selector, labels)) return undefined
  const key = owners.find(({ fingerprint }) => fingerprint === owner)
  return { name, revision, envelope, ownerKey: key?.spki.toString('base64') ?? '' }
}

function readHeld(envelope: string, owners: readonly PublicKey[]): PolicyDocument | undefined {
  try {
    return verifyPolicy(envelope, owners).document
  } catch {
    return undefined // its signer is an owner no longer
  }
}

const digestOf = (local: Digest, envelope: string): Digest =>
  sha256Digest(Buffer.from(JSON.stringify([local, envelope])))
