import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compileBpf } from '../../test/support/compile-bpf.ts'
import { type SeedObject, seedObject } from './object-fields.ts'

const SOURCES = fileURLToPath(new URL('../../test/elf/sources/', import.meta.url))

/** Compiles the reader's own test sources, and one each without BTF and in the other byte order. Throws without clang. */
export function compileSeeds(): SeedObject[] {
  const sources = readdirSync(SOURCES)
    .filter((name) => name.endsWith('.bpf.c'))
    .sort()
    .map((name) => SOURCES + name)
  const [first] = sources
  if (first === undefined) throw new Error(`no sources in ${SOURCES}`)
  const objects = sources.map((source) => compileBpf(source))
  return [
    // most changes are to be made where they get past the first checks
    ...[objects, objects, objects].flat(),
    compileBpf(first, { debug: false }),
    compileBpf(first, { target: 'bpfeb' }),
  ].map(seedObject)
}
