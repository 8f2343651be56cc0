import { addressOf } from './libc.ts'

/** A field of `union bpf_attr`: offset in bytes and value. Pointers are buffers that the caller keeps alive. */
type Field =
  | readonly [offset: number, kind: 'u32', value: number]
  | readonly [offset: number, kind: 'u64', value: bigint]
  | readonly [offset: number, kind: 'pointer', value: Buffer]

/** Builds one command's attribute of `size` bytes; everything not named is zero, as the kernel demands. */
export function attr(size: number, fields: readonly Field[]): Buffer {
  const buffer = Buffer.alloc(size)
  for (const [offset, kind, value] of fields) {
    if (kind === 'u32') buffer.writeUInt32LE(value >>> 0, offset)
    else buffer.writeBigUInt64LE(kind === 'pointer' ? addressOf(value) : value, offset)
  }
  return buffer
}

/** Text as a NUL-terminated C string. */
export const cString = (text: string): Buffer => Buffer.from(`${text}\0`)

/** The text of a NUL-terminated C string in a buffer. */
export function textOf(buffer: Buffer): string {
  const end = buffer.indexOf(0)
  return buffer.toString('utf8', 0, end < 0 ? buffer.length : end)
}
