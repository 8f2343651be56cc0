import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { resolveConfig, resolveLists } from '../../src/domain/config.ts'
import { parseFunction } from '../../src/domain/function.ts'
import { Manifest, parseManifest, requireSupported } from '../../src/domain/manifest.ts'

const TEXT = readFileSync('docs/manifest.md', 'utf8')
const blocks = [...TEXT.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block = '']) => block)

test('the examples of docs/manifest.md are sound, and fit each other', () => {
  const [manifest = '', spec = ''] = blocks
  const read = parseManifest(manifest)
  requireSupported(read)
  const edge = parseFunction(spec)
  const given = edge.instances[0]?.config ?? {}
  expect(resolveConfig(read, given).map(({ value }) => value)).toEqual([200n])
  expect(resolveLists(read, given).get('fl_rules')?.items).toHaveLength(2)
  expect(blocks).toHaveLength(2)
})

test('docs/manifest.md names every field of a manifest', () => {
  for (const field of Object.keys(Manifest.shape)) expect(TEXT).toContain(`\`${field}\``)
})
