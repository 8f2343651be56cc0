import { Document, isMap, isScalar, isSeq } from 'yaml'
import { Manifest } from '../domain/manifest.ts'
import { ProgramId } from '../domain/names.ts'
import { type Permission, permissionsOf } from '../domain/permission.ts'
import type { ObjectReport, ProgramReport, VariableReport } from './describe.ts'
import { spdxGuess } from './license.ts'
import { isPerCpu } from './map-types.ts'

const METRIC_NAME = /_(stats|counts?|counters?|drops|dropped|hits|passed|packets|bytes|totals?)$/
const FIRST_VERSION = '0.1.0'

/**
 * Text of a hookline.yaml for the objects of a new program: what the objects tell is filled in, what only their author
 * knows is a guess with a comment. It is a valid manifest that fits the objects. `namespace` and `version` must be
 * valid by the manifest's rules.
 */
export function draftManifest(
  reports: ObjectReport | readonly ObjectReport[],
  { namespace, version = FIRST_VERSION }: { namespace: string; version?: string },
): string {
  const objects = 'programs' in reports ? [reports] : reports
  const name = programName(objects[0]?.name ?? '')
  const maps = draftMaps(objects)
  const config = draftConfig(objects)
  const license = objects.map((object) => object.license).find((text) => text !== null) ?? null
  const manifest = {
    name: `${namespace}/${name}`,
    version,
    summary: `What ${name} does, in one line`,
    license: license === null || license === '' ? 'LicenseRef-unknown' : spdxGuess(license).slice(0, 100),
    programs: draftPrograms(objects),
    ...(maps.length > 0 ? { maps } : {}),
    ...(config.length > 0 ? { config } : {}),
    ...(objects.some((object) => object.coreRelocations > 0) ? { requires: { features: ['btf'] } } : {}),
    permissions: draftPermissions(objects),
  }
  const document = new Document(manifest)
  document.commentBefore = ' A draft from what the objects tell: go through it, then delete the comments.'
  annotate(document, {
    summary: 'what it does, in one line',
    license: `SPDX expression; the object says ${JSON.stringify(license)}. GPL alone needs source: an address, or a file`,
    programs:
      'hook (xdp, tc-ingress, tc-egress) is a guess from the section; proceed: [pass] lists the verdicts after which the chain goes on',
    maps: 'state is kept when the program changes; metric is only counted; one that a list of config fills needs no line here',
    config:
      'default is what the source says; unit, min, max and help may be added; a list that fills a map: docs/manifest.md',
    requires: 'CO-RE needs a kernel with BTF',
    permissions:
      'what the bytecode was found able to do; hookline inspect says where, docs/permissions.md what each means',
  })
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

/** `Rate_Limit.bpf.o` becomes rate-limit; a name that no program can have becomes `program`. */
function programName(file: string): string {
  const name = file
    .replace(/(\.bpf)?\.o$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 39)
    .replace(/-+$/, '')
  return ProgramId.safeParse(`draft/${name}`).success ? name : 'program'
}

/**
 * Programs of a hook; where no section tells a hook, all of them as xdp. A program of one name in several objects, such
 * as one per architecture, is drafted once.
 */
function draftPrograms(objects: readonly ObjectReport[]): object[] {
  const seen = new Set<string>()
  return hookedPrograms(objects).flatMap(({ object, program: { name, hook } }) => {
    const entry = { object, entry: name, hook: hook ?? 'xdp' }
    const key = `${entry.entry} ${entry.hook}`
    if (seen.has(key) || !valid('programs', entry)) return []
    seen.add(key)
    return [entry]
  })
}

/** Programs whose section tells a hook, with their object's name; all of them where none does. */
function hookedPrograms(objects: readonly ObjectReport[]): { object: string; program: ProgramReport }[] {
  const all = objects.flatMap(({ name, programs }) => programs.map((program) => ({ object: name, program })))
  const told = all.some(({ program }) => program.hook !== null)
  return all.filter(({ program }) => !told || program.hook !== null)
}

/** All that the drafted programs need. */
const draftPermissions = (objects: readonly ObjectReport[]): Permission[] =>
  permissionsOf(hookedPrograms(objects).flatMap(({ program }) => program.permissions))

function draftMaps(objects: readonly ObjectReport[]): object[] {
  const roles = new Map<string, string>()
  for (const map of objects.flatMap((object) => object.maps))
    if (map.kind === 'map' && valid('maps', { name: map.name, role: 'state' }))
      roles.set(map.name, isPerCpu(map.typeName) && METRIC_NAME.test(map.name) ? 'metric' : 'state')
  return [...roles].map(([name, role]) => ({ name, role }))
}

function draftConfig(objects: readonly ObjectReport[]): object[] {
  const names = new Set<string>()
  const variables = new Map<string, VariableReport>()
  for (const variable of objects.flatMap((object) => object.variables))
    if (variable.configurable && !variables.has(variable.name)) variables.set(variable.name, variable)
  return [...variables.values()].flatMap((variable) => {
    const item = {
      name: configName(variable.name, names),
      variable: variable.name,
      type: variable.type,
      default: variable.value,
    }
    if (!valid('config', item)) return []
    names.add(item.name)
    return [item]
  })
}

/** `cfg_max_rate` becomes max-rate; a number sets apart two variables of one such name. */
function configName(variable: string, taken: ReadonlySet<string>): string {
  const name = variable
    .replace(/^cfg_/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 50)
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}-${number}`
    if (!taken.has(candidate)) return candidate
  }
}

/** Whether a list of the manifest takes this item: what cannot be written in a manifest is left out of the draft. */
const valid = (list: 'programs' | 'maps' | 'config', item: object): boolean =>
  Manifest.shape[list].safeParse([item]).success

/** Puts a comment above each of the keys that the document has, and writes items of lists in braces, a line each. */
function annotate(document: Document, comments: Readonly<Record<string, string>>): void {
  if (!isMap(document.contents)) return
  for (const { key, value } of document.contents.items) {
    const text = isScalar(key) ? comments[String(key.value)] : undefined
    if (isScalar(key) && text !== undefined) key.commentBefore = ` ${text}`
    if (isMap(value)) value.flow = true
    if (isSeq(value)) for (const item of value.items) if (isMap(item)) item.flow = true
  }
}
