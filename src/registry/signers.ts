import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { Signer, SignerRule } from '../domain/signer.ts'
import type { Namespaces } from '../ports/namespaces.ts'

/** Who may sign releases of a namespace. */
export interface NamespaceSigners {
  readonly keys: readonly PublicKey[]
  readonly allowed: readonly SignerRule[]
  /** Refuses a key that may sign at other times only. Throws `key_expired`. */
  requireValid(signer: Signer, now: Date): void
}

/** Reads who may sign releases of a namespace. Throws `not_found`. */
export async function signersOf(
  namespaces: Pick<Namespaces, 'keys' | 'identities'>,
  namespace: string,
): Promise<NamespaceSigners> {
  const stored = await namespaces.keys(namespace)
  const keys = stored.map(({ spki }) => parsePublicKey(spki))
  const identities = await namespaces.identities(namespace)
  return {
    keys,
    allowed: [
      ...keys.map(({ fingerprint }) => fingerprint),
      ...identities.map(({ identity, issuer }) => ({ identity, issuer })),
    ],
    requireValid: (signer, now) => {
      const key = stored.find(({ fingerprint }) => fingerprint === signer)
      const { validFrom, validUntil } = key ?? {}
      if (validFrom !== undefined && now < validFrom)
        throw new DomainError('key_expired', `${key?.fingerprint} signs from ${validFrom.toISOString()} on`)
      if (validUntil !== undefined && now >= validUntil)
        throw new DomainError('key_expired', `${key?.fingerprint} signed until ${validUntil.toISOString()}`)
    },
  }
}
