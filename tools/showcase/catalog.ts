import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { Role } from '../../src/domain/account.ts'
import { Hook } from '../../src/domain/hook.ts'
import { ListItems } from '../../src/domain/list-config.ts'
import { Name, Version } from '../../src/domain/names.ts'
import { ChannelName } from '../../src/domain/release.ts'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

/** Fields of configuration items that differ from their template's, by item. */
const Changes = z.record(z.string(), z.record(z.string(), z.unknown()))

const ShowcaseVersion = z.strictObject({
  version: Version,
  daysAgo: z.int(),
  changes: z.string(),
  /** Names of configuration items and metrics that came later. */
  without: z.array(z.string()).default([]),
  withoutMetrics: z.array(z.string()).default([]),
  defines: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  set: Changes.default({}),
  yanked: z.string().optional(),
  deprecated: z.string().optional(),
})
export type ShowcaseVersion = z.infer<typeof ShowcaseVersion>

const Common = {
  name: Name,
  /** Downloads of the last 90 days. */
  downloads: z.int(),
  private: z.boolean().default(false),
  deprecated: z.string().optional(),
  channels: z.record(ChannelName, Version).default({}),
  versions: z.array(ShowcaseVersion).min(1),
}

/** A program of programs/. */
const RealProgram = z.strictObject({ ...Common, folder: z.string() })

/** A program made of a template. */
const TemplateProgram = z.strictObject({
  ...Common,
  template: z.string(),
  hook: Hook,
  summary: z.string(),
  license: z.string(),
  source: z.string().optional(),
  keywords: z.array(z.string()),
  kernel: z.string(),
  defines: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  /** From this version on the later build of the template. */
  rebuilt: Version.optional(),
  /** Without the template's configuration and metrics. */
  bare: z.boolean().default(false),
  set: Changes.default({}),
  /** Defaults of lists by their names. */
  items: z.record(z.string(), ListItems).default({}),
  readme: z.string(),
})
export type TemplateProgram = z.infer<typeof TemplateProgram>
export type RealProgram = z.infer<typeof RealProgram>
export type ShowcaseProgram = RealProgram | TemplateProgram

const ShowcaseNamespace = z.strictObject({
  namespace: Name,
  owner: Name,
  members: z.record(Name, Role).default({}),
  invited: z.record(Name, Role).default({}),
  proof: z.strictObject({ kind: z.enum(['dns', 'repository']), of: z.string() }).optional(),
  programs: z.array(z.union([TemplateProgram, RealProgram])),
})
export type ShowcaseNamespace = z.infer<typeof ShowcaseNamespace>

/** What a template declares that only its later build has. */
const Built = { build: z.int().optional() }
const Template = z.strictObject({
  permissions: z.array(z.string()),
  maps: z.array(z.looseObject(Built)),
  config: z.array(z.looseObject({ ...Built, name: z.string() })),
  metrics: z.array(z.looseObject(Built)),
})
export type Template = z.infer<typeof Template>

const read = (file: string): unknown => parse(readFileSync(`${FOLDER}/${file}`, 'utf8'))

/** The namespaces of tools/showcase/catalog, by name. Throws when a file is not as the schema says. */
export function readCatalog(): ShowcaseNamespace[] {
  const files = readdirSync(`${FOLDER}/catalog`).filter((name) => name.endsWith('.yaml'))
  if (files.length === 0) throw new Error('tools/showcase/catalog is empty')
  return files.sort().map((file) => ShowcaseNamespace.parse(read(`catalog/${file}`)))
}

/** The templates by name. */
export const readTemplates = (): Record<string, Template> =>
  z.record(z.string(), Template).parse(read('templates.yaml'))

/** Path of a template's source. */
export const sourceOf = (template: string): string => `${FOLDER}/sources/${template}.bpf.c`
