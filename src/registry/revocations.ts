import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { describeRevocation, refuseRevoker, verifyRevocation } from '../attest/revocation.ts'
import type { TrustedRoot } from '../attest/trusted-root.ts'
import type { Actor } from '../domain/account.ts'
import type { RevocationView } from '../domain/revocation.ts'
import { acceptsSigner, type SignerRule } from '../domain/signer.ts'
import type { Fleet } from '../ports/fleet.ts'
import type { Namespaces, StoredKey } from '../ports/namespaces.ts'
import type { Revocations } from '../ports/revocations.ts'
import { requireRight } from './access.ts'

/**
 * Puts a signed revocation into force. The signature says what is true, the token only who may hand it in: one by a key or identity of the
 * program's namespace needs the right to yank there, one by an operator the right to give orders. A file, which may be part
 * of anybody's release, is an operator's to revoke.
 *
 * Throws `revocation_invalid`, `revocation_signature_invalid`, `revoker_not_allowed`, `scope_missing`, `forbidden`,
 * `not_found`, `version_not_found`, `too_many_revocations`.
 */
export async function revoke(
  {
    fleet,
    namespaces,
    revocations,
    trustedRoot: root,
  }: {
    fleet: Pick<Fleet, 'operatorKeys'>
    namespaces: Pick<Namespaces, 'keys' | 'identities'>
    trustedRoot: TrustedRoot | undefined
    revocations: Pick<Revocations, 'add'>
  },
  actor: Actor,
  envelope: string,
): Promise<RevocationView> {
  const operators = readable(await fleet.operatorKeys())
  const { revoked: claimed } = describeRevocation(envelope)
  const namespace = claimed.kind === 'release' ? namespaceOf(claimed.program) : undefined
  const publishers = namespace === undefined ? [] : readable(await namespaces.keys(namespace))
  const allowed = namespace === undefined ? [] : await identityRules(namespaces, namespace)
  const { revocation, signer } = verifyRevocation(envelope, [...operators, ...publishers], { allowed, root })
  const { revoked } = revocation
  const publisher = publishers.find(({ fingerprint }) => fingerprint === signer)
  const isPublisher = publisher !== undefined || allowed.some((rule) => acceptsSigner(rule, signer))
  const operator = operators.find(({ fingerprint }) => fingerprint === signer)
  if (!isPublisher && operator === undefined) refuseRevoker(signer, revocation)
  if (isPublisher && revoked.kind === 'release') {
    const [ns, name] = revoked.program.split('/')
    requireRight(actor, 'program-yank', { ns, name })
  } else requireRight(actor, 'fleet-order')
  const { spki } = publisher ?? operator ?? {}
  return revocations.add({ revocation, envelope, signer, spki, byOperator: operator !== undefined }, actor)
}

const identityRules = async (
  namespaces: Pick<Namespaces, 'identities'>,
  namespace: string,
): Promise<SignerRule[]> =>
  (await namespaces.identities(namespace)).map(({ identity, issuer }) => ({ identity, issuer }))

const readable = (keys: readonly StoredKey[]): PublicKey[] => keys.map(({ spki }) => parsePublicKey(spki))

const namespaceOf = (program: string): string => program.slice(0, program.indexOf('/'))
