import { z } from 'zod'

/** Integer types of configuration, as BTF describes them. */
export const ScalarType = z.enum(['u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64', 'bool'])
export type ScalarType = z.infer<typeof ScalarType>

/** Bytes of a scalar in memory. */
export const SCALAR_BYTES: Record<ScalarType, 1 | 2 | 4 | 8> = {
  u8: 1,
  i8: 1,
  bool: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
}

/** The lowest and highest number that a scalar holds. */
export function scalarRange(type: ScalarType): { low: bigint; high: bigint } {
  if (type === 'bool') return { low: 0n, high: 1n }
  const bits = BigInt(SCALAR_BYTES[type] * 8)
  return type.startsWith('i')
    ? { low: -(1n << (bits - 1n)), high: (1n << (bits - 1n)) - 1n }
    : { low: 0n, high: (1n << bits) - 1n }
}

/** The bytes of a number of 64 bits at most, little-endian, in `size` bytes; higher bits are left out. */
export function littleEndian(value: bigint, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  if (size === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
  else bytes.writeUIntLE(Number(BigInt.asUintN(size * 8, value)), 0, size)
  return bytes
}
