import { type FieldType, fieldText } from '../domain/field.ts'
import { DEFAULT_PROCEED } from '../domain/hook.ts'
import { type Manifest, mapRole } from '../domain/manifest.ts'
import { MANIFEST_FILE } from '../domain/names.ts'
import type { ReleaseFile } from '../domain/release.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import type { ObjectReport } from './describe.ts'
import { MAP_TYPE_PROG_ARRAY } from './map-types.ts'
import { mapShape } from './maps.ts'

/** What is compared of a release. */
export interface ComparedRelease {
  readonly manifest: Manifest
  readonly signer: Signer
  readonly files: readonly ReleaseFile[]
  /** Reports of its objects by file name, those that there are. */
  readonly objects: ReadonlyMap<string, ObjectReport>
}

/** Something that is not as it was: text of before and after, undefined where it was not there. */
export interface Change {
  readonly what: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** A map that is not as it was. */
export interface MapChange extends Change {
  /**
   * What becomes of its content in an instance that goes from the one to the other. `filled`: it holds what the configuration,
   * or the object, says, then as now.
   */
  readonly content: 'new' | 'kept' | 'lost' | 'filled'
}

/** What is different between two releases of a program; empty lists where nothing is. */
export interface ReleaseComparison {
  readonly signer: Change | undefined
  /** Single fields of the manifest. */
  readonly fields: readonly Change[]
  readonly entries: readonly Change[]
  readonly maps: readonly MapChange[]
  readonly config: readonly Change[]
  readonly metrics: readonly Change[]
  /** Helpers that one of them calls, and the other does not. */
  readonly helpers: readonly Change[]
  /** Files by digest, hookline.yaml left out: it is never the same. */
  readonly files: readonly Change[]
  /** All files together, in bytes. */
  readonly size: { readonly before: number; readonly after: number }
  /** Whether all objects of both could be read; without, maps and helpers may lack some. */
  readonly whole: boolean
}

/** Compares two releases of a program by what their manifests and objects say. Pure. */
export function compareReleases(before: ComparedRelease, after: ComparedRelease): ReleaseComparison {
  const [signer] = changes(before, after, (release) => [['signer', signerText(release.signer)]])
  const sizeOf = ({ files }: ComparedRelease): number => files.reduce((sum, { size }) => sum + size, 0)
  return {
    signer,
    fields: changes(before, after, ({ manifest }) => fieldsOf(manifest)),
    entries: changes(before, after, entriesOf),
    maps: mapChanges(before, after),
    config: changes(before, after, ({ manifest }) =>
      manifest.config.map((item) => [item.name, configText(item)]),
    ),
    metrics: changes(before, after, ({ manifest }) =>
      manifest.metrics.map(({ name, map, type }) => [name, `${type} in ${map}`]),
    ),
    helpers: changes(before, after, (release) => helpersOf(release).map((name) => [name, 'called'])),
    files: changes(before, after, ({ files }) =>
      files.filter(({ name }) => name !== MANIFEST_FILE).map(({ name, digest }) => [name, digest]),
    ),
    size: { before: sizeOf(before), after: sizeOf(after) },
    whole: isWhole(before) && isWhole(after),
  }
}

/** Where the texts of two releases differ: in the order of the one after, then what is gone. */
function changes(
  before: ComparedRelease,
  after: ComparedRelease,
  textsOf: (release: ComparedRelease) => readonly (readonly [string, string])[],
): Change[] {
  const [old, now] = [new Map(textsOf(before)), new Map(textsOf(after))]
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((what) => {
    const [was, is] = [old.get(what), now.get(what)]
    return was === is ? [] : [{ what, before: was, after: is }]
  })
}

function fieldsOf({
  summary,
  license,
  source,
  keywords,
  requires,
  permissions,
}: Manifest): [string, string][] {
  const fields: [string, string | undefined][] = [
    ['summary', summary],
    ['licence', license],
    ['source', source],
    ['keywords', keywords.join(', ')],
    ['kernel', requires?.kernel],
    ['features', requires?.features.join(', ')],
    ['permissions', permissions.join(', ')],
  ]
  return fields.filter((field): field is [string, string] => field[1] !== undefined && field[1] !== '')
}

const entriesOf = ({ manifest, objects }: ComparedRelease): [string, string][] =>
  manifest.programs.map(({ object, arch, entry, hook, proceed }) => {
    const code = objects.get(object)?.programs.find(({ name }) => name === entry)
    return [
      `${entry} on ${hook}${arch === undefined ? '' : ` for ${arch}`}`,
      [
        object,
        `goes on after ${(proceed ?? DEFAULT_PROCEED[hook]).join(', ') || 'nothing'}`,
        ...(code === undefined ? [] : [`${code.instructions} instructions`]),
      ].join(', '),
    ]
  })

type MapReport = ObjectReport['maps'][number]

/** Maps that keep something, by name; sections of variables are told apart by their object. Constants are no state. */
function mapsOf({ objects }: ComparedRelease): Map<string, MapReport> {
  const maps = [...objects].flatMap(([object, report]) =>
    report.maps.flatMap((map): [string, MapReport][] =>
      map.kind === 'rodata' ? [] : [[map.kind === 'map' ? map.name : `${map.name} of ${object}`, map]],
    ),
  )
  return new Map(maps)
}

const mapText = ({ typeName, keySize, valueSize, maxEntries }: MapReport, role: string): string =>
  `${role}: ${typeName}, ${maxEntries} entries, ${keySize} → ${valueSize} bytes`

function mapChanges(before: ComparedRelease, after: ComparedRelease): MapChange[] {
  const [old, now] = [mapsOf(before), mapsOf(after)]
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((what) => {
    const [was, is] = [old.get(what), now.get(what)]
    const text = (map: MapReport | undefined, { manifest }: ComparedRelease): string | undefined =>
      map && mapText(map, mapRole(manifest, map.name))
    const change = { what, before: text(was, before), after: text(is, after) }
    const content = contentOf(was, is, after)
    return change.before === change.after && content !== 'lost' ? [] : [{ ...change, content }]
  })
}

function contentOf(
  was: MapReport | undefined,
  is: MapReport | undefined,
  { manifest }: ComparedRelease,
): MapChange['content'] {
  if (was === undefined) return 'new'
  if (is === undefined) return 'lost'
  const given =
    is.type === MAP_TYPE_PROG_ARRAY || (is.kind === 'map' && mapRole(manifest, is.name) === 'config')
  if (given) return 'filled'
  return mapShape(was) === mapShape(is) ? 'kept' : 'lost'
}

function configText(item: Manifest['config'][number]): string {
  if (!('map' in item)) {
    const { type, unit, min, max } = item
    const bounds = min === undefined && max === undefined ? '' : `, ${min ?? '…'} to ${max ?? '…'}`
    return `${type}${unit === undefined ? '' : ` in ${unit}`}, ${item.default} by default${bounds}`
  }
  const members = (fields: Readonly<Record<string, FieldType>>): string =>
    Object.entries(fields)
      .map(([name, type]) => `${name}: ${fieldText(type)}`)
      .join(', ')
  const value = item.value === undefined ? '' : ` → { ${members(item.value)} }`
  const items = item.default?.length ?? 0
  return `list of { ${members(item.key)} }${value}, at most ${item.maxItems} items, ${items} by default`
}

/** The helpers that the entries of a release reach. */
function helpersOf({ manifest, objects }: ComparedRelease): string[] {
  const names = manifest.programs.flatMap(
    ({ object, entry }) => objects.get(object)?.programs.find(({ name }) => name === entry)?.helpers ?? [],
  )
  return [...new Set(names)].sort()
}

const isWhole = ({ manifest, objects }: ComparedRelease): boolean =>
  manifest.programs.every(({ object }) => objects.has(object))
