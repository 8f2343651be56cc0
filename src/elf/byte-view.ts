import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

/** Bytes that are read with bounds. `what` names them in messages; a read outside of them has the code `code`. */
export interface ByteView {
  readonly bytes: Buffer
  readonly what: string
  readonly code: 'elf_malformed' | 'btf_malformed'
}

function checked(view: ByteView, offset: number, size: number): number {
  if (offset >= 0 && size >= 0 && offset + size <= view.bytes.length) return offset
  throw new DomainError(
    view.code,
    `${view.what}: bytes ${offset} to ${offset + size} are outside of its ${view.bytes.length} bytes`,
  )
}

/** The unsigned byte at `offset`. Throws the view's code when it is outside. */
export const u8 = (view: ByteView, offset: number): number => view.bytes.readUInt8(checked(view, offset, 1))

/** The little-endian 16-bit number at `offset`. Throws the view's code when it is outside. */
export const u16 = (view: ByteView, offset: number): number =>
  view.bytes.readUInt16LE(checked(view, offset, 2))

/** The little-endian 32-bit number at `offset`. Throws the view's code when it is outside. */
export const u32 = (view: ByteView, offset: number): number =>
  view.bytes.readUInt32LE(checked(view, offset, 4))

/** The little-endian signed 32-bit number at `offset`. Throws the view's code when it is outside. */
export const i32 = (view: ByteView, offset: number): number =>
  view.bytes.readInt32LE(checked(view, offset, 4))

/**
 * The little-endian 64-bit number at `offset`. No offset or size in a file comes near 2^53: a larger one could only be
 * meant to wrap, and throws the view's code, as one outside does.
 */
export function u64(view: ByteView, offset: number): number {
  const value = view.bytes.readBigUInt64LE(checked(view, offset, 8))
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new DomainError(view.code, `${view.what}: the number ${value} at byte ${offset} is absurd`)
  return Number(value)
}

/** `size` bytes of the view from `offset`, without copying. Throws the view's code when they are not all inside. */
export function part(view: ByteView, offset: number, size: number, what: string): ByteView {
  const start = checked(view, offset, size)
  return { bytes: view.bytes.subarray(start, start + size), what, code: view.code }
}

const PRINTABLE = /^[\x20-\x7e]*$/

/**
 * The NUL-terminated name at `offset` of a string table. Throws the view's code when it has no end within
 * LIMITS.elf_name_bytes, or has characters that could forge terminal output.
 */
export function nameAt(strings: ByteView, offset: number): string {
  const start = checked(strings, offset, 1)
  const room = strings.bytes.subarray(start, start + LIMITS.elf_name_bytes + 1)
  const length = room.indexOf(0)
  if (length < 0)
    throw new DomainError(
      strings.code,
      `${strings.what}: the name at byte ${offset} has no end within ${LIMITS.elf_name_bytes} bytes`,
    )
  const name = room.toString('latin1', 0, length)
  if (!PRINTABLE.test(name))
    throw new DomainError(strings.code, `${strings.what}: the name at byte ${offset} is not printable ASCII`)
  return name
}
