import { DomainError } from '../domain/errors.ts'
import { encodeField } from '../domain/field.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ListConfig, type ListItem, requireMembers } from '../domain/list-config.ts'
import { type FieldPlace, listLayout } from './list-layout.ts'
import type { BpfMapDefinition } from './maps.ts'

/** An element of a map, in the map's own sizes. */
export interface MapItem {
  readonly key: Buffer
  readonly value: Buffer
}

/**
 * The elements that a list's items make in its map, in the items' order. Bytes of members that the list does not name are zero.
 * `what` names the list in messages; an item is named by its index. Throws `invalid_config` for an item that does not fit,
 * a key that occurs twice or more bytes than `LIMITS.list_bytes`, and `object_mismatch` for a map that the list cannot fill.
 */
export function encodeItems(
  list: ListConfig,
  map: BpfMapDefinition,
  items: readonly ListItem[],
  what: string,
): MapItem[] {
  const { key: keyPlaces, value: valuePlaces } = listLayout(list, map)
  const bytes = items.length * (map.keySize + map.valueSize)
  if (bytes > LIMITS.list_bytes)
    throw new DomainError(
      'invalid_config',
      `${what}: ${items.length} items have ${bytes} bytes, a list at most ${LIMITS.list_bytes}`,
    )
  const seen = new Map<string, number>()
  return items.map((item, at) => {
    const name = `${what}[${at}]`
    requireMembers(list, item, name)
    const key = encodePart(keyPlaces, item, map.keySize, name)
    const text = key.toString('latin1')
    const before = seen.get(text)
    if (before !== undefined)
      throw new DomainError('invalid_config', `${name} has the same key as ${what}[${before}]`)
    seen.set(text, at)
    if (map.typeName === 'array' && key.readUInt32LE() >= map.maxEntries)
      throw new DomainError(
        'invalid_config',
        `${name}: index ${key.readUInt32LE()} is behind the array's last, ${map.maxEntries - 1}`,
      )
    return { key, value: encodePart(valuePlaces, item, map.valueSize, name) }
  })
}

function encodePart(places: readonly FieldPlace[], item: ListItem, size: number, what: string): Buffer {
  const bytes = Buffer.alloc(size)
  for (const { member, type, offset, size: room } of places) {
    const value = item[member]
    if (value === undefined) continue
    const refuse = (why: string): never => {
      throw new DomainError('invalid_config', `${what}: ${member} = ${JSON.stringify(value)} ${why}`)
    }
    const field = encodeField(type, value, room, refuse)
    if (room === size) return field
    bytes.set(field, offset)
  }
  return bytes
}
