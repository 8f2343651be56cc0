import { type Check, checked, failed, passed, warned } from '../domain/check.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { kernelSeries, oldestKernel } from '../domain/kernel-series.ts'
import { asksForSource, readLicenseExpression } from '../domain/license.ts'
import { type Manifest, requireSupported } from '../domain/manifest.ts'
import {
  missingPermissions,
  PERMISSIONS,
  type PermissionFinding,
  permissionsOf,
  placeText,
} from '../domain/permission.ts'
import { type BpfObject, readObject } from './bpf-object.ts'
import { chainObstacles } from './chainable.ts'
import { checkManifestAgainstObjects } from './check-manifest.ts'
import { isGplOnly, kernelOfHelper } from './helper-facts.ts'
import { helperName } from './helper-names.ts'
import { isGplCompatible } from './license.ts'
import { findPermissions } from './permissions/find-permissions.ts'
import type { BpfFunction } from './programs.ts'

/** Kernels that brought what has no helper of its own. */
const [GLOBAL_FUNCTIONS, TAIL_CALLS_BELOW, FRAGS, KERNEL_FUNCTIONS] = [5006, 5010, 5018, 6000] as const

/** What was found of a release's contents: whether they are in order, and what they can do. */
interface CheckedContents {
  readonly checks: Check[]
  /** Empty when objects cannot be read, which is a check that failed. */
  readonly findings: readonly PermissionFinding[]
}

/**
 * Checks a release's manifest against its files, as far as these tell, without a kernel: everything that keeps it out of a
 * registry, and everything that its publisher should know. Pure. `files` has all files but hookline.yaml.
 */
export function checkContents(manifest: Manifest, files: ReadonlyMap<string, Buffer>): CheckedContents {
  const checks = [
    checked('manifest', 'the manifest asks for nothing that is not supported', () =>
      requireSupported(manifest),
    ),
    checkLicence(manifest, files),
    checkFiles(manifest, files),
  ]
  const objects = new Map<string, BpfObject>()
  try {
    for (const { object } of manifest.programs) {
      const bytes = files.get(object)
      if (bytes !== undefined && !objects.has(object)) objects.set(object, readObject(bytes))
    }
    checkManifestAgainstObjects(manifest, objects)
  } catch (thrown) {
    if (!(thrown instanceof DomainError)) throw thrown
    return { checks: [...checks, failed('objects', asDomainError(thrown))], findings: [] }
  }
  const names = [...objects.keys()].join(', ')
  const used = manifest.programs.flatMap(({ object: file, entry, hook }) => {
    const object = objects.get(file)
    const program = object?.programs.find(({ name }) => name === entry)
    return object === undefined || program === undefined ? [] : [{ file, object, program, entry, hook }]
  })
  const findings = findPermissions(used)
  const found = [
    ...checks,
    passed('objects', `${names}: programs, variables and maps are as the manifest says`),
    ...checkPermissions(manifest, findings),
    ...used.flatMap(({ file, object, program, entry, hook }) =>
      chainObstacles(object, program, hook).map(({ code, message }) =>
        warned(
          'chaining',
          `${entry} of ${file} cannot be chained: ${message} [${code}]`,
          'no node would run it',
        ),
      ),
    ),
    ...used.flatMap(({ file, object, program }) => checkHelpers(file, object, program)),
    checkKernel(
      manifest,
      used.map(({ program }) => program),
    ),
    ...checkPins(objects),
  ]
  return { checks: found, findings }
}

/** What is found in the bytecode and not declared keeps a release out; what is declared for nothing, its publisher should know. */
function checkPermissions({ permissions }: Manifest, found: readonly PermissionFinding[]): Check[] {
  const names = permissionsOf(found)
  const unused = permissions.filter((name) => !names.includes(name))
  const missing = missingPermissions(permissions, found).map((finding) =>
    failed(
      'permissions',
      new DomainError(
        'permissions_undeclared',
        `${finding.entry} can ${PERMISSIONS[finding.permission].title}, but permissions has no ${finding.permission}: ${placeText(finding)}`,
      ),
    ),
  )
  return [
    ...(missing.length > 0
      ? missing
      : [passed('permissions', names.length === 0 ? 'it lets packets pass' : names.join(', '))]),
    ...(unused.length > 0
      ? [
          warned(
            'permissions',
            `permissions has ${unused.join(', ')}, which its bytecode does not need`,
            'leave out what is not needed: whoever runs it must grant it',
          ),
        ]
      : []),
  ]
}

function checkLicence({ license, source }: Manifest, files: ReadonlyMap<string, Buffer>): Check {
  const expression = readLicenseExpression(license)
  if (expression === undefined)
    return failed(
      'licence',
      new DomainError('invalid_license', `license: "${license}" is no SPDX expression`),
    )
  if (source === undefined && asksForSource(expression))
    return failed(
      'licence',
      new DomainError('source_missing', `${license} asks for the source to be offered`),
    )
  if (source !== undefined && !/^https?:/.test(source) && !files.has(source))
    return failed(
      'licence',
      new DomainError('object_mismatch', `the manifest names ${source}, which is not there`),
    )
  return passed('licence', license)
}

function checkFiles({ readme, changelog }: Manifest, files: ReadonlyMap<string, Buffer>): Check {
  const missing = [readme, changelog].find((name) => name !== undefined && !files.has(name))
  if (missing !== undefined)
    return failed(
      'files',
      new DomainError('object_mismatch', `the manifest names ${missing}, which is not there`),
    )
  return readme === undefined
    ? warned('files', 'it has no README', 'say what it does and how it is configured: `readme: README.md`')
    : passed('files', [readme, changelog].filter((name) => name !== undefined).join(', '))
}

/** What the kernel would refuse at load: helpers for GPL-compatible programs only, in one that says it is none. */
function checkHelpers(file: string, { license }: BpfObject, { name, helperIds }: BpfFunction): Check[] {
  const restricted = helperIds.filter(isGplOnly).map(helperName)
  if (restricted.length === 0 || isGplCompatible(license)) return []
  const says = license === undefined ? 'says no licence' : `says "${license}"`
  return [
    failed(
      'gpl-helpers',
      new DomainError(
        'gpl_required',
        `${name} of ${file} calls ${restricted.join(', ')}, but its object ${says}`,
      ),
    ),
  ]
}

/** The oldest kernel that knows all that is used. That it suffices is for a kernel to say. */
function checkKernel({ requires }: Manifest, programs: readonly BpfFunction[]): Check {
  const needs = programs.flatMap(({ name, helperIds, functions, tailCalls, frags, kfuncs }) => [
    ...helperIds.map((id) => ({ kernel: kernelOfHelper(id) ?? 0, what: `${helperName(id)} in ${name}` })),
    ...(functions.some(({ global }, at) => at > 0 && global)
      ? [{ kernel: GLOBAL_FUNCTIONS, what: `global functions of ${name}` }]
      : []),
    ...(tailCalls && functions.length > 1
      ? [{ kernel: TAIL_CALLS_BELOW, what: `tail calls beside subprograms of ${name}` }]
      : []),
    ...(frags ? [{ kernel: FRAGS, what: `multi-buffer packets of ${name}` }] : []),
    ...(kfuncs.length > 0 ? [{ kernel: KERNEL_FUNCTIONS, what: `kernel functions of ${name}` }] : []),
  ])
  const most = needs.reduce((a, b) => (b.kernel > a.kernel ? b : a), { kernel: 0, what: '' })
  const series = kernelSeries(most.kernel)
  if (series === undefined || oldestKernel(requires?.kernel) >= most.kernel)
    return passed('kernel', series === undefined ? 'any kernel' : `${series} or newer, as the manifest says`)
  const said =
    requires?.kernel === undefined ? 'the manifest names no kernel' : `the manifest allows ${requires.kernel}`
  return warned(
    'kernel',
    `${most.what} needs Linux ${series}; ${said}`,
    `add requires: { kernel: ">=${series}" }`,
  )
}

/** Pins by name are a loader's global names; here maps belong to an instance. */
function checkPins(objects: ReadonlyMap<string, BpfObject>): Check[] {
  const pinned = [...objects].flatMap(([file, { maps }]) =>
    maps
      .filter((map) => map.pinned)
      .map(({ name, layout, type }) => ({ file, name, shape: `${type} ${layout}` })),
  )
  const named = Map.groupBy(pinned, ({ name }) => name)
  return [...named].map(([name, [first, ...others]]) => {
    const other = others.find(({ shape }) => shape !== first?.shape)
    return other === undefined
      ? warned(
          'pins',
          `map ${name} asks to be pinned by its name; it is pinned for each instance, and shared by nobody else`,
          'whatever looks for it elsewhere finds it under the instance’s maps',
        )
      : warned(
          'pins',
          `map ${name} asks to be pinned by its name, and differs between ${first?.file} and ${other.file}`,
          'name one of them otherwise: two maps cannot be one',
        )
  })
}
