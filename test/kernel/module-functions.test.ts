import { existsSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { packetsOf, verdictsOf } from '../../src/domain/hook.ts'
import { codeOf } from '../elf/codes.ts'
import { needs } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, entryImage } from './chain-entries.ts'
import { type ComparedChains, comparedChains } from './compared-chains.ts'
import { FORMS } from './layout-forms.ts'
import { loadEntry } from './load-entry.ts'
import { loadOriginal } from './load-original.ts'
import { stayOnOneCpu } from './one-cpu.ts'
import { runOn } from './test-run.ts'

const [XDP_ABORTED, XDP_PASS] = [0, 2]
/** Two of the four connections that the packets ask about; the lowest bits of byte 17 say which. */
const [KNOWN, NEITHER] = [
  [1, 2],
  [0, 3],
] as const
const frame = (connection: number, bytes = 64): Buffer => Buffer.alloc(bytes).fill(connection, 17, 18)

const MODULE = 'nf_conntrack'
/** A module is there with its types, or not at all (sysfs, Documentation/ABI/testing/sysfs-kernel-btf). */
const whyNoModule = (): string | undefined =>
  existsSync(`/sys/kernel/btf/${MODULE}`) ? undefined : `the kernel has no module ${MODULE} loaded`

describeAsRoot('programs that call functions of a module', () => {
  let chains: ComparedChains
  beforeAll(() => {
    stayOnOneCpu()
    chains = comparedChains('modules')
    if (whyNoModule() !== undefined) return
    using insert = loadOriginal(compileSource('conntrack'), { entry: 'conntrack_insert', hook: 'xdp' })
    for (const connection of KNOWN) {
      const { verdict } = runOn(insert.program, 'xdp', { bytes: frame(connection) })
      // known already when the tests were run before on this machine
      if (verdict !== XDP_PASS) expect([connection, verdict]).toEqual([connection, XDP_ABORTED])
    }
  })
  afterAll(() => chains[Symbol.dispose]())
  beforeEach((context) => needs(MODULE, whyNoModule(), context))

  test('do in a chain what they do alone, in every form', async () => {
    const bytes = compileSource('conntrack')
    const proceed = verdictsOf('xdp')
    const ours = (instance: string) => entryImage(bytes, 'conntrack', { instance, proceed })
    const neighbour = (source: string) =>
      entryImage(compileSource(source), source, { instance: source, proceed })
    const packets = [...KNOWN, ...NEITHER, ...KNOWN].map((connection) => ({ bytes: frame(connection, 90) }))
    for (const form of Object.values(FORMS)) {
      const alone = await chains.compare([ours('one')], packets, form)
      expect(alone).toMatchObject({ counts: [{ drop: 2 * KNOWN.length, pass: NEITHER.length, aborted: 0 }] })
      const around = [neighbour('calls'), ours('one'), neighbour('maps'), ours('two'), ours('one')]
      const amid = await chains.compare(around, packets, form)
      expect(amid).toMatchObject({ forms: expect.any(Array) })
      if ('counts' in amid) expect(amid.counts.map(packetsOf)).toEqual(around.map(() => packets.length))
    }
  })

  test.each(['tcx', 'clsact'] as const)('do so on TC, by %s', async (tc) => {
    using chains = comparedChains(`modules-${tc}`, tc)
    const proceed = verdictsOf('tc-ingress')
    const image = (source: string, instance: string) =>
      entryImage(compileSource(source), source.replaceAll('-', '_'), {
        ...{ instance, proceed, hook: 'tc-ingress' },
      })
    const packets = [...KNOWN, ...NEITHER].map((connection) => ({ bytes: frame(connection, 90) }))
    for (const form of Object.values(FORMS)) {
      const around = ['tc-calls', 'tc-conntrack', 'tc-maps', 'tc-conntrack'].map((source, at) =>
        image(source, `${source}-${at}`),
      )
      const compared = await chains.compare(around, packets, form)
      expect(compared).toMatchObject({ forms: expect.any(Array) })
      if ('counts' in compared)
        expect(compared.counts[1]).toMatchObject({ shot: KNOWN.length, ok: NEITHER.length, next: 0 })
    }
  })

  test('are refused when the module is none that has a function of that name', () => {
    const bytes = compileSource('conntrack')
    const functions = ['bpf_xdp_ct_lookup', 'bpf_ct_release']
    const loaded = loadEntry(bytes, 'conntrack', { kernelFunctions: functions })
    expect([...loaded.modules.values()]).toHaveLength(1)
    loaded.close()
    expect(codeOf(() => loadEntry(bytes, 'conntrack', { kernelFunctions: ['no_such_function'] }))).toBe(
      'chain_module_functions',
    )
  })
})
