import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { type Manifest, parseManifest } from '../../src/domain/manifest.ts'
import { compareVersions } from '../../src/domain/names.ts'
import { PROGRAMS } from '../build-programs.ts'
import { compileBpf } from '../compile-bpf.ts'
import {
  type RealProgram,
  readTemplates,
  type ShowcaseNamespace,
  type ShowcaseProgram,
  type ShowcaseVersion,
  sourceOf,
  type Template,
  type TemplateProgram,
} from './catalog.ts'
import { changelogOf, readmeOf } from './texts.ts'

const FLAGS = ['-mcpu=v3', '-Wextra']

/** The files of a release, hookline.yaml among them, and what that says. */
export interface ShowcaseRelease {
  readonly manifest: Manifest
  readonly files: ReadonlyMap<string, Buffer>
}

/** Makes the files of releases; equal sources are compiled once. */
export function releaseMaker(): (
  namespace: ShowcaseNamespace,
  program: ShowcaseProgram,
  version: ShowcaseVersion,
) => ShowcaseRelease {
  const templates = readTemplates()
  const objects = new Map<string, Buffer>()
  const compile = (source: string, defines: Readonly<Record<string, string | number>>): Buffer => {
    const key = JSON.stringify([source, defines])
    const object = objects.get(key) ?? compileBpf(source, { defines, flags: FLAGS })
    objects.set(key, object)
    return object
  }
  return ({ namespace }, program, version) => {
    const name = `${namespace}/${program.name}`
    if ('folder' in program) return realRelease(program, version, compile)
    const template = templates[program.template]
    if (template === undefined) throw new Error(`${name}: there is no template "${program.template}"`)
    return templateRelease(name, program, version, template, compile)
  }
}

type Compile = (source: string, defines: Readonly<Record<string, string | number>>) => Buffer

/** A release of programs/: an earlier version lacks what came later. */
function realRelease(
  program: RealProgram,
  { version, defines, without, withoutMetrics }: ShowcaseVersion,
  compile: Compile,
): ShowcaseRelease {
  const dir = join(PROGRAMS, program.folder)
  const yaml = parse(readFileSync(join(dir, 'hookline.yaml'), 'utf8')) as Record<string, { name: string }[]>
  const yamlText = stringify({
    ...yaml,
    ...{ version, changelog: 'CHANGELOG.md' },
    config: (yaml['config'] ?? []).filter(({ name }) => !without.includes(name)),
    metrics: (yaml['metrics'] ?? []).filter(({ name }) => !withoutMetrics.includes(name)),
  })
  const object = compile(join(dir, `${program.folder}.bpf.c`), defines)
  return {
    manifest: parseManifest(yamlText),
    files: new Map([
      ['hookline.yaml', Buffer.from(yamlText)],
      ['README.md', readFileSync(join(dir, 'README.md'))],
      ['CHANGELOG.md', Buffer.from(changelogOf(program, version))],
      [`${program.folder}.bpf.o`, object],
    ]),
  }
}

/** A release of a template with what a program and a version say differently. */
function templateRelease(
  name: string,
  program: TemplateProgram,
  version: ShowcaseVersion,
  template: Template,
  compile: Compile,
): ShowcaseRelease {
  const { hook, rebuilt, bare, items } = program
  const build = rebuilt !== undefined && compareVersions(version.version, rebuilt) >= 0 ? 2 : 1
  const inBuild = <T extends { build?: number | undefined }>(declared: readonly T[]) =>
    declared.filter((one) => (one.build ?? 1) <= build).map(({ build: _, ...one }) => one)
  const entry = `${hook === 'xdp' ? 'xdp' : 'tc'}_${program.name.replaceAll('-', '_')}`
  const object = `${program.name}.bpf.o`
  const yamlText = stringify(
    {
      ...{ name, version: version.version, summary: program.summary, license: program.license },
      ...(program.source === undefined ? {} : { source: program.source }),
      ...{ readme: 'README.md', changelog: 'CHANGELOG.md', keywords: program.keywords },
      programs: [{ object, entry, hook }],
      maps: bare ? [] : inBuild(template.maps),
      config: bare
        ? []
        : inBuild(template.config)
            .filter((item) => !version.without.includes(String(item['name'])))
            .map((item) => {
              const of = String(item['name'])
              const list = items[of]
              return {
                ...item,
                ...(list === undefined ? {} : { default: list }),
                ...program.set[of],
                ...version.set[of],
              }
            }),
      metrics: bare ? [] : inBuild(template.metrics),
      requires: { kernel: program.kernel, features: ['btf'] },
      permissions: template.permissions,
    },
    { aliasDuplicateObjects: false },
  )
  const manifest = parseManifest(yamlText)
  const defines = {
    ...{ ENTRY: entry, BUILD: build },
    ...(hook === 'xdp' ? {} : { HOOK_TC: 1 }),
    ...program.defines,
    ...version.defines,
  }
  return {
    manifest,
    files: new Map([
      ['hookline.yaml', Buffer.from(yamlText)],
      ['README.md', Buffer.from(readmeOf(program, manifest))],
      ['CHANGELOG.md', Buffer.from(changelogOf(program, version.version))],
      [object, compile(sourceOf(program.template), defines)],
    ]),
  }
}
