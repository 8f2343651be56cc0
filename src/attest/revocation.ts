import { z } from 'zod'
import { asDomainError, DomainError, type ErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Revocation, revokedText } from '../domain/revocation.ts'
import { type Signer, type SignerRule, signerText } from '../domain/signer.ts'
import { parseWith } from '../domain/yaml.ts'
import { parseDocument } from './document.ts'
import { Envelope, preAuthEncoding } from './dsse.ts'
import type { PrivateKey, PublicKey } from './keys.ts'
import { openBundle, unprovenPayload } from './open-bundle.ts'
import { holds, signBytes } from './signature.ts'
import type { TrustedRoot } from './trusted-root.ts'

const what = 'revocation'

/** Type of the signed document. It is part of what is signed: neither a release nor an order is ever taken for one. */
export const REVOCATION_TYPE = 'application/vnd.hookline.revocation+json'

/**
 * Signs a revocation as a DSSE envelope (JSON text) whose keyid is the signer's fingerprint. Throws `revocation_invalid` for
 * one that a node would refuse to read.
 */
export function signRevocation(revocation: Revocation, privateKey: PrivateKey): string {
  const payload = revocationPayload(revocation)
  const signature = signBytes(preAuthEncoding(REVOCATION_TYPE, payload), privateKey)
  return JSON.stringify({
    payload: payload.toString('base64'),
    payloadType: REVOCATION_TYPE,
    signatures: [{ keyid: privateKey.fingerprint, sig: signature.toString('base64') }],
  })
}

/** The bytes of a revocation that are signed. Throws `revocation_invalid`. */
export const revocationPayload = (revocation: Revocation): Buffer =>
  Buffer.from(JSON.stringify(parseWith(Revocation, revocation, 'revocation_invalid', what)))

/** Who may sign, and what vouches for identities; without a root none of them does. */
export interface RevokingIdentities {
  /** Of keys, those of which it is known that they may: one of them that is not at hand decides nothing. */
  readonly allowed: readonly SignerRule[]
  readonly root: TrustedRoot | undefined
}

/**
 * Checks that one of `keys` signed a revocation, as a DSSE envelope, or one of `identities`, as a Sigstore bundle; gives both.
 * That this signer may revoke what the document names is the caller's to check. Parsed only after the signature held.
 *
 * Throws `revocation_invalid`, `revoker_not_allowed`, `revocation_signature_invalid`, `revocation_withheld` where the key of one
 * who may is not among `keys`.
 */
export function verifyRevocation(
  envelope: string,
  keys: readonly PublicKey[],
  identities: RevokingIdentities,
): { revocation: Revocation; signer: Signer } {
  requireSize(envelope)
  if (isBundle(envelope)) return verifyBundle(envelope, identities)
  const { payload, payloadType, signatures } = parseDocument(envelope, Envelope, 'revocation_invalid', what)
  const [{ keyid, sig }] = signatures
  const signer = keys.find(({ fingerprint }) => fingerprint === keyid)
  if (signer === undefined && identities.allowed.some((rule) => rule === keyid))
    throw new DomainError(
      'revocation_withheld',
      `the revocation is signed by ${keyid}, whose key is not shown`,
    )
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
export const refuseRevoker = (signer: Signer, { revoked }: Revocation): never => {
  throw new DomainError('revoker_not_allowed', `${signerText(signer)} may not revoke ${revokedText(revoked)}`)
}

/** By identities alone: whoever has a key signs an envelope. */
function verifyBundle(
  bundle: string,
  { allowed, root }: RevokingIdentities,
): { revocation: Revocation; signer: Signer } {
  try {
    const rules = allowed.filter((rule) => typeof rule !== 'string')
    const { signer, payload, payloadType } = openBundle(bundle, { what, keys: [], allowed: rules, root })
    if (payloadType !== REVOCATION_TYPE)
      throw invalid(`the signed document is ${JSON.stringify(payloadType)}`)
    return { revocation: parseDocument(payload, Revocation, 'revocation_invalid', what), signer }
  } catch (cause) {
    const { code, message } = asDomainError(cause)
    if (code === 'revocation_invalid') throw cause
    throw new DomainError(CODES.get(code) ?? 'revocation_invalid', message, { cause })
  }
}

/** What is wrong with a bundle, in the words of revocations. */
const CODES: ReadonlyMap<ErrorCode, ErrorCode> = new Map([
  ['signer_not_allowed', 'revoker_not_allowed'],
  ['no_trusted_root', 'revoker_not_allowed'],
  ['signature_invalid', 'revocation_signature_invalid'],
  ['certificate_invalid', 'revocation_signature_invalid'],
])

/** Whether a revocation is signed as a Sigstore bundle. Throws `revocation_invalid`. */
function isBundle(envelope: string): boolean {
  const form = z.looseObject({ mediaType: z.unknown().optional() })
  return parseDocument(envelope, form, 'revocation_invalid', what).mediaType !== undefined
}

function requireSize(envelope: string): void {
  if (Buffer.byteLength(envelope) > LIMITS.revocation_bytes)
    throw invalid(`it is larger than ${LIMITS.revocation_bytes} bytes`)
}

const invalid = (why: string): DomainError => new DomainError('revocation_invalid', `revocation: ${why}`)

/** What an envelope says, nobody's signature checked: it only decides whose keys are looked for. Throws `revocation_invalid`. */
export function describeRevocation(envelope: string): Revocation {
  requireSize(envelope)
  const payload = isBundle(envelope) ? bundlePayload(envelope) : envelopePayload(envelope)
  return parseDocument(payload, Revocation, 'revocation_invalid', what)
}

const envelopePayload = (envelope: string): Buffer =>
  Buffer.from(parseDocument(envelope, Envelope, 'revocation_invalid', what).payload, 'base64')

function bundlePayload(bundle: string): Buffer {
  try {
    return unprovenPayload(bundle).payload
  } catch (cause) {
    throw new DomainError('revocation_invalid', asDomainError(cause).message, { cause })
  }
}
