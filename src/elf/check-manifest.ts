import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ListConfig } from '../domain/list-config.ts'
import { listConfig, type Manifest, type ScalarConfig, scalarConfig } from '../domain/manifest.ts'
import type { BpfObject } from './bpf-object.ts'
import { encodeItems } from './encode-item.ts'
import type { BpfMapDefinition } from './maps.ts'

/**
 * Refuses a manifest that names what its objects do not have. `objects` are the object files of the release by file
 * name. A variable or map may be in any of the objects that the programs use, and fits in each that has it. Throws
 * `entry_not_found`, `object_mismatch`, or `invalid_config` for a default that does not fit.
 */
export function checkManifestAgainstObjects(
  manifest: Manifest,
  objects: ReadonlyMap<string, BpfObject>,
): void {
  const used = new Map<string, BpfObject>()
  for (const { object: file, entry } of manifest.programs) {
    const object = objects.get(file) ?? mismatch(`the release has no object file "${file}"`)
    used.set(file, object)
    if (!object.programs.some((program) => program.name === entry)) {
      const names = object.programs.map((program) => program.name).join(', ')
      throw new DomainError('entry_not_found', `${file} has no program "${entry}"; it has: ${names}`)
    }
  }
  for (const item of scalarConfig(manifest)) checkVariable(item, used)
  for (const map of manifest.maps) requireMap(map.name, 'map', used)
  for (const metric of manifest.metrics) requireMap(metric.map, `metric "${metric.name}": map`, used)
  for (const list of listConfig(manifest))
    for (const { map } of requireMap(list.map, `configuration "${list.name}": map`, used))
      checkList(list, map)
}

function mismatch(why: string): never {
  throw new DomainError('object_mismatch', why)
}

/** A value is written over the variable's bytes before the load: place, type and size must be what the manifest says. */
function checkVariable(item: ScalarConfig, objects: ReadonlyMap<string, BpfObject>): void {
  let found = false
  for (const [file, object] of objects) {
    const variable = object.variables.find((each) => each.name === item.variable)
    if (variable === undefined) continue
    found = true
    const what = `configuration "${item.name}": ${item.variable} of ${file}`
    if (variable.section !== '.rodata' && !variable.section.startsWith('.rodata.'))
      mismatch(`${what} is in section ${variable.section}; declare it \`const volatile\``)
    if (variable.type !== item.type)
      mismatch(`${what} is ${variable.type ?? `no scalar (${variable.size} bytes)`}, not ${item.type}`)
    if (!variable.volatile)
      mismatch(
        `${what} is not volatile: the compiler has used its value already; declare it \`const volatile\``,
      )
  }
  if (!found) mismatch(`configuration "${item.name}": no object has a global variable ${item.variable}`)
}

/** Two objects of a release may share a map of one name; then both must mean the same by its bytes. */
function requireMap(
  name: string,
  what: string,
  objects: ReadonlyMap<string, BpfObject>,
): { file: string; map: BpfMapDefinition }[] {
  const found = [...objects].flatMap(([file, object]) =>
    object.maps.filter((map) => map.kind === 'map' && map.name === name).map((map) => ({ file, map })),
  )
  const [first] = found
  if (first === undefined) mismatch(`${what} "${name}" is in no object`)
  const other = found.find(({ map }) => map.layout !== first.map.layout || map.type !== first.map.type)
  if (other !== undefined) mismatch(`${what} "${name}" differs between ${first.file} and ${other.file}`)
  return found
}

/** The members that a list names must be there and take their types, and its defaults must fit. */
function checkList(list: ListConfig, map: BpfMapDefinition): void {
  const bytes = list.maxItems * (map.keySize + map.valueSize)
  if (bytes > LIMITS.list_bytes)
    mismatch(
      `configuration "${list.name}": ${list.maxItems} items of map ${map.name} have ${bytes} bytes, a list at most ${LIMITS.list_bytes}`,
    )
  encodeItems(list, map, list.default ?? [], `configuration "${list.name}": default`)
}
