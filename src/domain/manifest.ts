import { z } from 'zod'
import { DomainError } from './errors.ts'
import { Hook, strangeVerdict, Verdict } from './hook.ts'
import { LIMITS } from './limits.ts'
import { ListConfig } from './list-config.ts'
import { type Digest, FileName, ProgramId, Version } from './names.ts'
import { Permission } from './permission.ts'
import { ScalarType } from './scalar.ts'
import { isPlainLine, NOT_PLAIN } from './shown-text.ts'
import { parseYaml } from './yaml.ts'

/** A name in an object: of an entry, a variable or a map. */
export const Identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.]{0,127}$/, 'a C identifier')

/** A configuration value: a number within ±2^53, a switch, or decimal text for the 64-bit values beyond. */
export const ConfigValue = z.union([
  z.boolean(),
  z.int(),
  z.string().regex(/^-?[0-9]{1,20}$/, 'must be a whole number, true or false, or a list of items'),
])
export type ConfigValue = z.infer<typeof ConfigValue>

/** Processors, as nodes name theirs (process.arch of Node). */
const Architecture = z.enum(['x64', 'arm64', 'riscv64', 's390x', 'ppc64', 'loong64'])

const ProgramEntry = z.strictObject({
  object: FileName,
  /** Nodes that it is for; without it, all. */
  arch: Architecture.optional(),
  entry: Identifier,
  hook: Hook,
  proceed: z.array(Verdict).max(8).optional(),
})

/** A scalar that is written into a global variable of the object before it is loaded. */
const ScalarConfig = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
  variable: Identifier,
  type: ScalarType,
  unit: z.string().max(40).optional(),
  help: z.string().max(400).optional(),
  default: ConfigValue,
  min: ConfigValue.optional(),
  max: ConfigValue.optional(),
})
export type ScalarConfig = z.infer<typeof ScalarConfig>

/** What a change does with a map: keep its content, or give it what the new configuration says. */
const MapRole = z.enum(['state', 'config', 'metric'])
export type MapRole = z.infer<typeof MapRole>

/** hookline.yaml: what a release contains and how it may be used. */
export const Manifest = z
  .strictObject({
    name: ProgramId,
    version: Version,
    summary: z.string().min(1).max(200).refine(isPlainLine, NOT_PLAIN),
    license: z.string().min(1).max(100),
    /** Where its source is: an address, or a file of the release. */
    source: z
      .string()
      .max(400)
      .refine(
        (text) => /^https?:\/\/[!-~]+$/.test(text) || FileName.safeParse(text).success,
        'is no http address, and no file name',
      )
      .optional(),
    readme: FileName.optional(),
    changelog: FileName.optional(),
    keywords: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/))
      .max(20)
      .default([]),
    programs: z.array(ProgramEntry).min(1).max(LIMITS.manifest_programs),
    maps: z
      .array(z.strictObject({ name: Identifier, role: MapRole }))
      .max(LIMITS.manifest_maps)
      .default([]),
    config: z
      .array(z.union([ScalarConfig, ListConfig]))
      .max(LIMITS.manifest_config)
      .default([]),
    metrics: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/),
          map: Identifier,
          type: z.enum(['counter', 'gauge']),
          help: z.string().max(400).optional(),
        }),
      )
      .max(LIMITS.manifest_config)
      .default([]),
    requires: z
      .strictObject({
        kernel: z.string().max(64).optional(),
        features: z.array(z.string().max(40)).max(40).default([]),
        sysctl: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
      })
      .optional(),
    /** What it can do; must cover what its bytecode is found able to. */
    permissions: z.array(Permission).max(Permission.options.length).default([]),
    limits: z.strictObject({ nsPerPacket: z.int().min(1).optional() }).optional(),
  })
  .superRefine((manifest, context) => {
    const once = (names: readonly string[], path: string): void => {
      const twice = names.find((name, at) => names.indexOf(name) !== at)
      if (twice !== undefined)
        context.addIssue({ code: 'custom', path: [path], message: `"${twice}" occurs twice` })
    }
    for (const arch of new Set(manifest.programs.map((program) => program.arch)))
      once(
        manifest.programs
          .filter((program) => program.arch === undefined || program.arch === arch)
          .map((program) => `${program.entry} on ${program.hook}`),
        'programs',
      )
    once(
      manifest.maps.map((map) => map.name),
      'maps',
    )
    once(
      manifest.config.map((item) => item.name),
      'config',
    )
    once(
      manifest.metrics.map((metric) => metric.name),
      'metrics',
    )
    once(
      manifest.config.flatMap((item) => ('map' in item ? [item.map] : [])),
      'config',
    )
    const refuse = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message })
    for (const [at, { hook, proceed = [] }] of manifest.programs.entries()) {
      const strange = strangeVerdict(hook, proceed)
      if (strange !== undefined) refuse(['programs', at, 'proceed'], strange)
    }
    for (const [at, item] of manifest.config.entries()) {
      const role = 'map' in item ? manifest.maps.find(({ name }) => name === item.map)?.role : undefined
      if (role !== undefined && role !== 'config')
        refuse(['config', at, 'map'], `the list "${item.name}" fills it, so its role is config, not ${role}`)
    }
    for (const [at, { map }] of manifest.metrics.entries())
      if (mapRole(manifest, map) === 'config')
        refuse(['metrics', at, 'map'], 'a map of role config counts nothing')
  })
export type Manifest = z.infer<typeof Manifest>

/** A map's role: what the manifest says, else config where a list fills it, else state. */
export const mapRole = (manifest: Pick<Manifest, 'maps' | 'config'>, map: string): MapRole =>
  manifest.maps.find(({ name }) => name === map)?.role ??
  (manifest.config.some((item) => 'map' in item && item.map === map) ? 'config' : 'state')

/** Reads hookline.yaml. Throws `invalid_manifest` or `too_large`. */
export const parseManifest = (text: string): Manifest =>
  parseYaml(text, Manifest, {
    code: 'invalid_manifest',
    what: 'hookline.yaml',
    maxBytes: LIMITS.manifest_bytes,
  })

/**
 * Refuses the parts of the contract that this version cannot carry out: ignoring one would run a program otherwise
 * than its publisher said. Throws `not_supported_yet`.
 */
export function requireSupported(manifest: Manifest): void {
  const refuse = (part: string): never => {
    throw new DomainError(
      'not_supported_yet',
      `${manifest.name}@${manifest.version}: ${part} is not supported yet`,
    )
  }
  for (const feature of manifest.requires?.features ?? [])
    if (feature !== 'btf') refuse(`required feature "${feature}"`)
  if (Object.keys(manifest.requires?.sysctl ?? {}).length > 0) refuse('requires.sysctl')
  if (manifest.limits?.nsPerPacket !== undefined) refuse('limits.nsPerPacket')
}

/** A manifest with the programs that are for a node's processor. Throws `arch_unsupported` when there is none. */
export function suitedTo(manifest: Manifest, arch: string): Manifest {
  const programs = manifest.programs.filter((program) => program.arch === undefined || program.arch === arch)
  if (programs.length > 0) return { ...manifest, programs }
  const known = [...new Set(manifest.programs.map((program) => program.arch))].join(', ')
  throw new DomainError(
    'arch_unsupported',
    `${manifest.name}@${manifest.version} has programs for ${known}, this node is ${arch}`,
  )
}

/** The scalar configuration of a manifest. */
export const scalarConfig = (manifest: Manifest): ScalarConfig[] =>
  manifest.config.filter((item): item is ScalarConfig => 'variable' in item)

/** The lists of a manifest. */
export const listConfig = (manifest: Manifest): ListConfig[] =>
  manifest.config.filter((item): item is ListConfig => 'map' in item)

/** Digests of the objects that a manifest names, of those that are among the files. */
export const objectDigests = (
  { programs }: Pick<Manifest, 'programs'>,
  digests: ReadonlyMap<string, Digest>,
): Map<string, Digest> => {
  const names = new Set(programs.map(({ object }) => object))
  return new Map([...digests].filter(([name]) => names.has(name)))
}
