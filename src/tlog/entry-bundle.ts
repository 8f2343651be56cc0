import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { TILE_WIDTH } from './tile.ts'

/** Entries, each behind its length as a big-endian uint16 (C2SP tlog-tiles). Throws `too_large` for one of 64 KiB or more. */
export function encodeBundle(entries: readonly Buffer[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > LIMITS.log_entry_bytes)
        throw new DomainError('too_large', `a log entry has more than ${LIMITS.log_entry_bytes} bytes`)
      const length = Buffer.allocUnsafe(2)
      length.writeUInt16BE(entry.length)
      return [length, entry]
    }),
  )
}

/**
 * The first `width` entries of a bundle, as parts of `bytes`. It holds just these, or, being full by now, 256. Throws
 * `log_malformed`.
 */
export function decodeBundle(bytes: Buffer, width: number): Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const start = at + 2
    const end = start <= bytes.length ? start + bytes.readUInt16BE(at) : start
    if (end > bytes.length) throw malformed(`a bundle ends within its entry ${entries.length}`)
    if (entries.length === TILE_WIDTH) throw malformed(`a bundle holds more than ${TILE_WIDTH} entries`)
    entries.push(bytes.subarray(start, end))
    at = end
  }
  if (entries.length !== width && entries.length !== TILE_WIDTH)
    throw malformed(`a bundle holds ${entries.length} entries, not ${width}`)
  return entries.slice(0, width)
}

const malformed = (why: string): DomainError => new DomainError('log_malformed', `log: ${why}`)
