import { type KeyObject, sign, verify } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { canonicalBase64 } from './canonical.ts'
import type { NoteKey } from './note-key.ts'

/** A line below a note: who is said to have signed, and the bytes behind the key's id. */
interface NoteSignature {
  readonly name: string
  readonly id: Buffer
  readonly signature: Buffer
}

/** A text that ends in a newline, and its signatures, none of them checked (C2SP signed-note). */
export interface Note {
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** A key with its private half, an Ed25519 key too. */
export interface NoteSignerKey {
  readonly key: NoteKey
  readonly privateKey: KeyObject
}

/** A key that signed a note. */
export interface NoteSigner {
  readonly key: NoteKey
  /** POSIX seconds at which it did, the latest; for cosignatures only. */
  readonly time?: number
}

/**
 * Reads a note: text, an empty line, and lines `— <name> <base64 of id and signature>`. UTF-8 without control characters
 * but newlines, in the one form it can be written. Throws `log_malformed`.
 */
export function parseNote(note: string | Buffer): Note {
  if (Buffer.byteLength(note) > LIMITS.note_bytes)
    throw malformed(`it has more than ${LIMITS.note_bytes} bytes`)
  const whole = decode(note)
  const end = whole.lastIndexOf('\n\n')
  if (end < 0 || !whole.endsWith('\n'))
    throw malformed('it is not text, an empty line and lines of signatures')
  const lines = whole.slice(end + 2, -1).split('\n')
  if (lines.length > LIMITS.note_signatures)
    throw malformed(`it has more than ${LIMITS.note_signatures} signatures`)
  return { text: whole.slice(0, end + 1), signatures: lines.map(parseSignature) }
}

/** `text` with lines of signatures of one or more signers below it: what {@link signatureLine} makes. */
export const formatNote = (text: string, lines: readonly string[]): string => `${text}\n${lines.join('')}`

/**
 * Signs a text, and gives the line to stand below it. `time`, in POSIX
 * seconds, is for cosignatures and only for them. Throws `log_malformed` for a text that no note can have.
 */
export function signatureLine(text: string, { key, privateKey }: NoteSignerKey, time?: number): string {
  requireText(text)
  if ((key.type === 'cosignature') !== (time !== undefined))
    throw new TypeError('cosignatures have a time, other signatures have none')
  const signature = sign(null, signedMessage(text, time), privateKey)
  const stamp = time === undefined ? [] : [timeBytes(time)]
  return `— ${key.name} ${Buffer.concat([key.id, ...stamp, signature]).toString('base64')}\n`
}

/**
 * Checks the signatures of all `keys` that are there, and says which keys signed, each once, in the order of `keys`.
 * Signatures of others are not looked at. Throws `log_untrusted` when one that names a known key does not hold; nobody
 * having signed is the caller's to refuse.
 */
export function verifyNote({ text, signatures }: Note, keys: readonly NoteKey[]): NoteSigner[] {
  return keys.flatMap((key) => {
    const own = signatures.filter(({ name, id }) => name === key.name && id.equals(key.id))
    if (own.length === 0) return []
    const times = own.map(({ signature }) => requireSignature(text, signature, key))
    return [key.type === 'note' ? { key } : { key, time: Math.max(...times) }]
  })
}

/** The time of a signature that holds; 0 where it has none. Throws `log_untrusted`. */
function requireSignature(text: string, bytes: Buffer, key: NoteKey): number {
  const stamped = key.type === 'cosignature'
  const refused = new DomainError('log_untrusted', `a signature is not that of ${JSON.stringify(key.name)}`)
  if (bytes.length !== (stamped ? 8 : 0) + SIGNATURE_BYTES) throw refused
  const time = stamped ? bytes.readBigUInt64BE() : 0n
  if (time > Number.MAX_SAFE_INTEGER) throw refused
  const message = signedMessage(text, stamped ? Number(time) : undefined)
  if (!verify(null, message, key.key, bytes.subarray(stamped ? 8 : 0))) throw refused
  return Number(time)
}
const SIGNATURE_BYTES = 64

/** What is signed: the text, or, with a time, what no checkpoint can be taken for (C2SP tlog-cosignature). */
const signedMessage = (text: string, time: number | undefined): Buffer =>
  Buffer.from(time === undefined ? text : `cosignature/v1\ntime ${time}\n${text}`)

function timeBytes(time: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(time))
  return bytes
}

const SIGNATURE = /^— ([^\p{White_Space}+]+) ([A-Za-z0-9+/]+={0,2})$/u

function parseSignature(line: string): NoteSignature {
  const [, name, encoded] = SIGNATURE.exec(line) ?? []
  const bytes = encoded === undefined ? undefined : canonicalBase64(encoded)
  if (name === undefined || bytes === undefined || bytes.length < 5)
    throw malformed(`${JSON.stringify(line.slice(0, 100))} is no signature`)
  return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) }
}

function decode(note: string | Buffer): string {
  try {
    const text = typeof note === 'string' ? note : UTF8.decode(note)
    requireText(text)
    return text
  } catch (cause) {
    if (cause instanceof DomainError) throw cause
    throw malformed('it is not UTF-8', cause)
  }
}
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function requireText(text: string): void {
  if (!text.isWellFormed()) throw malformed('it is not Unicode')
  if (!text.endsWith('\n')) throw malformed('its last line does not end')
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) < SPACE && text[at] !== '\n') throw malformed('it has control characters')
}

/** The first character that is no control character of ASCII. */
const SPACE = 0x20

const malformed = (why: string, cause?: unknown): DomainError =>
  new DomainError('log_malformed', `signed note: ${why}`, { cause })
