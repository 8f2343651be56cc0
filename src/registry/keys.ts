import { parsePublicKey } from '../attest/keys.ts'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { Digest } from '../domain/names.ts'
import type { KeyView, NamespaceKeyUpload } from '../domain/namespace.ts'
import type { Fleet } from '../ports/fleet.ts'
import type { Namespaces, StoredKey } from '../ports/namespaces.ts'

/** A key as it is shown. */
export const keyView = ({ fingerprint, spki, addedAt, validFrom, validUntil }: StoredKey): KeyView => ({
  fingerprint,
  publicKey: spki.toString('base64'),
  addedAt: addedAt.toISOString(),
  ...(validFrom === undefined ? {} : { validFrom: validFrom.toISOString() }),
  ...(validUntil === undefined ? {} : { validUntil: validUntil.toISOString() }),
})

/**
 * Lets a key sign releases of a namespace, or says anew when it may; `publicKey` is SPKI DER in base64.
 * Throws `invalid_key`, also when the fingerprint is not the key's, `not_found` and `too_many`.
 */
export async function addNamespaceKey(
  namespaces: Pick<Namespaces, 'addKey'>,
  actor: Actor,
  namespace: string,
  fingerprint: Digest,
  { publicKey, validFrom, validUntil }: NamespaceKeyUpload,
): Promise<KeyView> {
  const validity = {
    validFrom: validFrom === undefined ? undefined : new Date(validFrom),
    validUntil: validUntil === undefined ? undefined : new Date(validUntil),
  }
  const key = { ...namedKey(fingerprint, publicKey), ...validity }
  return keyView(await namespaces.addKey(namespace, key, actor))
}

/** Lets a key sign orders. Throws `invalid_key`. */
export async function addOperatorKey(
  fleet: Pick<Fleet, 'addOperatorKey'>,
  actor: Actor,
  fingerprint: Digest,
  publicKey: string,
): Promise<KeyView> {
  return keyView(await fleet.addOperatorKey(namedKey(fingerprint, publicKey), actor))
}

/** What the caller believes to add must be what is added: a fingerprint is what people compare, not base64. */
function namedKey(fingerprint: Digest, publicKey: string): { fingerprint: Digest; spki: Buffer } {
  const key = parsePublicKey(Buffer.from(publicKey, 'base64'))
  if (key.fingerprint !== fingerprint)
    throw new DomainError('invalid_key', `the key's fingerprint is ${key.fingerprint}, not ${fingerprint}`)
  return { fingerprint: key.fingerprint, spki: key.spki }
}
