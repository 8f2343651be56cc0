import { expect, test } from 'vitest'
import { parseFunction } from '../../src/domain/function.ts'
import { functionFile } from '../../src/domain/function-file.ts'
import { Manifest } from '../../src/domain/manifest.ts'

const manifestWith = (config: object[], name = 'acme/app'): Manifest =>
  Manifest.parse({
    ...{ name, version: '1.2.0', summary: 'Counts', license: 'MIT' },
    programs: [{ object: 'one.bpf.o', entry: 'only', hook: 'xdp' }],
    config,
  })
const scalar = (name: string, type: string, value: unknown, unit?: string) => ({
  ...{ name, variable: `cfg_${name}`, type, default: value, ...(unit === undefined ? {} : { unit }) },
})

test('a function file to begin with is one, with the defaults where it is asked for', () => {
  const manifest = manifestWith([
    scalar('rate', 'u32', 100, 'packets/s'),
    scalar('mask', 'u64', '18446744073709551615'),
    scalar('strict', 'bool', true),
    scalar('true', 'u8', 1),
    {
      ...{ name: 'blocked', map: 'blocked', maxItems: 9, key: { prefix: 'cidr', 'a.b': 'string' } },
      default: [{ prefix: '10.0.0.0/8', 'a.b': 'it\'s "so": #1' }],
    },
    { ...{ name: 'none', map: 'none', maxItems: 9, key: { prefix: 'cidr' } } },
  ])
  const read = parseFunction(functionFile(manifest, true))
  expect(read.instances).toEqual([
    {
      use: 'acme/app@^1.2.0',
      config: {
        ...{ rate: 100, mask: '18446744073709551615', strict: true, true: 1, none: [] },
        blocked: [{ prefix: '10.0.0.0/8', 'a.b': 'it\'s "so": #1' }],
      },
      proceed: {},
    },
  ])
  expect(parseFunction(functionFile(manifest, false)).instances[0]?.config).toEqual({})
  expect(parseFunction(functionFile(manifestWith([], 'acme/null'), true)).name).toBe('null')
})

test('a unit begins no line of its own', () => {
  for (const unit of ['x\ninstances: []', 'x\u2028y: 1', 'x\r\ny: 1', '\u0085- a'])
    expect(
      parseFunction(functionFile(manifestWith([scalar('rate', 'u32', 7, unit)]), true)).instances[0]?.config,
    ).toEqual({
      rate: 7,
    })
})
