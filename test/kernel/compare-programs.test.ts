import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { layoutsOf } from '../../src/bytecode/layout.ts'
import { rulesOf } from '../../src/bytecode/verdict-rules.ts'
import { mapInfo, programInfo } from '../../src/kernel/bpf-info.ts'
import { lookupElement, u32, updateElement } from '../../src/kernel/bpf-map.ts'
import { programById, testRun } from '../../src/kernel/bpf-program.ts'
import { requirePin } from '../../src/kernel/bpffs.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { groupImage } from '../../src/kernel/group-image.ts'
import { loadWithMapIds } from '../../src/kernel/loader.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { needs } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, entryImage } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { examinedChains } from './examined-chains.ts'
import { mapSlots, PACKET } from './exchanged-code.ts'
import { PROGRAMS, titleOf } from './programs.ts'
import { whyRefused } from './refused-originals.ts'

const [DROP, PASS, TX] = [1, 2, 3]

describeAsRoot('comparing programs of one tag', () => {
  const { folder, image, original, build, compare } = examinedChains('compare')

  /** The program of a chain of one entry, with something exchanged in its code that no tag tells. */
  async function exchanged(entry: EntryImage, exchange: (code: Buffer) => void): Promise<Fd> {
    const part = await original(entry)
    using counters = requirePin(join(folder, 'counters'))
    const chain = { images: [entry], parts: [part], rules: rulesOf('xdp', 'tcx') }
    const [layout = []] = layoutsOf([part])
    const made = groupImage({ ...chain, countersMap: mapInfo(counters).id }, layout, 0, undefined)
    const code = Buffer.from(made.code)
    exchange(code)
    return loadWithMapIds({ ...made, code })
  }
  const told = async (entry: EntryImage, program: Fd): Promise<readonly string[]> =>
    (await compare([entry], { programId: programInfo(program).id })).differences

  test('tells where in a map’s value it reads', async () => {
    const entry = image('places')
    await build([entry])
    using ours = requirePin(join(folder, 'program'))
    using theirs = await exchanged(entry, (code) => {
      for (const { offsetAt } of mapSlots(code, 'value'))
        code.writeInt32LE(code.readInt32LE(offsetAt) ^ 4, offsetAt)
    })
    expect(programInfo(theirs).tag).toBe(programInfo(ours).tag)
    expect([testRun(ours, PACKET).verdict, testRun(theirs, PACKET).verdict]).toEqual([PASS, DROP])
    expect(await told(entry, ours)).toEqual([])
    expect(await told(entry, theirs)).toEqual([expect.stringContaining('reads other places of its maps')])
  })
  test('tells two maps that were exchanged where they are named again', async () => {
    const entry = image('places')
    await build([entry])
    using theirs = await exchanged(entry, (code) => {
      const named = mapSlots(code, 'map').slice(1) // behind the chain's own counters
      expect(named.map(({ map }) => map)).toEqual([named[0]?.map, named[1]?.map, named[0]?.map])
      code.writeInt32LE(named[1]?.map ?? 0, named[2]?.mapAt ?? 0)
    })
    expect(await told(entry, theirs)).toEqual([expect.stringContaining('reads other places of its maps')])
  })
  test('tells other constants of a program that is tail-called', async () => {
    const entry = image('jump-config')
    await build([entry])
    using ours = requirePin(join(folder, 'program'))
    using array = requirePin(join(folder, 'arrays', '0'))
    expect([testRun(ours, PACKET).verdict, await told(entry, ours)]).toEqual([TX, []])
    const [held] = (await original(image('jump-config', { variables: { cfg_drop: 1 } }))).programArrays
    using member = programById((held && lookupElement(held, u32(0), 4))?.readUInt32LE(0) ?? 0)
    updateElement(array, u32(0), u32(member.number))
    expect(testRun(ours, PACKET).verdict).toBe(DROP)
    expect(await told(entry, ours)).toEqual([
      expect.stringMatching(/^map \d+ of program \d+ holds something/),
    ])
  })
  test('follows tail calls that lead in a circle, and leaves nothing behind', async () => {
    const entries = [image('jump-spent'), image('places'), image('jump-config')]
    await build(entries)
    const before = bpfDescriptors()
    expect((await compare(entries)).differences).toEqual([])
    using member = requirePin(join(folder, 'program'))
    expect(await told(image('places'), member)).not.toEqual([])
    member.close()
    expect(bpfDescriptors()).toEqual(before)
  })

  test('knows that entries which are alike are loaded once', async () => {
    const entries = ['one', 'two'].map((instance) => image('jump-config', { instance }))
    await build(entries)
    expect((await compare(entries)).differences).toEqual([])
  })

  describe('finds no difference where there is none', () => {
    test.for(PROGRAMS.map((each) => [titleOf(each), each] as const))('%s', async ([, program], context) => {
      needs(program.entry, whyRefused(program), context)
      const { source, entry, hook, flags = [] } = program
      const entries = [entryImage(compileSource(source, { flags }), entry, { hook })]
      await build(entries)
      expect((await compare(entries)).differences).toEqual([])
    })
  })
})
