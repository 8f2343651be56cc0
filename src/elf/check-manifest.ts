import { DomainError } from '../domain/errors.ts'
import { type Manifest, type ScalarConfig, scalarConfig } from '../domain/manifest.ts'
import type { BpfObject } from './bpf-object.ts'

/**
 * Refuses a manifest that names what its objects do not have. `objects` are the object files of the release by file
 * name. A variable or map may be in any of the objects that the programs use, and fits in each that has it. Throws
 * `entry_not_found` or `object_mismatch`.
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
  for (const item of manifest.config)
    if ('map' in item) requireMap(item.map, `configuration "${item.name}": map`, used)
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
function requireMap(name: string, what: string, objects: ReadonlyMap<string, BpfObject>): void {
  const found = [...objects].flatMap(([file, object]) =>
    object.maps.filter((map) => map.kind === 'map' && map.name === name).map((map) => ({ file, map })),
  )
  const [first] = found
  if (first === undefined) mismatch(`${what} "${name}" is in no object`)
  const other = found.find(({ map }) => map.layout !== first.map.layout || map.type !== first.map.type)
  if (other !== undefined) mismatch(`${what} "${name}" differs between ${first.file} and ${other.file}`)
}
