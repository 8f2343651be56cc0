import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { lookupElement } from '../../src/kernel/bpf-map.ts'
import { ensureBpffs, pinName, removeIfEmpty, removeTree, requirePin, unpin } from '../../src/kernel/bpffs.ts'
import { directLoader, type Loader, loadWithMapIds } from '../../src/kernel/loader.ts'
import { type Original, Originals, takeBack } from '../../src/kernel/originals.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { program, verdict } from '../bytecode/assembler.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, entryImage } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { runOn } from './test-run.ts'

const BPFFS = '/sys/fs/bpf'
const ROOT = join(BPFFS, 'hookline', `test-${process.pid}-originals`)
const FRAME = { bytes: Buffer.alloc(60) }

describeAsRoot('originals', () => {
  let globals: Buffer
  let loads: string[]
  let loader: Loader
  let originals: Originals
  beforeAll(() => {
    ensureBpffs(BPFFS)
    globals = compileSource('globals')
  })
  beforeEach(() => {
    loads = []
    loader = {
      ...directLoader,
      original: (request) => {
        loads.push(request.entry)
        return directLoader.original(request)
      },
    }
    originals = new Originals(loader, ROOT)
  })
  afterEach(() => {
    originals.collect(new Set())
    removeTree(ROOT)
    removeIfEmpty(join(BPFFS, 'hookline'))
  })

  const image = (every = 3, instance = 'one'): EntryImage =>
    entryImage(globals, 'globals', { instance, variables: { cfg_every: every } })
  const stateKeys = (of: EntryImage): string[] => of.maps.flatMap(({ stateKey }) => stateKey ?? [])
  const bss = (of: EntryImage): string =>
    join(ROOT, pinName(of.maps.find(({ name }) => name === '.bss')?.stateKey ?? ''))
  function run({ body, maps }: Original): number {
    using alone = loadWithMapIds({ name: 'x', hook: 'xdp', code: body.code, license: 'GPL', flags: 0 })
    runOn(alone, 'xdp', FRAME)
    const counters = maps.get('.bss')
    if (counters === undefined) throw new Error('no .bss')
    return Number(lookupElement(counters, Buffer.alloc(4), mapInfo(counters).valueBytes)?.readBigUInt64LE(0))
  }

  test('are loaded once for as long as nothing about them changes', async () => {
    const pins: string[] = []
    const first = await originals.obtain(image(), pins)
    expect(pins).toHaveLength(3)
    expect(await originals.obtain(image(), pins)).toBe(first)
    expect([loads.length, pins.length]).toEqual([1, 3])
    expect(await originals.obtain(image(4), pins)).not.toBe(first) // another constant
    expect(await originals.obtain(image(3, 'two'), pins)).not.toBe(first) // another owner
    expect([loads.length, pins.length]).toEqual([3, 6])
    expect(await originals.obtain(image(), pins)).toBe(first)
    expect(loads).toHaveLength(3)
  })

  test('are loaded on the maps that are pinned, whoever pinned them', async () => {
    const first = await originals.obtain(image(), [])
    expect([run(first), run(first)]).toEqual([1, 2])
    const other = new Originals(loader, ROOT)
    const pins: string[] = []
    const second = await other.obtain(image(), pins)
    expect([run(second), run(first), pins]).toEqual([3, 4, []])
    other.collect(new Set())
  })

  test('are loaded anew when their pins are gone, or are others', async () => {
    const first = await originals.obtain(image(), [])
    expect(run(first)).toBe(1)
    unpin(bss(image()))
    const second = await originals.obtain(image(), [])
    expect([loads.length, run(second)]).toEqual([2, 1])
    removeTree(ROOT)
    const other = new Originals(loader, ROOT)
    await other.obtain(image(), [])
    const third = await originals.obtain(image(), [])
    using pinned = requirePin(bss(image()))
    expect([loads.length, mapInfo(third.maps.get('.bss') ?? pinned).id]).toEqual([4, mapInfo(pinned).id])
    other.collect(new Set())
  })

  test('go with the state that nobody needs any more', async () => {
    const before = bpfDescriptors()
    await originals.obtain(image(), [])
    await originals.obtain(image(3, 'two'), [])
    const both = bpfDescriptors().length
    originals.collect(new Set([...stateKeys(image()), ...stateKeys(image(3, 'two'))]))
    expect(bpfDescriptors()).toHaveLength(both)
    originals.collect(new Set(stateKeys(image())))
    expect(bpfDescriptors()).toHaveLength(before.length + (both - before.length) / 2)
    await originals.obtain(image(), [])
    await originals.obtain(image(3, 'two'), [])
    expect(loads).toHaveLength(3)
    originals.collect(new Set())
    expect(bpfDescriptors()).toEqual(before)
  })

  test('give back new pins when what they were for fails', async () => {
    const pins: string[] = []
    await originals.obtain(image(), pins)
    const files = (): string[] =>
      readdirSync(ROOT, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map(({ name }) => name)
    expect(files()).toHaveLength(3)
    takeBack(pins)
    expect(files()).toEqual([])
  })

  test('know arrays of programs, and whether the types of all functions are known', async () => {
    const jump = await originals.obtain(entryImage(compileSource('jump'), 'jump'), [])
    expect(jump.programArrays).toHaveLength(1)
    expect(jump.typed).toBe(true)
    const bare = await originals.obtain(entryImage(compileSource('calls', { debug: false }), 'calls'), [])
    expect([bare.typed, bare.programArrays]).toEqual([false, []])
    const { functions, ...rest } = entryImage(compileSource('calls'), 'calls')
    const fewer = await originals.obtain({ ...rest, functions: functions.slice(1) }, [])
    expect(fewer.typed).toBe(false)
  })
})

describe('the originals that are kept', () => {
  const none: EntryImage = {
    ...{
      entry: 'x',
      hook: 'xdp',
      bytes: Buffer.from('x'),
      license: 'GPL',
      gplCompatible: true,
      frags: false,
    },
    ...{ proceed: ['pass'], onMissing: 'pass', maps: [], functions: [], kernelFunctions: [], btf: undefined },
    ...{ arrayPrograms: [], tailCalls: 0, variables: [] },
  }
  const numbered = (at: number): EntryImage => ({ ...none, bytes: Buffer.from(`${at}`) })
  const fake = (code: Buffer) => {
    const counts = { loads: 0, open: 0 }
    const loader: Loader = {
      ...directLoader,
      original: async () => {
        counts.loads++
        counts.open++
        const close = (): void => void counts.open--
        return { code, stackBytes: [0], verified: 1, maps: new Map(), modules: new Map(), close }
      },
    }
    return { counts, originals: new Originals(loader, '/nowhere') }
  }

  test('are so many at most: those not used for longest go first', async () => {
    const { counts, originals } = fake(verdict(2))
    const most = LIMITS.chain_originals
    for (let at = 0; at < most + 2; at++) await originals.obtain(numbered(at), [])
    await originals.obtain(numbered(0), []) // used again
    expect(counts).toEqual({ loads: most + 2, open: most + 2 })
    originals.collect(new Set())
    expect(counts.open).toBe(most)
    await originals.obtain(numbered(0), [])
    expect(counts.loads).toBe(most + 2)
    await originals.obtain(numbered(1), [])
    expect(counts.loads).toBe(most + 3)
  })

  test('do not hold what cannot be read', async () => {
    const { counts, originals } = fake(program(verdict(2).subarray(0, 12)))
    await expect(originals.obtain(none, [])).rejects.toMatchObject({ code: 'chain_instruction' })
    expect(counts.open).toBe(0)
  })
})
