import { type BundleWithDsseEnvelope, bundleFromJSON, isBundleWithDsseEnvelope } from '@sigstore/bundle'
import { type TrustMaterial, toSignedEntity, VerificationError, Verifier } from '@sigstore/verify'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import { acceptsSigner, Identity, type Signer, type SignerRule, signerText } from '../domain/signer.ts'
import { parseDocument } from './document.ts'
import { Base64, Envelope } from './dsse.ts'
import type { PublicKey } from './keys.ts'
import type { TrustedRoot } from './trusted-root.ts'

/** Who may have signed a bundle. */
export interface BundleClaim {
  /** What it is about, for messages. */
  readonly what: string
  /** Key material, from anywhere: a key counts only if `allowed` names it. */
  readonly keys: readonly PublicKey[]
  /** The accepted signers; `any`: whoever it is, to be shown and not to be trusted. */
  readonly allowed: readonly SignerRule[] | 'any'
  /** What signatures by identities are checked against; without one they are refused. */
  readonly root?: TrustedRoot | undefined
}

/** Who signed, and the exact bytes that were, of which type. */
interface Signed {
  readonly signer: Signer
  readonly payload: Buffer
  readonly payloadType: string
}

/** What vouches for a key: its hint alone. What nothing here would check is refused, since its presence would look like proof. */
const KeyMaterial = z.strictObject({
  publicKey: z.strictObject({ hint: Base64.length(44) }),
  tlogEntries: z.tuple([]).optional(),
  timestampVerificationData: z.strictObject({ rfc3161Timestamps: z.tuple([]).optional() }).optional(),
})

const Number64 = z.string().regex(/^[0-9]{1,19}$/)
const Count = z.union([Number64, z.int().min(0)])
/** An entry of a transparency log, version 1 of Rekor (sigstore_rekor.proto). */
const LogEntry = z.strictObject({
  logIndex: Count,
  logId: z.strictObject({ keyId: Base64 }),
  kindVersion: z.strictObject({ kind: z.string().max(64), version: z.string().max(64) }),
  integratedTime: Count,
  inclusionPromise: z.strictObject({ signedEntryTimestamp: Base64 }).optional(),
  inclusionProof: z
    .strictObject({
      logIndex: Count,
      rootHash: Base64,
      treeSize: Count,
      hashes: z.array(Base64).max(64),
      checkpoint: z.strictObject({ envelope: z.string() }),
    })
    .optional(),
  canonicalizedBody: Base64,
})
/** What vouches for an identity: its certificate, and witnesses of when it signed. */
const IdentityMaterial = z.strictObject({
  certificate: z.strictObject({ rawBytes: Base64 }),
  tlogEntries: z.array(LogEntry).max(LIMITS.bundle_witnesses).optional(),
  timestampVerificationData: z
    .strictObject({
      rfc3161Timestamps: z
        .array(z.strictObject({ signedTimestamp: Base64 }))
        .max(LIMITS.bundle_witnesses)
        .optional(),
    })
    .optional(),
})

/** The forms of bundle that are accepted: v0.3, a DSSE envelope with one signature, of a key or of an identity. */
const SignedBundle = z.strictObject({
  mediaType: z.literal('application/vnd.dev.sigstore.bundle.v0.3+json'),
  verificationMaterial: z.union([KeyMaterial, IdentityMaterial]),
  dsseEnvelope: Envelope,
})
type SignedBundle = z.infer<typeof SignedBundle>

/**
 * Checks that an accepted signer signed the document in a bundle, and gives both. Whatever is not understood is refused.
 * Throws `too_large`, `bundle_invalid`, `signer_not_allowed`, `signature_invalid`, `certificate_invalid`, `no_trusted_root`.
 */
export function openBundle(text: string, accepted: BundleClaim): Signed {
  try {
    const bundle = parseBundle(text)
    return 'publicKey' in bundle.verificationMaterial
      ? signedByKey(bundle, bundle.verificationMaterial.publicKey.hint, accepted)
      : signedByIdentity(bundle, accepted)
  } catch (thrown) {
    if (thrown instanceof DomainError) throw thrown
    // A library that meets what it did not expect throws a TypeError: that is a refusal, never a pass.
    throw new DomainError('bundle_invalid', 'bundle: it cannot be checked', { cause: thrown })
  }
}

/** What a bundle holds, for showing it: nobody's signature was checked. Throws `too_large`, `bundle_invalid`. */
export function unprovenPayload(text: string): { payload: Buffer; payloadType: string } {
  const { payload, payloadType } = parseBundle(text).dsseEnvelope
  return { payload: Buffer.from(payload, 'base64'), payloadType }
}

/** Parser differences: one meaning for every reader, so no duplicate key, no unknown field, no other version. */
function parseBundle(text: string): SignedBundle {
  // exhaustion by size: nothing is parsed before its length is known to be bounded
  const size = Buffer.byteLength(text)
  if (size > LIMITS.bundle_bytes)
    throw new DomainError('too_large', `the bundle has ${size} bytes, at most ${LIMITS.bundle_bytes}`)
  return parseDocument(text, SignedBundle, 'bundle_invalid', 'bundle')
}

/**
 * A signer of one's own, or of another namespace: the hint only selects a key; it must be one that the reader accepts.
 * Fingerprints are compared whole.
 */
function findKey({ dsseEnvelope }: SignedBundle, hint: string, accepted: BundleClaim): PublicKey {
  const { keyid } = dsseEnvelope.signatures[0]
  if (keyid !== '' && keyid !== hint)
    throw new DomainError('bundle_invalid', 'bundle: the envelope and the bundle name different keys')
  const fingerprint: Digest = `sha256:${Buffer.from(hint, 'base64').toString('hex')}`
  const { what } = accepted
  if (accepted.allowed !== 'any' && !accepted.allowed.includes(fingerprint))
    throw new DomainError(
      'signer_not_allowed',
      `${what} is signed by ${fingerprint}, which is not accepted for it`,
    )
  const key = accepted.keys.find((candidate) => candidate.fingerprint === fingerprint)
  if (key === undefined)
    throw new DomainError(
      'signer_not_allowed',
      `${what} is signed by ${fingerprint}, whose key is not at hand`,
    )
  return key
}

/** Forgery and alteration: the signature is over the exact bytes of the payload, which are given back. */
function signedByKey(bundle: SignedBundle, hint: string, accepted: BundleClaim): Signed {
  const signer = findKey(bundle, hint, accepted)
  const trust: TrustMaterial = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: signer.key, validFor: () => true }),
  }
  const parsed = readEnvelope(bundle)
  const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 })
  try {
    const { key } = verifier.verify(toSignedEntity(parsed))
    if (!key.equals(signer.key)) throw new TypeError('another key was used')
  } catch (cause) {
    if (cause instanceof VerificationError && cause.code === 'SIGNATURE_ERROR')
      throw new DomainError('signature_invalid', `the signature is not that of ${signer.fingerprint}`, {
        cause,
      })
    throw cause
  }
  return { signer: signer.fingerprint, ...documentOf(parsed) }
}

function readEnvelope(bundle: SignedBundle): BundleWithDsseEnvelope {
  const parsed = bundleFromJSON(bundle)
  if (!isBundleWithDsseEnvelope(parsed))
    throw new DomainError('bundle_invalid', 'bundle: it holds no DSSE envelope')
  return parsed
}

/**
 * The same for an identity: an authority of the trusted root certified the key, a witness of the root says when the signature
 * was there, and the certificate was good then. Log entries that come along must hold. The identity is compared as it is
 * written: the library's own comparison is a regular expression.
 */
function signedByIdentity(bundle: SignedBundle, accepted: BundleClaim): Signed {
  const { root, what, allowed } = accepted
  if (root === undefined)
    throw new DomainError(
      'no_trusted_root',
      `${what} is signed by an identity, and no trusted root is named here`,
    )
  const parsed = readEnvelope(bundle)
  const ctlogThreshold = root.ctlogs.length === 0 ? 0 : 1
  const verifier = new Verifier(root, { tlogThreshold: 0, ctlogThreshold, timestampThreshold: 1 })
  let identity: ReturnType<Verifier['verify']>['identity']
  try {
    identity = verifier.verify(toSignedEntity(parsed)).identity
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    if (cause.code === 'SIGNATURE_ERROR')
      throw new DomainError('signature_invalid', `the signature of ${what} is not that of its certificate`, {
        cause,
      })
    throw new DomainError('certificate_invalid', `${what}: ${cause.message}`, { cause })
  }
  const found = Identity.safeParse({
    identity: identity?.subjectAlternativeName,
    issuer: identity?.extensions?.issuer,
  })
  if (!found.success)
    throw new DomainError('certificate_invalid', `${what}: its certificate names no identity and issuer`)
  if (allowed !== 'any' && !allowed.some((rule) => acceptsSigner(rule, found.data)))
    throw new DomainError(
      'signer_not_allowed',
      `${what} is signed by ${signerText(found.data)}, which is not accepted for it`,
    )
  return { signer: found.data, ...documentOf(parsed) }
}

const documentOf = ({ content }: BundleWithDsseEnvelope): Omit<Signed, 'signer'> => ({
  payload: content.dsseEnvelope.payload,
  payloadType: content.dsseEnvelope.payloadType,
})
