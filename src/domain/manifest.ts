import { z } from 'zod'
import { DomainError } from './errors.ts'
import { Hook, Verdict } from './hook.ts'
import { LIMITS } from './limits.ts'
import { FileName, ProgramId, Version } from './names.ts'
import { parseYaml } from './yaml.ts'

const Identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.]{0,127}$/, 'a C identifier')

/** Integer types of scalar configuration, as BTF describes them. */
export const ScalarType = z.enum(['u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64', 'bool'])
export type ScalarType = z.infer<typeof ScalarType>

/** A configuration value: a number within ±2^53, a switch, or decimal text for the 64-bit values beyond. */
export const ConfigValue = z.union([
  z.boolean(),
  z.int(),
  z.string().regex(/^-?[0-9]{1,20}$/, 'a whole number'),
])
export type ConfigValue = z.infer<typeof ConfigValue>

const ProgramEntry = z.strictObject({
  object: FileName,
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

/** A list that fills a map. */
const ListConfig = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
  map: Identifier,
  maxItems: z.int().min(1),
  key: z.record(Identifier, z.unknown()),
  value: z.record(Identifier, z.unknown()).optional(),
  help: z.string().max(400).optional(),
})

/** hookline.yaml: what a release contains and how it may be used. */
export const Manifest = z
  .strictObject({
    name: ProgramId,
    version: Version,
    summary: z.string().min(1).max(200),
    license: z.string().min(1).max(100),
    source: z.url({ protocol: /^https?$/ }).optional(),
    readme: FileName.optional(),
    keywords: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/))
      .max(20)
      .default([]),
    programs: z.array(ProgramEntry).min(1).max(LIMITS.manifest_programs),
    maps: z
      .array(z.strictObject({ name: Identifier, role: z.enum(['state', 'config', 'metric']) }))
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
    permissions: z.array(z.string().max(60)).max(60).default([]),
    limits: z.strictObject({ nsPerPacket: z.int().min(1).optional() }).optional(),
  })
  .superRefine((manifest, context) => {
    const once = (names: readonly string[], path: string): void => {
      const twice = names.find((name, at) => names.indexOf(name) !== at)
      if (twice !== undefined)
        context.addIssue({ code: 'custom', path: [path], message: `"${twice}" occurs twice` })
    }
    once(
      manifest.programs.map((program) => `${program.entry} on ${program.hook}`),
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
  })
export type Manifest = z.infer<typeof Manifest>

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
  for (const { hook, entry } of manifest.programs) if (hook !== 'xdp') refuse(`hook ${hook} of ${entry}`)
  for (const item of manifest.config) if ('map' in item) refuse(`list configuration "${item.name}"`)
  for (const map of manifest.maps) if (map.role === 'config') refuse(`role config of map "${map.name}"`)
  for (const feature of manifest.requires?.features ?? [])
    if (feature !== 'btf') refuse(`required feature "${feature}"`)
  if (Object.keys(manifest.requires?.sysctl ?? {}).length > 0) refuse('requires.sysctl')
  if (manifest.limits?.nsPerPacket !== undefined) refuse('limits.nsPerPacket')
}

/** The scalar configuration of a supported manifest. */
export const scalarConfig = (manifest: Manifest): ScalarConfig[] =>
  manifest.config.filter((item): item is ScalarConfig => 'variable' in item)
