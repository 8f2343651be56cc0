import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dropEntry } from '../../src/agent/drop-entry.ts'
import type { Hook } from '../../src/domain/hook.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { createPercpuArray, u32, updateElement } from '../../src/kernel/bpf-map.ts'
import { loadXdpProgram } from '../../src/kernel/bpf-program.ts'
import { pin, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { verdict } from '../bytecode/assembler.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { bpfDescriptors } from './descriptors.ts'
import { examinedChains } from './examined-chains.ts'

describeAsRoot('examining a chain', () => {
  const { folder, maps, image, build, compare } = examinedChains('examiner')

  const TC = ['tc-calls', 'tc-maps', 'tc-verdicts']
  const chains: [string, Hook, 'tcx' | 'clsact', string[]][] = [
    ['variables, calls and maps', 'xdp', 'tcx', ['globals', 'calls', 'maps']],
    ['types of the kernel, and its configuration', 'xdp', 'tcx', ['core', 'kconfig', 'exits']],
    ['callbacks and arrays of programs', 'xdp', 'tcx', ['callback', 'jump-fixed', 'verdict']],
    ['TC, by TCX', 'tc-ingress', 'tcx', TC],
    ['TC, by clsact', 'tc-egress', 'clsact', TC],
  ]
  test.each(
    chains.flatMap(([what, hook, tc, names]) =>
      (['first', 'last'] as const).map((form) => [what, form, { hook, tc, names }] as const),
    ),
  )('finds what its entries make: %s, in its %s form', async (_, form, { hook, tc, names }) => {
    const images = names.map((name) => image(name, { hook }))
    await build(images, form, tc)
    const { programs, differences } = await compare(images, { tc })
    expect(differences).toEqual([])
    expect(programs.map(({ madeTag }) => madeTag)).toEqual(programs.map(({ tag }) => tag))
    expect(programs).toHaveLength(form === 'first' ? 1 : 3)
    // the twin: another order of the same entries is another program
    expect((await compare(images.toReversed(), { tc })).differences).not.toEqual([])
  })
  test('tells verdicts that are made for another way to attach', async () => {
    const images = TC.map((name) => image(name, { hook: 'tc-egress' }))
    await build(images, 'first', 'clsact')
    expect((await compare(images, { tc: 'tcx' })).differences).not.toEqual([])
  })
  test('finds what stands in the place of something revoked', async () => {
    const images = [image('globals'), dropEntry('test', 'gone', 'acme/gone@1.0.0', 'xdp').image]
    await build(images)
    expect((await compare(images)).differences).toEqual([])
    expect((await compare(images.slice(0, 1))).differences).toHaveLength(1)
  })
  test('leaves nothing behind', async () => {
    const images = [image('globals'), image('maps')]
    await build(images)
    const before = bpfDescriptors()
    await compare(images)
    await compare(images)
    expect(bpfDescriptors()).toEqual(before)
  })

  test('tells another program by its tag', async () => {
    const images = [image('globals')]
    await build(images)
    using other = loadXdpProgram({ name: 'other', code: verdict(2), license: 'GPL', flags: 0 })
    const { id, tag } = programInfo(other)
    const { programs, differences } = await compare(images, { programId: id })
    expect(programs).toMatchObject([{ programId: id, tag }])
    expect(programs[0]?.madeTag).not.toBe(tag)
    expect(differences).toEqual([expect.stringContaining(`tag ${tag}`)])
  })
  test('tells other constants under the same instructions', async () => {
    const use = { variables: { cfg_every: 5 } }
    await build([image('globals', use)])
    expect((await compare([image('globals', use)])).differences).toEqual([])
    const { programs, differences } = await compare([image('globals')])
    expect(programs[0]?.madeTag).toBe(programs[0]?.tag)
    expect(differences).toEqual([expect.stringMatching(/^map \d+ of program \d+ holds something else$/)])
  })
  test('tells state and counters that are not the pinned ones', async () => {
    const images = [image('globals')]
    await build(images)
    rmSync(join(folder, 'counters'))
    using counters = createPercpuArray('other', 64, 1)
    pin(counters, join(folder, 'counters'))
    expect((await compare(images)).differences).toEqual([expect.stringMatching(/where map \d+ is pinned$/)])
    removeTree(maps)
    expect((await compare(images)).differences).toContain('its state map .bss is not pinned')
  })
  test('tells a program that was exchanged in the middle of a chain, and one that is missing', async () => {
    const images = [image('globals'), image('maps'), image('exits')]
    await build(images, 'last')
    using links = requirePin(join(folder, 'links'))
    using other = loadXdpProgram({ name: 'other', code: verdict(2), license: 'GPL', flags: 0 })
    updateElement(links, u32(1), u32(other.number))
    const { programs, differences } = await compare(images)
    expect(programs.map(({ tag, madeTag }) => tag === madeTag)).toEqual([true, false, true])
    expect(differences).toEqual([expect.stringContaining(`program ${programInfo(other).id} has the tag`)])
    rmSync(join(folder, 'links'))
    expect((await compare(images)).differences).not.toEqual([])
    // one of another kind, whose values have no room for a program's id
    using counters = createPercpuArray('other', 64, 3)
    pin(counters, join(folder, 'links'))
    expect((await compare(images)).differences).not.toEqual([])
  })
})
