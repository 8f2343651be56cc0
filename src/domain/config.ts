import { DomainError } from './errors.ts'
import {
  type ConfigValue,
  type Manifest,
  type ScalarConfig,
  type ScalarType,
  scalarConfig,
} from './manifest.ts'

/** Bytes of a scalar in a global variable. */
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

/** A value ready to be written into a global variable of an object. */
export interface VariableValue {
  readonly variable: string
  readonly type: ScalarType
  readonly value: bigint
}

/**
 * The variables that an instance sets: the function's values over the manifest's defaults, each within its type and the
 * manifest's bounds. Throws `invalid_config` for an unknown name or a value out of bounds.
 */
export function resolveConfig(
  manifest: Manifest,
  given: Readonly<Record<string, ConfigValue>>,
): VariableValue[] {
  const known = scalarConfig(manifest)
  for (const name of Object.keys(given))
    if (!known.some((item) => item.name === name)) {
      const names = known.map((item) => item.name).join(', ') || 'none'
      throw new DomainError(
        'invalid_config',
        `${manifest.name} has no configuration "${name}"; it has: ${names}`,
      )
    }
  return known.map((item) => ({
    variable: item.variable,
    type: item.type,
    value: checked(
      manifest,
      item,
      Object.hasOwn(given, item.name) ? (given[item.name] ?? item.default) : item.default,
    ),
  }))
}

function checked(manifest: Manifest, item: ScalarConfig, value: ConfigValue): bigint {
  const refuse = (why: string): never => {
    throw new DomainError('invalid_config', `${manifest.name}: ${item.name} = ${value}: ${why}`)
  }
  if ((item.type === 'bool') !== (typeof value === 'boolean')) refuse(`is not of type ${item.type}`)
  const number = BigInt(value)
  const bits = BigInt(SCALAR_BYTES[item.type] * 8)
  const signed = item.type.startsWith('i')
  const low = signed ? -(1n << (bits - 1n)) : 0n
  const high = signed ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n
  if (number < low || number > high) refuse(`does not fit ${item.type}`)
  if (item.min !== undefined && number < BigInt(item.min)) refuse(`is below its minimum ${item.min}`)
  if (item.max !== undefined && number > BigInt(item.max)) refuse(`is above its maximum ${item.max}`)
  return number
}

/** The bytes of a scalar, little-endian. */
export function encodeScalar({ type, value }: VariableValue): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
  return bytes.subarray(0, SCALAR_BYTES[type])
}
