import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import { canonicalBase64 } from './canonical.ts'

/**
 * What a key's signatures are over, with the byte that stands for it: `note`, the text itself (C2SP signed-note), or
 * `cosignature`, the text with a time before it (C2SP tlog-cosignature).
 */
const SIGNATURE_TYPES = { note: 0x01, cosignature: 0x04 } as const
type SignatureType = keyof typeof SIGNATURE_TYPES

/** An Ed25519 key of a log, a witness or a recovery, with the name under which it signs. */
export interface NoteKey {
  readonly name: string
  readonly type: SignatureType
  /** The first four bytes of a hash over all the others: it says which key to try, and proves nothing. */
  readonly id: Buffer
  /** 32 bytes (RFC 8032). */
  readonly publicKey: Buffer
  readonly key: KeyObject
}

/** Names cannot hold what separates them from what follows. */
const NAME = /^[^\p{White_Space}\p{Cc}+]+$/u

/**
 * Reads a verifier key, `<name>+<id in hexadecimal>+<base64 of type and public key>`. Only Ed25519, of both types. Throws
 * `log_key_invalid`.
 */
export function parseNoteKey(text: string): NoteKey {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(text) ?? []
  const bytes = encoded === undefined ? undefined : canonicalBase64(encoded)
  const type = bytes === undefined ? undefined : signatureType(bytes[0])
  if (name === undefined || bytes === undefined || type === undefined || bytes.length !== 33)
    throw invalid(`${JSON.stringify(text)} is not name+id+base64 of an Ed25519 key`)
  const key = noteKey(name, type, bytes.subarray(1))
  if (key.id.toString('hex') !== id) throw invalid(`${JSON.stringify(text)}: the id is not that of the key`)
  return key
}

/** A key as others are told it: what {@link parseNoteKey} reads. */
export const formatNoteKey = ({ name, type, id, publicKey }: NoteKey): string =>
  `${name}+${id.toString('hex')}+${keyBytes(type, publicKey).toString('base64')}`

/** The public half of an Ed25519 key, private or public, under a name. Throws `log_key_invalid`. */
export function noteKeyOf(name: string, type: SignatureType, key: KeyObject): NoteKey {
  if (key.asymmetricKeyType !== 'ed25519') throw invalid(`the key of ${JSON.stringify(name)} is not Ed25519`)
  const { x = '' } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })
  return noteKey(name, type, Buffer.from(x, 'base64url'))
}

/** The same key under the same name for cosignatures: with it a log says when its checkpoint was the newest. */
export const asCosigner = ({ name, publicKey, key }: NoteKey): NoteKey =>
  noteKey(name, 'cosignature', publicKey, key)

/** `known` is the same key, where it was read before: reading it takes as long as checking a signature. */
function noteKey(name: string, type: SignatureType, publicKey: Buffer, known?: KeyObject): NoteKey {
  if (!NAME.test(name) || !name.isWellFormed()) throw invalid(`${JSON.stringify(name)} cannot name a key`)
  const id = hash(
    'sha256',
    Buffer.concat([Buffer.from(`${name}\n`), keyBytes(type, publicKey)]),
    'buffer',
  ).subarray(0, 4)
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }
  return { name, type, id, publicKey, key: known ?? createPublicKey({ key: jwk, format: 'jwk' }) }
}

const keyBytes = (type: SignatureType, publicKey: Buffer): Buffer =>
  Buffer.concat([Buffer.from([SIGNATURE_TYPES[type]]), publicKey])

function signatureType(byte: number | undefined): SignatureType | undefined {
  if (byte === SIGNATURE_TYPES.note) return 'note'
  return byte === SIGNATURE_TYPES.cosignature ? 'cosignature' : undefined
}

const invalid = (why: string): DomainError => new DomainError('log_key_invalid', `key: ${why}`)
