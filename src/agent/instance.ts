import { createHash } from 'node:crypto'
import { sha256Digest } from '../attest/keys.ts'
import { encodeScalar, resolveConfig, resolveLists } from '../domain/config.ts'
import { DomainError } from '../domain/errors.ts'
import { type FunctionSpec, type Instance, instanceName } from '../domain/function.ts'
import type { EntryRecord } from '../domain/generation.ts'
import type { ListConfig, ListItem } from '../domain/list-config.ts'
import { type Manifest, mapRole } from '../domain/manifest.ts'
import type { Digest } from '../domain/names.ts'
import { resolveProceed } from '../domain/proceed.ts'
import type { BpfObject } from '../elf/bpf-object.ts'
import { chainObstacles, kernelName } from '../elf/chainable.ts'
import { encodeItems } from '../elf/encode-item.ts'
import { isGplCompatible } from '../elf/license.ts'
import { MAP_TYPE_PROG_ARRAY } from '../elf/map-types.ts'
import { type BpfMapDefinition, mapShape } from '../elf/maps.ts'
import { arrayPrograms, tailCallsOf } from '../elf/tail-calls.ts'
import type { EntryImage, EntryMap } from '../ports/chain-kernel.ts'
import type { VerifiedRelease } from './release-source.ts'

/** An entry that is ready to be loaded, with what the agent remembers of it. */
export interface ReadyEntry {
  readonly record: EntryRecord
  readonly image: EntryImage
}

const KEY_HASH_CHARS = 16
/** Half of a SHA-256: what differs must never be taken for the same. */
const CONTENT_HASH_CHARS = 32

/**
 * The entries that an instance of a verified release places on its hooks, in the order of its manifest; pure.
 * Throws `invalid_config`, `invalid_function`, and the codes of what cannot be chained.
 */
export function entriesOf(spec: FunctionSpec, instance: Instance, release: VerifiedRelease): ReadyEntry[] {
  const { manifest } = release
  const name = instanceName(instance)
  const proceedOf = resolveProceed(manifest, instance.proceed)
  const values = resolveConfig(manifest, instance.config)
  const mapOf = mapMaker(`${spec.name}/${name}`, manifest, instance)
  return manifest.programs.map((program) => {
    const { hook, entry } = program
    const bytes = release.files.get(program.object)
    const object = release.objects.get(program.object)
    const found = object?.programs.find((candidate) => candidate.name === entry)
    if (bytes === undefined || object === undefined || found === undefined)
      throw new DomainError('object_mismatch', `${release.ref} has no ${entry} in ${program.object}`)
    const [obstacle] = chainObstacles(object, found, hook)
    if (obstacle !== undefined) throw new DomainError(obstacle.code, `${release.ref}: ${obstacle.message}`)
    const proceed = proceedOf(program)
    const image: EntryImage = {
      ...{ entry, hook, bytes, proceed, onMissing: spec.onMissing },
      license: object.license ?? '',
      gplCompatible: isGplCompatible(object.license),
      frags: found.frags,
      variables: values.flatMap((value) =>
        placeOf(object, value.variable).map((place) => ({ ...place, value: encodeScalar(value) })),
      ),
      maps: object.maps.map((map) => mapOf(program.object, map)),
      functions: found.functions,
      kernelFunctions: found.kfuncs.map(kernelName),
      btf: object.btf?.raw,
      arrayPrograms: arrayPrograms(object, found.maps),
      tailCalls: tailCallsOf(object, entry),
    }
    const made = {
      function: spec.name,
      instance: name,
      release: release.ref,
      entry,
      object: sha256Digest(bytes),
    }
    return { record: { ...made, proceed: [...proceed], spec: entrySpec(made, image) }, image }
  })
}

/** Everything that makes an entry what it is. */
function entrySpec(made: object, { hook, proceed, onMissing, variables, maps }: EntryImage): Digest {
  const values = variables.map(({ section, offset, value }) => [section, offset, value.toString('hex')])
  const kept = maps.map(({ name, stateKey }) => [name, stateKey ?? null])
  return sha256Digest(Buffer.from(JSON.stringify([made, hook, proceed, onMissing, values, kept])))
}

/** Where a variable lies; nowhere in an object of the release that does not have it. */
const placeOf = (object: BpfObject, variable: string): { section: string; offset: number }[] =>
  object.variables.filter(({ name }) => name === variable).map(({ section, offset }) => ({ section, offset }))

/**
 * Makes the maps of an instance's entries, each with the key it is kept under. Constants and arrays of programs belong to a generation. A state
 * map is carried over exactly when name, type, sizes, flags and BTF layout are equal; sections are told apart by object,
 * since two objects may have a .bss that looks the same and means something else. A configuration map is told apart by its
 * content too: equal content is one map, other content another, and what ran before is still there to go back to.
 * Throws `invalid_config`.
 */
function mapMaker(
  owner: string,
  manifest: Manifest,
  instance: Instance,
): (object: string, map: BpfMapDefinition) => EntryMap {
  const lists = resolveLists(manifest, instance.config)
  const made = new Map<string, EntryMap>() // a list of 100,000 items is encoded once, however many entries use it
  return (object, map) => {
    if (map.kind === 'rodata' || map.type === MAP_TYPE_PROG_ARRAY)
      return { name: map.name, stateKey: undefined }
    const hash = createHash('sha256').update(mapShape(map)).digest('hex').slice(0, KEY_HASH_CHARS)
    const name = (map.kind === 'map' ? map.name : `${object}:${map.name}`).replaceAll('/', '%') // one name, no folder
    const stateKey = `${owner}/${name}-${hash}`
    if (map.kind !== 'map' || mapRole(manifest, map.name) !== 'config') return { name: map.name, stateKey }
    const entryMap = made.get(stateKey) ?? configMap(stateKey, map, lists.get(map.name), manifest.name)
    made.set(stateKey, entryMap)
    return entryMap
  }
}

/** A configuration map with what it holds; no list, no items. */
function configMap(
  layoutKey: string,
  map: BpfMapDefinition,
  filled: { list: ListConfig; items: readonly ListItem[] } | undefined,
  program: string,
): EntryMap {
  const content =
    filled === undefined
      ? []
      : encodeItems(filled.list, map, filled.items, `${program}: ${filled.list.name}`).sort((a, b) =>
          a.key.compare(b.key),
        ) // the order of a list says nothing
  const hash = createHash('sha256')
  for (const { key, value } of content) hash.update(key).update(value)
  const stateKey = `${layoutKey}-${hash.digest('hex').slice(0, CONTENT_HASH_CHARS)}`
  return { name: map.name, stateKey, content }
}
