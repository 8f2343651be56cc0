import { expect, test } from 'vitest'
import { requireFeatures, requireKernel } from '../../src/agent/host-requirements.ts'
import { Manifest, suitedTo } from '../../src/domain/manifest.ts'
import { codeOf } from '../attest/craft.ts'

const manifest = (kernel: string | undefined): Manifest =>
  Manifest.parse({
    ...{ name: 'acme/limit', version: '1.0.0', summary: 'Test', license: 'GPL-2.0-only' },
    programs: [{ object: 'limit.bpf.o', entry: 'xdp_limit', hook: 'xdp' }],
    ...(kernel === undefined ? {} : { requires: { kernel } }),
  })

test.each([
  ['>=5.10', '6.1.0-18-amd64'],
  ['>=5.10', '5.10.0'],
  ['>=5.10', '6.18.5-generic+'],
  ['>=6.1 <7', '6.12-rc3'],
  ['5.15.x', '5.15.167.4-microsoft-standard-WSL2'],
  [undefined, 'nobody knows'],
])('a release that asks for kernel %s runs on %s', (range, kernel) => {
  expect(codeOf(() => requireKernel(manifest(range), kernel))).toBe('no error')
})

test.each([
  ['>=5.10', '5.9.16', 'kernel_too_old'],
  ['>=6.1 <7', '7.0.0', 'kernel_too_old'],
  ['>=5.10', 'nobody knows', 'kernel_too_old'],
  ['rather new', '6.1.0', 'invalid_manifest'],
])('a release that asks for kernel %s does not run on %s: %s', (range, kernel, code) => {
  expect(codeOf(() => requireKernel(manifest(range), kernel))).toBe(code)
})

test('of objects for several processors a node takes its own', () => {
  const program = (object: string, arch?: string) => ({
    ...{ object, entry: 'xdp_limit', hook: 'xdp' },
    ...(arch === undefined ? {} : { arch }),
  })
  const of = (programs: object[]) => Manifest.safeParse({ ...manifest(undefined), programs })
  const both = of([program('x64.o', 'x64'), program('arm64.o', 'arm64')])
  const objects = (arch: string): string[] =>
    suitedTo(Manifest.parse(both.data), arch).programs.map(({ object }) => object)
  expect([objects('x64'), objects('arm64')]).toEqual([['x64.o'], ['arm64.o']])
  expect(codeOf(() => objects('riscv64'))).toBe('arch_unsupported')
  expect(suitedTo(manifest(undefined), 'riscv64').programs).toHaveLength(1)
  // one node would have two of a kind
  expect(of([program('a.o', 'x64'), program('b.o', 'x64')]).success).toBe(false)
  expect(of([program('a.o'), program('b.o', 'x64')]).success).toBe(false)
  expect(of([program('a.o', 'i386')]).success).toBe(false)
})

test('a release that asks for BTF does not run on a kernel without it', () => {
  const asking = Manifest.parse({ ...manifest(undefined), requires: { features: ['btf'] } })
  expect(codeOf(() => requireFeatures(asking, { btf: false }))).toBe('kernel_too_old')
  expect(codeOf(() => requireFeatures(asking, { btf: true }))).toBe('no error')
  expect(codeOf(() => requireFeatures(manifest(undefined), { btf: false }))).toBe('no error')
})
