import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FunctionSpec, parseFunction } from '../../src/domain/function.ts'
import { HOOKS, verdictsOf } from '../../src/domain/hook.ts'

const TEXT = readFileSync('docs/function.md', 'utf8')

test('the example of docs/function.md is sound', () => {
  const blocks = [...TEXT.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block = '']) => block)
  expect(blocks).toHaveLength(1)
  const spec = parseFunction(blocks[0] ?? '')
  expect(spec.instances.map(({ proceed }) => proceed)).toEqual([{}, { xdp_ratelimit: ['pass', 'drop'] }])
})

test('docs/function.md names every field of a function and of its instances, and every verdict', () => {
  const fields = [
    ...Object.keys(FunctionSpec.shape),
    ...Object.keys(FunctionSpec.shape.instances.unwrap().shape),
  ]
  expect(fields).toContain('proceed')
  for (const field of [...fields, ...HOOKS.flatMap(verdictsOf)]) expect(TEXT).toContain(`\`${field}\``)
})

test('what docs/function.md calls a default is one', () => {
  const spec = parseFunction(
    'kind: function\nname: edge\nselector: {}\ninterfaces: [eth0]\ninstances: [{ use: acme/limit@1 }]\n',
  )
  const { priority, allowGeneric, onMissing, onRevoke } = spec
  expect([priority, allowGeneric, onMissing, onRevoke]).toEqual([100, false, 'pass', 'previous'])
})
