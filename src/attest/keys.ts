import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import type { Digest } from '../domain/names.ts'

/** The two kinds of signing key: ECDSA on P-256 with SHA-256 (FIPS 186-5), and Ed25519 (RFC 8032). */
export type KeyAlgorithm = 'p256' | 'ed25519'

/** A public key together with the name that policies use for it. */
export interface PublicKey {
  /** `sha256:` and the hexadecimal SHA-256 of `spki`. */
  readonly fingerprint: Digest
  /** SubjectPublicKeyInfo in DER (RFC 5280 section 4.1). */
  readonly spki: Buffer
  readonly key: KeyObject
  readonly algorithm: KeyAlgorithm
}

/** A private key and its public half; `fingerprint` is that of the public half. */
export interface PrivateKey {
  readonly fingerprint: Digest
  readonly key: KeyObject
  readonly publicKey: PublicKey
}

/** What stands before the key's own bytes: RFC 5480 section 2 with the 04 of an uncompressed point; RFC 8410 section 4. */
const SPKI_HEAD: Record<KeyAlgorithm, Buffer> = {
  p256: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex'),
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
}
const SPKI_BYTES: Record<KeyAlgorithm, number> = { p256: 91, ed25519: 44 }

const notCanonical = (): DomainError =>
  new DomainError(
    'invalid_key',
    'the key is not in the usual SPKI form (uncompressed point, nothing behind it)',
  )

/** `sha256:` and the hexadecimal SHA-256 of `bytes`. */
export const sha256Digest = (bytes: Buffer): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/**
 * A new key pair in PEM: PKCS#8 (RFC 5958) for the private, SPKI for the public half. With a passphrase the private key is
 * encrypted (PBES2, AES-256-CBC, its key by PBKDF2; RFC 8018).
 */
export function generateKeyPair(
  algorithm: KeyAlgorithm,
  passphrase?: string,
): {
  privateKey: string
  publicKey: string
  fingerprint: Digest
} {
  const { privateKey, publicKey } =
    algorithm === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey: privateKey
      .export({
        ...{ type: 'pkcs8', format: 'pem' },
        ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
      })
      .toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    fingerprint: describeKey(publicKey).fingerprint,
  }
}

/**
 * Reads a public key: PEM (`BEGIN PUBLIC KEY`) or SPKI DER, the latter as bytes or in base64. Only P-256 and Ed25519,
 * only in the one DER form that encoders write, so that a key has exactly one fingerprint. Throws `invalid_key`.
 */
export function parsePublicKey(pemOrSpki: string | Buffer): PublicKey {
  const pem = pemText(pemOrSpki)
  if (pem === undefined) return parseSpki(pemOrSpki)
  const label = pemLabel(pem)
  if (label.endsWith('PRIVATE KEY'))
    throw new DomainError(
      'invalid_key',
      'this is a private key; give the public one (keygen writes it as .pub.pem)',
    )
  // A certificate would be read as its key by OpenSSL: nobody would look at its dates or its issuer.
  if (label !== 'PUBLIC KEY')
    throw new DomainError('invalid_key', `PEM holds "${label}", a public key was expected`)
  return describeKey(attempt(() => createPublicKey({ key: pem, format: 'pem' }), 'public'))
}

/** Whether a private key in PEM needs a passphrase. */
export const isEncrypted = (pem: string): boolean =>
  pemLabel(pem.trimStart()) === 'ENCRYPTED PRIVATE KEY' || pem.includes('Proc-Type: 4,ENCRYPTED')

/**
 * Reads a private key in PEM (PKCS#8, encrypted or not, or SEC 1 for P-256). Throws `invalid_key`, `passphrase_missing`,
 * `passphrase_wrong`.
 */
export function parsePrivateKey(pem: string, passphrase?: string): PrivateKey {
  const text = pemText(pem)
  if (text === undefined) throw new DomainError('invalid_key', 'the private key is not in PEM')
  const label = pemLabel(text)
  if (label === 'PUBLIC KEY')
    throw new DomainError(
      'invalid_key',
      'this is a public key; give the private one (ending in .pem without .pub)',
    )
  if (isEncrypted(text) && passphrase === undefined)
    throw new DomainError('passphrase_missing', 'the private key is encrypted, and no passphrase is given')
  if (!label.endsWith('PRIVATE KEY'))
    throw new DomainError('invalid_key', `PEM holds "${label}", a private key was expected`)
  const key = isEncrypted(text)
    ? decrypted(text, passphrase)
    : attempt(() => createPrivateKey({ key: text, format: 'pem' }), 'private')
  const publicKey = describeKey(createPublicKey(key))
  return { fingerprint: publicKey.fingerprint, key, publicKey }
}

function decrypted(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: 'pem', passphrase })
  } catch (cause) {
    // a wrong passphrase and a damaged file look alike: what was decrypted makes no sense
    throw new DomainError('passphrase_wrong', 'the private key is not decrypted by this passphrase', {
      cause,
    })
  }
}

function parseSpki(given: string | Buffer): PublicKey {
  const spki = typeof given === 'string' ? Buffer.from(given, 'base64') : given
  const key = describeKey(
    attempt(() => createPublicKey({ key: spki, format: 'der', type: 'spki' }), 'public'),
  )
  // Bytes behind the end would give the same key a second fingerprint.
  if (!key.spki.equals(spki)) throw notCanonical()
  return key
}

function describeKey(key: KeyObject): PublicKey {
  const algorithm = algorithmOf(key)
  const spki = key.export({ type: 'spki', format: 'der' })
  // So would a compressed point, which OpenSSL keeps as it came.
  if (
    spki.length !== SPKI_BYTES[algorithm] ||
    !spki.subarray(0, SPKI_HEAD[algorithm].length).equals(SPKI_HEAD[algorithm])
  )
    throw notCanonical()
  return { fingerprint: sha256Digest(spki), spki, key, algorithm }
}

function algorithmOf(key: KeyObject): KeyAlgorithm {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519'
  const curve = key.asymmetricKeyDetails?.namedCurve
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1') return 'p256'
  const found = [key.asymmetricKeyType, curve].filter((part) => part !== undefined).join(' ')
  throw new DomainError('invalid_key', `key type ${found} is not accepted, only P-256 and Ed25519`)
}

const pemText = (given: string | Buffer): string | undefined => {
  const text = typeof given === 'string' ? given.trimStart() : given.toString('latin1')
  return text.startsWith('-----BEGIN ') ? text : undefined
}

const pemLabel = (pem: string): string =>
  /^-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(pem)?.[1] ?? 'nothing known'

function attempt(read: () => KeyObject, half: 'public' | 'private'): KeyObject {
  try {
    return read()
  } catch (cause) {
    throw new DomainError('invalid_key', `the ${half} key cannot be read`, { cause })
  }
}
