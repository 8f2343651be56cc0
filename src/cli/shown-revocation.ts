import type { NodePolicy } from '../agent/node-policy.ts'
import { judge } from '../agent/revocations.ts'
import { type PublicKey, sha256Digest } from '../attest/keys.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import type { ProgramId } from '../domain/names.ts'
import type { ReleaseView } from '../domain/release.ts'
import { concerns, type RevocationView } from '../domain/revocation.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import type { AcceptedSigners } from './accepted-signers.ts'
import { readPolicy } from './policy-file.ts'

/** A revocation that a registry shows of a release. */
export interface ShownRevocation {
  readonly message: string
  /** Who signed it, where he may revoke it by what is trusted here: a node with the same trust stops the release. */
  readonly believed: Signer | undefined
}

/**
 * The revocation of a release, where the registry shows it as revoked, judged as a node does: by the operators of the policy and the
 * signers of its rule, without a policy by the accepted signers. A file is revoked by an operator alone. Throws
 * `invalid_policy`, what the registry's answer throws.
 */
export async function shownRevocation(
  client: Pick<RegistryClient, 'revocations'>,
  view: ReleaseView,
  accepted: AcceptedSigners,
  policyPath: string | undefined,
): Promise<ShownRevocation | undefined> {
  if (view.revoked === undefined) return undefined
  const policy =
    policyPath === undefined ? policyOf(view.program, accepted) : (await readPolicy(policyPath)).policy
  // its program's, and beside them those of files, which are listed with no program
  const shown = [...(await client.revocations(view.program)), ...(await client.revocations(undefined))]
  for (const one of shown.filter(({ revoked }) => concerns(revoked, view))) {
    const believed = signerBelieved(one, policy, accepted.keys)
    if (believed !== undefined) return { message: `${one.reason}: ${one.message}`, believed }
  }
  return { message: view.revoked, believed: undefined }
}

/** What to say of it below what holds. */
export const revocationLine = ({ message, believed }: ShownRevocation, rule: string): string =>
  believed === undefined
    ? `- the registry shows it as revoked (${message}), by nobody whom ${rule} lets revoke it`
    : `- revoked by ${signerText(believed)}, accepted by ${rule}: ${message}`

/** By the document, not by what the registry says of it. */
function signerBelieved(
  { envelope, key }: RevocationView,
  policy: NodePolicy,
  known: readonly PublicKey[],
): Signer | undefined {
  try {
    const signed = key === undefined ? { envelope } : { envelope, key }
    return judge(signed, sha256Digest(Buffer.from(envelope)), policy, known).signer
  } catch {
    return undefined // whoever signed it may not revoke it here
  }
}

function policyOf(program: ProgramId, { allowed, root }: AcceptedSigners): NodePolicy {
  const signers = allowed.map((rule) => (typeof rule === 'string' ? { key: rule } : rule))
  const rest = { minSigners: 1, permissions: [], minAge: '0s', minVersion: {} }
  return { operators: [], programs: [{ match: program, signers, ...rest }], root }
}
