import { type BundleWithDsseEnvelope, bundleFromJSON, isBundleWithDsseEnvelope } from '@sigstore/bundle'
import { type TrustMaterial, toSignedEntity, VerificationError, Verifier } from '@sigstore/verify'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Digest, releaseRef } from '../domain/names.ts'
import { acceptsSigner, Identity, type Signer, type SignerRule, signerText } from '../domain/signer.ts'
import { parseDocument } from './document.ts'
import { Base64, Envelope } from './dsse.ts'
import { type PublicKey, sha256Digest } from './keys.ts'
import {
  parseReleaseStatement,
  type ReleaseParts,
  type ReleaseStatement,
  requireReleaseLimits,
  STATEMENT_TYPE,
  subjectDigest,
} from './release-statement.ts'
import type { TrustedRoot } from './trusted-root.ts'

/** A release as it arrived, and who may have signed it. */
export interface ReleaseClaim extends ReleaseParts {
  /** Sigstore bundle, JSON text; empty when there is none. */
  readonly bundle: string
  /** Key material, from anywhere: a key counts only if `allowed` names it. */
  readonly keys: readonly PublicKey[]
  /** The accepted signers. */
  readonly allowed: readonly SignerRule[]
  /** What signatures by identities are checked against; without one they are refused. */
  readonly root?: TrustedRoot | undefined
}

/** The same with files named by their digests. */
interface DigestClaim extends Omit<ReleaseClaim, 'files'> {
  readonly digests: ReadonlyMap<string, Digest>
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
const ReleaseBundle = z.strictObject({
  mediaType: z.literal('application/vnd.dev.sigstore.bundle.v0.3+json'),
  verificationMaterial: z.union([KeyMaterial, IdentityMaterial]),
  dsseEnvelope: Envelope,
})
type ReleaseBundle = z.infer<typeof ReleaseBundle>

/**
 * Checks that an accepted signer signed exactly these files as exactly this release, and gives the signer. The checks
 * come in this order and each stops an attack of its own; whatever is not understood is refused.
 *
 * Throws `too_large`, `bundle_missing`, `bundle_invalid`, `signer_not_allowed`, `signature_invalid`,
 * `certificate_invalid`, `no_trusted_root`, `statement_invalid`, `release_mismatch`, `subject_mismatch`.
 */
export function verifyRelease({ files, ...claim }: ReleaseClaim): { signer: Signer } {
  requireReleaseLimits(files)
  const digests = new Map([...files].map(([name, bytes]) => [name, sha256Digest(bytes)]))
  return verifyReleaseDigests({ ...claim, digests })
}

/**
 * The same for files that are known by name and digest alone, so that nothing which was not signed need be fetched. Who
 * then fetches must hold each file to its digest. Throws as {@link verifyRelease}.
 */
export function verifyReleaseDigests(claim: DigestClaim): { signer: Signer } {
  try {
    requireLimits(claim)
    const bundle = parseBundle(claim.bundle)
    const { signer, payload } =
      'publicKey' in bundle.verificationMaterial
        ? signedByKey(bundle, bundle.verificationMaterial.publicKey.hint, claim)
        : signedByIdentity(bundle, claim)
    requireStatementType(bundle)
    const statement = parseReleaseStatement(payload)
    requireRelease(statement, claim)
    requireSubjects(statement, claim.digests)
    return { signer }
  } catch (thrown) {
    if (thrown instanceof DomainError) throw thrown
    // A library that meets what it did not expect throws a TypeError: that is a refusal, never a pass.
    throw new DomainError('bundle_invalid', 'bundle: it cannot be checked', { cause: thrown })
  }
}

/** Exhaustion by size: nothing is hashed or parsed before its length is known to be bounded. */
function requireLimits({ bundle, program, version }: DigestClaim): void {
  if (bundle === '')
    throw new DomainError('bundle_missing', `${releaseRef(program, version)} is not signed: it has no bundle`)
  const size = Buffer.byteLength(bundle)
  if (size > LIMITS.bundle_bytes)
    throw new DomainError('too_large', `the bundle has ${size} bytes, at most ${LIMITS.bundle_bytes}`)
}

/** Parser differences: one meaning for every reader, so no duplicate key, no unknown field, no other version. */
const parseBundle = (text: string): ReleaseBundle =>
  parseDocument(text, ReleaseBundle, 'bundle_invalid', 'bundle')

/**
 * A signer of one's own, or of another namespace: the hint only selects a key; it must be one that the reader accepts.
 * Fingerprints are compared whole.
 */
function findKey({ dsseEnvelope }: ReleaseBundle, hint: string, claim: DigestClaim): PublicKey {
  const { keyid } = dsseEnvelope.signatures[0]
  if (keyid !== '' && keyid !== hint)
    throw new DomainError('bundle_invalid', 'bundle: the envelope and the bundle name different keys')
  const fingerprint: Digest = `sha256:${Buffer.from(hint, 'base64').toString('hex')}`
  const ref = releaseRef(claim.program, claim.version)
  if (!claim.allowed.includes(fingerprint))
    throw new DomainError(
      'signer_not_allowed',
      `${ref} is signed by ${fingerprint}, which is not accepted for it`,
    )
  const key = claim.keys.find((candidate) => candidate.fingerprint === fingerprint)
  if (key === undefined)
    throw new DomainError(
      'signer_not_allowed',
      `${ref} is signed by ${fingerprint}, whose key is not at hand`,
    )
  return key
}

/** Who signed, and the exact bytes that were. */
interface Signed {
  readonly signer: Signer
  readonly payload: Buffer
}

/** Forgery and alteration: the signature is over the exact bytes of the payload, which are given back. */
function signedByKey(bundle: ReleaseBundle, hint: string, claim: DigestClaim): Signed {
  const signer = findKey(bundle, hint, claim)
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
  return { signer: signer.fingerprint, payload: parsed.content.dsseEnvelope.payload }
}

function readEnvelope(bundle: ReleaseBundle): BundleWithDsseEnvelope {
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
function signedByIdentity(bundle: ReleaseBundle, claim: DigestClaim): Signed {
  const { root } = claim
  const ref = releaseRef(claim.program, claim.version)
  if (root === undefined)
    throw new DomainError(
      'no_trusted_root',
      `${ref} is signed by an identity, and no trusted root is named here`,
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
      throw new DomainError('signature_invalid', `the signature of ${ref} is not that of its certificate`, {
        cause,
      })
    throw new DomainError('certificate_invalid', `${ref}: ${cause.message}`, { cause })
  }
  const found = Identity.safeParse({
    identity: identity?.subjectAlternativeName,
    issuer: identity?.extensions?.issuer,
  })
  if (!found.success)
    throw new DomainError('certificate_invalid', `${ref}: its certificate names no identity and issuer`)
  if (!claim.allowed.some((rule) => acceptsSigner(rule, found.data)))
    throw new DomainError(
      'signer_not_allowed',
      `${ref} is signed by ${signerText(found.data)}, which is not accepted for it`,
    )
  return { signer: found.data, payload: parsed.content.dsseEnvelope.payload }
}

/** Confusion of documents: what the same key signed as something else, an order for one, is no release. */
function requireStatementType({ dsseEnvelope }: ReleaseBundle): void {
  if (dsseEnvelope.payloadType !== STATEMENT_TYPE)
    throw new DomainError(
      'statement_invalid',
      `the signed document is ${JSON.stringify(dsseEnvelope.payloadType)}, not ${STATEMENT_TYPE}`,
    )
}

/** Substitution: another program's, or an older version's, genuine signature under this name. */
function requireRelease({ predicate }: ReleaseStatement, { program, version }: DigestClaim): void {
  if (predicate.name !== program || predicate.version !== version)
    throw new DomainError(
      'release_mismatch',
      `the signature is for ${releaseRef(predicate.name, predicate.version)}, not ${releaseRef(program, version)}`,
    )
}

/** Mix and match: an object, a manifest or a further file that was not signed with the others. */
function requireSubjects({ subject }: ReleaseStatement, digests: ReadonlyMap<string, Digest>): void {
  const seen = new Set<string>()
  for (const item of subject) {
    if (seen.has(item.name)) throw mismatch(`the statement names ${item.name} twice`)
    seen.add(item.name)
    const digest = digests.get(item.name)
    if (digest === undefined) throw mismatch(`${item.name} was signed, but is not among the files`)
    if (digest !== subjectDigest(item)) throw mismatch(`${item.name} is not the file that was signed`)
  }
  for (const name of digests.keys())
    if (!seen.has(name)) throw mismatch(`${name} is among the files, but was not signed`)
}

const mismatch = (why: string): DomainError => new DomainError('subject_mismatch', why)
