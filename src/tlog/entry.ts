import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { EntryHead, isKnownEntry, LogEntry } from '../domain/log-entry.ts'
import type { Digest } from '../domain/names.ts'
import { parseWith } from '../domain/yaml.ts'

/** An entry of a kind, or in a form, that a later version brought: it is a leaf like any, and means nothing here. */
export interface OpaqueEntry {
  readonly kind: 'opaque'
  readonly head: Pick<EntryHead, 'v' | 'kind' | 'at'>
  readonly bytes: Buffer
}

/**
 * The bytes of an entry: JSON as RFC 8785 writes it (keys sorted, no spaces), so that one entry has one leaf hash. Throws
 * `log_entry_invalid`, also for more than 65,535 bytes.
 */
export function encodeEntry(entry: LogEntry): Buffer {
  const bytes = Buffer.from(canonicalJson(parseWith(LogEntry, entry, 'log_entry_invalid', 'log entry')))
  requireSize(bytes)
  return bytes
}

/**
 * Reads an entry of a log: only in the form that {@link encodeEntry} writes, with no unknown field where the kind is
 * known. Throws `log_entry_invalid`.
 */
export function parseEntry(bytes: Buffer): LogEntry | OpaqueEntry {
  requireSize(bytes)
  const value = parseCanonical(bytes)
  // an audit reads millions: the head is looked at by itself only where it is all that is known
  if (typeof value === 'object' && value !== null && isKnownEntry(value))
    return parseWith(LogEntry, value, 'log_entry_invalid', 'log entry')
  const { v, kind, at } = parseWith(EntryHead, value, 'log_entry_invalid', 'log entry')
  return { kind: 'opaque', head: { v, kind, at }, bytes }
}

/** Bytes of a salt: nobody guesses it, and with it nobody can try entries until one fits. */
export const SALT_BYTES = 32

/**
 * The entry that stands in the log for one about a private program. Who is given `salt` (32 random bytes, new for each)
 * and the hidden entry can check that it was logged; nobody else learns even its kind. Throws `log_entry_invalid`.
 */
export const hideEntry = (entry: LogEntry, salt: Buffer): LogEntry => ({
  v: 1,
  kind: 'private',
  at: entry.at,
  commitment: commitment(encodeEntry(entry), salt),
})

/** Whether an entry of the log stands for `entry`. Throws `log_entry_invalid` as {@link hideEntry}. */
export const hides = (logged: LogEntry | OpaqueEntry, entry: LogEntry, salt: Buffer): boolean =>
  logged.kind === 'private' &&
  logged.at === entry.at &&
  logged.commitment === commitment(encodeEntry(entry), salt)

/** The salt has a fixed length, so that no other salt and entry are the same bytes. */
function commitment(entry: Buffer, salt: Buffer): Digest {
  if (salt.length !== SALT_BYTES) throw invalid(`the salt has not ${SALT_BYTES} bytes`)
  return `sha256:${hash('sha256', Buffer.concat([COMMITMENT, salt, entry]), 'hex')}`
}
const COMMITMENT = Buffer.from('hookline-log-commitment/v1\n')

/** RFC 8785, for what JSON.parse gives: keys by their UTF-16 code units, numbers and strings as JSON.stringify writes them. */
function canonicalJson(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (depth === LIMITS.log_entry_depth) throw tooDeep()
  if (Array.isArray(value)) return `[${value.map((part) => canonicalJson(part, depth + 1)).join(',')}]`
  const parts = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, part]) => `${JSON.stringify(key)}:${canonicalJson(part, depth + 1)}`)
  return `{${parts.join(',')}}`
}

/**
 * Reads JSON that is written as RFC 8785 has it. A key that stands twice is lost in the value, so that no text with one is written
 * like it; bytes that are no UTF-8 are in no text at all.
 */
function parseCanonical(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw invalid('it is not UTF-8')
  const text = bytes.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new DomainError('log_entry_invalid', 'log entry: it is not JSON', { cause })
  }
  // written as it was read, with its keys in order, it is canonical; else it may be all the same: numbers are keys of their own order
  const isCanonical = (isSorted(value) && JSON.stringify(value) === text) || canonicalJson(value) === text
  if (!isCanonical) throw invalid('it is not canonical JSON')
  return value
}

/** Whether the keys of all objects stand in order. Throws `log_entry_invalid` for what is too deep. */
function isSorted(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === LIMITS.log_entry_depth) throw tooDeep()
  if (Array.isArray(value)) return value.every((part) => isSorted(part, depth + 1))
  let last: string | undefined
  for (const [key, part] of Object.entries(value)) {
    if ((last !== undefined && last > key) || !isSorted(part, depth + 1)) return false
    last = key
  }
  return true
}

function requireSize({ length }: Buffer): void {
  if (length > LIMITS.log_entry_bytes) throw invalid(`it has more than ${LIMITS.log_entry_bytes} bytes`)
}

const tooDeep = (): DomainError => invalid(`it is deeper than ${LIMITS.log_entry_depth} levels`)

const invalid = (why: string): DomainError => new DomainError('log_entry_invalid', `log entry: ${why}`)
