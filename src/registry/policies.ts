import { parsePublicKey, sha256Digest } from '../attest/keys.ts'
import { verifyPolicy } from '../attest/policy-document.ts'
import type { TokenActor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { PolicyUpload, PolicyView } from '../domain/policy-document.ts'
import type { Policies, PolicyHead } from '../ports/policies.ts'
import { isAdmin } from './access.ts'

/**
 * Keeps a policy for nodes. That it is signed by the key that comes along is checked for good messages; whether that is an owner's
 * each node decides by its own trust.yaml. A name stays its owner's: a revision of another would keep the owner's own, by its
 * number, from nodes that do not take it. An administrator may hand it on. Throws `invalid_key`, `policy_document_invalid`,
 * `owner_not_allowed`, `signature_invalid`, `policy_owner_changed`, `revision_conflict`, `too_many_policies`.
 */
export async function pushPolicy(
  policies: Pick<Policies, 'put'>,
  actor: TokenActor,
  name: string,
  { envelope, publicKey }: PolicyUpload,
): Promise<PolicyView> {
  const key = parsePublicKey(Buffer.from(publicKey, 'base64'))
  const { document } = verifyPolicy(envelope, [key])
  if (document.name !== name)
    throw new DomainError('policy_document_invalid', `the policy is ${document.name}, not ${name}`)
  const verified = { document, envelope, owner: key.spki }
  return policyView(await policies.put(verified, isAdmin(actor), actor))
}

/** A policy as it is shown. */
export const policyView = ({
  name,
  revision,
  envelope,
  owner,
  selector,
  appliedAt,
}: PolicyHead): PolicyView => ({
  ...{ name, revision, envelope, selector },
  ...{ owner: sha256Digest(owner), appliedAt: appliedAt.toISOString() },
})
