import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { describeRevocation, refuseRevoker, verifyRevocation } from '../attest/revocation.ts'
import type { Actor } from '../domain/account.ts'
import type { RevocationView } from '../domain/revocation.ts'
import type { Fleet } from '../ports/fleet.ts'
import type { Namespaces, StoredKey } from '../ports/namespaces.ts'
import type { Revocations } from '../ports/revocations.ts'
import { requireRight } from './access.ts'

/**
 * Puts a signed revocation into force. The signature says what is true, the token only who may hand it in: one by a key of the
 * program's namespace needs the right to yank there, one by an operator the right to give orders. A file, which may be part
 * of anybody's release, is an operator's to revoke.
 *
 * Throws `revocation_invalid`, `revocation_signature_invalid`, `revoker_not_allowed`, `scope_missing`, `forbidden`,
 * `not_found`, `version_not_found`.
 */
export async function revoke(
  {
    fleet,
    namespaces,
    revocations,
  }: {
    fleet: Pick<Fleet, 'operatorKeys'>
    namespaces: Pick<Namespaces, 'keys'>
    revocations: Pick<Revocations, 'add'>
  },
  actor: Actor,
  envelope: string,
): Promise<RevocationView> {
  const operators = readable(await fleet.operatorKeys())
  const { revoked: claimed } = describeRevocation(envelope)
  const publishers =
    claimed.kind === 'release' ? readable(await namespaces.keys(namespaceOf(claimed.program))) : []
  const { revocation, signer } = verifyRevocation(envelope, [...operators, ...publishers])
  const { revoked } = revocation
  const publisher = publishers.find(({ fingerprint }) => fingerprint === signer)
  const operator = operators.find(({ fingerprint }) => fingerprint === signer)
  const { spki } = publisher ?? operator ?? refuseRevoker(signer, revocation)
  if (publisher !== undefined && revoked.kind === 'release') {
    const [ns, name] = revoked.program.split('/')
    requireRight(actor, 'program-yank', { ns, name })
  } else requireRight(actor, 'fleet-order')
  return revocations.add({ revocation, envelope, signer, spki }, actor)
}

const readable = (keys: readonly StoredKey[]): PublicKey[] => keys.map(({ spki }) => parsePublicKey(spki))

const namespaceOf = (program: string): string => program.slice(0, program.indexOf('/'))
