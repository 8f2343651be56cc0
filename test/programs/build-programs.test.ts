import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseManifest, requireSupported } from '../../src/domain/manifest.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { checkManifestAgainstObjects } from '../../src/elf/check-manifest.ts'
import type { BuiltProgram } from '../../tools/build-programs.ts'
import { buildStarter } from './starter-program.ts'

function build(...args: Parameters<typeof buildStarter>): BuiltProgram {
  const built = buildStarter(...args)
  onTestFinished(built.remove)
  return built
}
const objectOf = ({ dir, manifest }: BuiltProgram): Buffer =>
  readFileSync(join(dir, manifest.programs[0]?.object ?? ''))

test.each(['scrub', 'ratelimit', 'counter'])('%s builds into a folder that can be published', (name) => {
  const built = build(name)
  expect(readdirSync(built.dir).sort()).toEqual(['README.md', `${name}.bpf.o`, 'hookline.yaml'].sort())
  expect(built.files.toSorted()).toEqual(readdirSync(built.dir).sort())
  const manifest = parseManifest(readFileSync(join(built.dir, 'hookline.yaml'), 'utf8'))
  expect(manifest).toEqual(built.manifest)
  expect(manifest).toMatchObject({ name: `hookline/${name}`, version: '1.0.0', readme: 'README.md' })
  requireSupported(manifest)
  const object = readObject(objectOf(built))
  checkManifestAgainstObjects(manifest, new Map([[`${name}.bpf.o`, object]]))
  // what an operator may set and what a map means is told in full
  expect(manifest.maps.map((map) => map.name).sort()).toEqual(
    object.maps.flatMap((map) => (map.kind === 'map' ? [map.name] : [])).sort(),
  )
  expect(manifest.config.flatMap((item) => ('variable' in item ? [item.variable] : [])).sort()).toEqual(
    object.variables.map((variable) => variable.name).sort(),
  )
  for (const item of manifest.config)
    expect(readFileSync(join(built.dir, 'README.md'), 'utf8')).toContain(`| \`${item.name}\` |`)
})

test.each(['scrub', 'ratelimit', 'counter'])('%s builds to the same bytes in another folder', (name) => {
  const [first, second] = [build(name), build(name)]
  expect(first.dir).not.toBe(second.dir)
  expect(objectOf(first).equals(objectOf(second))).toBe(true)
  const text = objectOf(first).toString('latin1')
  expect(text).toContain(`${name}.bpf.c`)
  expect(text).not.toContain(process.cwd())
})

test('a version takes the place of the one in the manifest, and of nothing else', () => {
  const [plain, next] = [build('counter'), build('counter', { version: '1.1.0' })]
  const text = (built: BuiltProgram): string => readFileSync(join(built.dir, 'hookline.yaml'), 'utf8')
  expect(next.manifest).toEqual({ ...plain.manifest, version: '1.1.0' })
  expect(text(next)).toBe(text(plain).replace('version: 1.0.0', 'version: 1.1.0'))
  expect(objectOf(next).equals(objectOf(plain))).toBe(true)
})

test('a define makes another object', () => {
  const [plain, other] = [build('ratelimit'), build('ratelimit', { defines: { DEFAULT_BURST: 50 } })]
  expect(objectOf(other).equals(objectOf(plain))).toBe(false)
  expect(other.manifest).toEqual(plain.manifest)
})

test('a wrong version is refused before anything is written', () => {
  expect(() => buildStarter('counter', { version: 'v2' })).toThrow(
    expect.objectContaining({ code: 'invalid_manifest' }),
  )
})
