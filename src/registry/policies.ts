import { parsePublicKey, sha256Digest } from '../attest/keys.ts'
import { verifyPolicy } from '../attest/policy-document.ts'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { PolicyUpload, PolicyView } from '../domain/policy-document.ts'
import type { Policies, PolicyHead } from '../ports/policies.ts'

/**
 * Keeps a policy for nodes. That it is signed by the key that comes along is checked for good messages; whether that is an owner's
 * each node decides by its own trust.yaml. Throws `invalid_key`, `policy_document_invalid`, `owner_not_allowed`,
 * `signature_invalid`, `revision_conflict`, `too_many`.
 */
export async function pushPolicy(
  policies: Pick<Policies, 'put'>,
  actor: Actor,
  name: string,
  { envelope, publicKey }: PolicyUpload,
): Promise<PolicyView> {
  const key = parsePublicKey(Buffer.from(publicKey, 'base64'))
  const { document } = verifyPolicy(envelope, [key])
  if (document.name !== name)
    throw new DomainError('policy_document_invalid', `the policy is ${document.name}, not ${name}`)
  return policyView(await policies.put({ document, envelope, owner: key.spki }, actor))
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
