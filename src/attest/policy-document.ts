import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import { PolicyDocument } from '../domain/policy-document.ts'
import { parseWith } from '../domain/yaml.ts'
import { parseDocument } from './document.ts'
import { Envelope, preAuthEncoding } from './dsse.ts'
import type { PublicKey } from './keys.ts'
import type { KeySigner } from './sign-release.ts'
import { holds } from './signature.ts'

/** Type of the signed document. It is part of what is signed: an order's signature is never one over a policy. */
const POLICY_TYPE = 'application/vnd.hookline.policy+json'

/**
 * Signs a revision of a policy as a DSSE envelope (JSON text) whose keyid is the owner's fingerprint. Throws
 * `invalid_policy`, `too_large`, and what the signer does.
 */
export async function signPolicy(document: PolicyDocument, owner: KeySigner): Promise<string> {
  const payload = Buffer.from(JSON.stringify(parseWith(PolicyDocument, document, 'invalid_policy', 'policy')))
  const signature = await owner.sign(preAuthEncoding(POLICY_TYPE, payload))
  const envelope = JSON.stringify({
    payload: payload.toString('base64'),
    payloadType: POLICY_TYPE,
    signatures: [{ keyid: owner.publicKey.fingerprint, sig: signature.toString('base64') }],
  })
  if (Buffer.byteLength(envelope) > LIMITS.policy_envelope_bytes)
    throw new DomainError('too_large', `the policy is larger than ${LIMITS.policy_envelope_bytes} bytes`)
  return envelope
}

/** What an envelope says, its signature not checked: for people who look at one. Throws `policy_document_invalid`. */
export function describePolicy(envelope: string): { document: PolicyDocument; owner: string } {
  const [code, what] = ['policy_document_invalid', 'policy'] as const
  const { payload, signatures } = parseDocument(envelope, Envelope, code, what)
  const document = parseDocument(Buffer.from(payload, 'base64'), PolicyDocument, code, what)
  return { document, owner: signatures[0].keyid }
}

/**
 * Checks that one of `owners` signed a policy, and gives both. It is parsed only after its signature held. That the revision
 * is new enough is the caller's to check. Throws `policy_document_invalid`, `owner_not_allowed`, `signature_invalid`.
 */
export function verifyPolicy(
  envelope: string,
  owners: readonly PublicKey[],
): { document: PolicyDocument; owner: Digest } {
  const [code, what] = ['policy_document_invalid', 'policy'] as const
  if (Buffer.byteLength(envelope) > LIMITS.policy_envelope_bytes)
    throw new DomainError(code, `policy: it is larger than ${LIMITS.policy_envelope_bytes} bytes`)
  const { payload, payloadType, signatures } = parseDocument(envelope, Envelope, code, what)
  const [{ keyid, sig }] = signatures
  const owner = owners.find(({ fingerprint }) => fingerprint === keyid)
  if (owner === undefined)
    throw new DomainError(
      'owner_not_allowed',
      `the policy is signed by ${JSON.stringify(keyid)}, no owner here`,
    )
  const bytes = Buffer.from(payload, 'base64')
  if (!holds(preAuthEncoding(payloadType, bytes), Buffer.from(sig, 'base64'), owner))
    throw new DomainError('signature_invalid', `the policy's signature is not that of ${owner.fingerprint}`)
  if (payloadType !== POLICY_TYPE)
    throw new DomainError(code, `policy: the signed document is ${JSON.stringify(payloadType)}`)
  return { document: parseDocument(bytes, PolicyDocument, code, what), owner: owner.fingerprint }
}
