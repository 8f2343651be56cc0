import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import { Revocation, revokedText } from '../domain/revocation.ts'
import { parseWith } from '../domain/yaml.ts'
import { parseDocument } from './document.ts'
import { Envelope, preAuthEncoding } from './dsse.ts'
import type { PrivateKey, PublicKey } from './keys.ts'
import { holds, signBytes } from './signature.ts'

/** Type of the signed document. It is part of what is signed: neither a release nor an order is ever taken for one. */
const REVOCATION_TYPE = 'application/vnd.hookline.revocation+json'

/**
 * Signs a revocation as a DSSE envelope (JSON text) whose keyid is the signer's fingerprint. Throws `revocation_invalid` for
 * one that a node would refuse to read.
 */
export function signRevocation(revocation: Revocation, privateKey: PrivateKey): string {
  const document = parseWith(Revocation, revocation, 'revocation_invalid', 'revocation')
  const payload = Buffer.from(JSON.stringify(document))
  const signature = signBytes(preAuthEncoding(REVOCATION_TYPE, payload), privateKey)
  return JSON.stringify({
    payload: payload.toString('base64'),
    payloadType: REVOCATION_TYPE,
    signatures: [{ keyid: privateKey.fingerprint, sig: signature.toString('base64') }],
  })
}

/**
 * Checks that one of `keys` signed a revocation, and gives both. That this key may revoke what the document names is the
 * caller's to check. Parsed only after the signature held.
 *
 * Throws `revocation_invalid`, `revoker_not_allowed`, `revocation_signature_invalid`.
 */
export function verifyRevocation(
  envelope: string,
  keys: readonly PublicKey[],
): { revocation: Revocation; signer: Digest } {
  const what = 'revocation'
  if (Buffer.byteLength(envelope) > LIMITS.revocation_bytes)
    throw invalid(`it is larger than ${LIMITS.revocation_bytes} bytes`)
  const { payload, payloadType, signatures } = parseDocument(envelope, Envelope, 'revocation_invalid', what)
  const [{ keyid, sig }] = signatures
  const signer = keys.find(({ fingerprint }) => fingerprint === keyid)
  if (signer === undefined)
    throw new DomainError(
      'revoker_not_allowed',
      `the revocation is signed by ${JSON.stringify(keyid)}, who may revoke nothing here`,
    )
  const bytes = Buffer.from(payload, 'base64')
  if (!holds(preAuthEncoding(payloadType, bytes), Buffer.from(sig, 'base64'), signer))
    throw new DomainError(
      'revocation_signature_invalid',
      `the revocation's signature is not that of ${signer.fingerprint}`,
    )
  if (payloadType !== REVOCATION_TYPE) throw invalid(`the signed document is ${JSON.stringify(payloadType)}`)
  const revocation = parseDocument(bytes, Revocation, 'revocation_invalid', what)
  return { revocation, signer: signer.fingerprint }
}

/** Refuses a signer who may not revoke what a document names. Throws `revoker_not_allowed`. */
export const refuseRevoker = (signer: Digest, { revoked }: Revocation): never => {
  throw new DomainError('revoker_not_allowed', `${signer} may not revoke ${revokedText(revoked)}`)
}

const invalid = (why: string): DomainError => new DomainError('revocation_invalid', `revocation: ${why}`)

/** What an envelope says, nobody's signature checked: it only decides whose keys are looked for. Throws `revocation_invalid`. */
export function describeRevocation(envelope: string): Revocation {
  const { payload } = parseDocument(envelope, Envelope, 'revocation_invalid', 'revocation')
  return parseDocument(Buffer.from(payload, 'base64'), Revocation, 'revocation_invalid', 'revocation')
}
