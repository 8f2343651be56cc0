import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Manifest, parseManifest } from '../src/domain/manifest.ts'
import { MANIFEST_FILE } from '../src/domain/names.ts'
import { compileBpf } from './compile-bpf.ts'

/** The starter catalog's sources, a folder each. */
export const PROGRAMS = fileURLToPath(new URL('../programs', import.meta.url))
const BUILD = fileURLToPath(new URL('../build/programs', import.meta.url))

/** Instruction set 3 (kernel 5.12): 32-bit arithmetic and jumps, and atomic compare-and-swap. */
const FLAGS = ['-mcpu=v3', '-Wextra']

/** How a program's build differs from its folder. */
export interface BuildOptions {
  /** Macros by name, such as `{ DEFAULT_BURST: 50 }`: makes another object. */
  readonly defines?: Readonly<Record<string, string | number>>
  /** Takes the place of the manifest's version. */
  readonly version?: string
  /** The folder to make; what was there is replaced. */
  readonly outDir: string
}

/** A built program: a folder that `hookline publish` takes as it is. */
export interface BuiltProgram {
  readonly dir: string
  readonly manifest: Manifest
  /** Names of the files in `dir`: manifest, README if there is one, objects. */
  readonly files: string[]
}

/**
 * Builds the program in the folder `dir` (hookline.yaml, README.md, and `x.bpf.c` for every object `x.bpf.o` that the
 * manifest names) into `outDir`. Equal sources, defines and compiler give equal bytes.
 * Throws `invalid_manifest`, and an Error with clang's output when the source does not compile.
 */
export function buildProgram(dir: string, { defines = {}, version, outDir }: BuildOptions): BuiltProgram {
  const source = readFileSync(join(dir, MANIFEST_FILE), 'utf8')
  const text = version === undefined ? source : source.replace(/^version:.*$/m, `version: ${version}`)
  const manifest = parseManifest(text)
  const files = new Map<string, string | Buffer>([[MANIFEST_FILE, text]])
  if (manifest.readme !== undefined) files.set(manifest.readme, readFileSync(join(dir, manifest.readme)))
  for (const { object } of manifest.programs)
    files.set(object, compileBpf(join(dir, object.replace(/\.o$/, '.c')), { defines, flags: FLAGS }))
  rmSync(outDir, { recursive: true, force: true })
  mkdirSync(outDir, { recursive: true })
  for (const [name, content] of files) writeFileSync(join(outDir, name), content)
  return { dir: outDir, manifest, files: [...files.keys()] }
}

if (import.meta.main) {
  const all = readdirSync(PROGRAMS).filter((name) => existsSync(join(PROGRAMS, name, MANIFEST_FILE)))
  const asked = process.argv.slice(2)
  const unknown = asked.find((name) => !all.includes(name))
  if (unknown !== undefined) {
    console.error(`no program "${unknown}" in programs/; there are: ${all.join(', ')}`)
    process.exit(2)
  }
  for (const name of asked.length > 0 ? asked : all) {
    const { dir, manifest, files } = buildProgram(join(PROGRAMS, name), { outDir: join(BUILD, name) })
    console.log(`${manifest.name}@${manifest.version}: ${files.join(', ')} in ${dir}`)
  }
}
