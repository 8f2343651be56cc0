import { DomainError } from './errors.ts'
import type { ListConfig, ListItem } from './list-config.ts'
import { type ConfigValue, listConfig, type Manifest, type ScalarConfig, scalarConfig } from './manifest.ts'
import { littleEndian, SCALAR_BYTES, type ScalarType, scalarRange } from './scalar.ts'

/** A value ready to be written into a global variable of an object. */
export interface VariableValue {
  readonly variable: string
  readonly type: ScalarType
  readonly value: bigint
}

/** Configuration as a function gives it: scalars and lists by name. */
type GivenConfig = Readonly<Record<string, ConfigValue | readonly ListItem[]>>

/**
 * The variables that an instance sets: the function's values over the manifest's defaults, each within its type and the
 * manifest's bounds. Throws `invalid_config` for an unknown name, a list, or a value out of bounds.
 */
export function resolveConfig(manifest: Manifest, given: GivenConfig): VariableValue[] {
  for (const name of Object.keys(given))
    if (!manifest.config.some((item) => item.name === name)) {
      const names = manifest.config.map((item) => item.name).join(', ') || 'none'
      throw new DomainError(
        'invalid_config',
        `${manifest.name} has no configuration "${name}"; it has: ${names}`,
      )
    }
  return scalarConfig(manifest).map((item) => {
    const value = ownOf(given, item.name) ?? item.default
    if (typeof value === 'object')
      throw new DomainError('invalid_config', `${manifest.name}: ${item.name} is one value, not a list`)
    return { variable: item.variable, type: item.type, value: checked(manifest, item, value) }
  })
}

/**
 * The lists of an instance by the maps that they fill: the function's items over the manifest's defaults, else none.
 * Throws `invalid_config` for a value that is no list, or too many items.
 */
export function resolveLists(
  manifest: Manifest,
  given: GivenConfig,
): Map<string, { list: ListConfig; items: readonly ListItem[] }> {
  return new Map(
    listConfig(manifest).map((list) => {
      const items = ownOf(given, list.name) ?? list.default ?? []
      if (typeof items !== 'object')
        throw new DomainError('invalid_config', `${manifest.name}: ${list.name} is a list, not one value`)
      if (items.length > list.maxItems)
        throw new DomainError(
          'invalid_config',
          `${manifest.name}: ${list.name} has ${items.length} items, at most ${list.maxItems}`,
        )
      return [list.map, { list, items }]
    }),
  )
}

/** A name that a stranger chose may be that of something every object inherits. */
const ownOf = <T>(record: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined

function checked(manifest: Manifest, item: ScalarConfig, value: ConfigValue): bigint {
  const refuse = (why: string): never => {
    throw new DomainError('invalid_config', `${manifest.name}: ${item.name} = ${value}: ${why}`)
  }
  if ((item.type === 'bool') !== (typeof value === 'boolean')) refuse(`is not of type ${item.type}`)
  const number = BigInt(value)
  const { low, high } = scalarRange(item.type)
  if (number < low || number > high) refuse(`does not fit ${item.type}`)
  if (item.min !== undefined && number < BigInt(item.min)) refuse(`is below its minimum ${item.min}`)
  if (item.max !== undefined && number > BigInt(item.max)) refuse(`is above its maximum ${item.max}`)
  return number
}

/** The bytes of a scalar, little-endian. */
export const encodeScalar = ({ type, value }: VariableValue): Buffer =>
  littleEndian(value, SCALAR_BYTES[type])
