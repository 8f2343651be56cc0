import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { XDP_VERDICTS } from '../../src/domain/hook.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { possibleCpus, updateElement } from '../../src/kernel/bpf-map.ts'
import type { OpenFile } from '../../src/kernel/fd.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { seededRandom } from '../../tools/fuzz/random.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { addressBytes } from '../support/packets.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'
import { type ComparedChains, comparedChains } from './compared-chains.ts'
import { corpus } from './corpus.ts'
import { FORMS } from './layout-forms.ts'
import { stayOnOneCpu } from './one-cpu.ts'

const SEED = 4711
/** Objects of Debian's package libxdp1, which xdp-tools brings; their programs by file. */
const FILTERS = ['alw', 'dny'].flatMap((policy) =>
  ['all', 'eth', 'ip', 'tcp', 'udp'].map((what) => `xdpfilt_${policy}_${what}`),
)
const OTHERS = [
  ['xsk_def_xdp_prog', 'xsk_def_prog'],
  ['xsk_def_xdp_prog_5.3', 'xsk_def_prog'],
  ['xdpdump_xdp', 'xdpdump'],
  ['xdp-dispatcher', 'xdp_dispatcher'],
  ['xdp-dispatcher', 'xdp_pass'],
] as const

/** Where Debian keeps BPF objects: a folder of the machine's architecture. */
function folder(): string {
  const found = readdirSync('/usr/lib')
    .map((name) => join('/usr/lib', name, 'bpf'))
    .find((path) => existsSync(join(path, `${FILTERS[0]}.o`)))
  if (found === undefined) throw new Error('no objects of xdp-tools; install the Debian package xdp-tools')
  return found
}
const image = (file: string, entry: string, use: EntryUse = {}): EntryImage =>
  entryImage(readFileSync(join(folder(), `${file}.o`)), entry, { proceed: XDP_VERDICTS, ...use })

/** xdp-filter's rules: addresses and ports, each for both directions and protocols (flags of its map values). */
const RULES: Readonly<Record<string, readonly Buffer[]>> = {
  filter_ethernet: ['020000000001', '020000000002'].map((mac) => Buffer.from(mac, 'hex')),
  filter_ipv4: ['192.0.2.1', '203.0.113.77'].map(addressBytes),
  filter_ipv6: ['2001:db8:2::1', '2001:db8:ffff::9'].map(addressBytes),
  // an index is a port in network byte order
  filter_ports: [80, 53, 22].map((port) => Buffer.from([port >> 8, port & 0xff, 0, 0])),
}
const ALL_FLAGS = 0b1111n

function fill(name: string, map: OpenFile, only: number): void {
  const value = Buffer.alloc(8 * possibleCpus())
  for (let at = 0; at < value.length; at += 8) value.writeBigUInt64LE(ALL_FLAGS, at)
  for (const key of RULES[name]?.slice(0, only) ?? []) {
    expect(key).toHaveLength(mapInfo(map).keyBytes)
    updateElement(map, key, value)
  }
}

describeAsRoot('programs of others do in a chain what they do alone', () => {
  let chains: ComparedChains
  const packets = corpus(seededRandom(SEED, 0), { most: 1600 }).map((bytes) => ({ bytes }))
  beforeAll(() => {
    stayOnOneCpu()
    chains = comparedChains('foreign')
  })
  beforeEach(() => chains.forget())
  afterAll(() => chains[Symbol.dispose]())

  const own = (source: string, instance: string): EntryImage =>
    entryImage(compileSource(source), source, { proceed: XDP_VERDICTS, instance })

  /** Compares in every form, with rules in the maps. */
  async function inEveryForm(
    images: readonly EntryImage[],
    only = 9,
    but?: string,
  ): Promise<Record<string, number>[]> {
    await chains.compare(images, [])
    chains.withState(images, (name, map) => fill(name, map, name === but ? 0 : only))
    const counted: Record<string, number>[] = []
    for (const [name, form] of Object.entries(FORMS)) {
      const compared = await chains.compare(images, packets, form)
      expect([name, 'forms' in compared]).toEqual([name, true])
      if ('counts' in compared) counted.push(...compared.counts)
    }
    return counted
  }

  test.each(FILTERS)('xdp-filter: %s', async (name) => {
    // every frame has one of the MAC addresses: beside other rules nothing would be left for those
    const but = name.endsWith('_all') ? 'filter_ethernet' : undefined
    const counted = await inEveryForm(
      [own('calls', 'before'), image(name, name), own('maps', 'after')],
      undefined,
      but,
    )
    const ofFilter = counted.filter((_, at) => at % 3 === 1)
    expect(ofFilter).toHaveLength(Object.keys(FORMS).length)
    // the rules do what they say: some pass, and some do not
    for (const { drop = 0, pass = 0 } of ofFilter) expect([drop > 0, pass > 0]).toEqual([true, true])
  })

  test.each(OTHERS)('%s: %s', async (file, entry) => {
    await inEveryForm([own('calls', 'before'), image(file, entry), own('maps', 'after')])
  })

  test('all filters behind each other, with state of their own', { timeout: 90_000 }, async () => {
    const images = FILTERS.map((name) => image(name, name, { instance: name.replaceAll('_', '-') }))
    const counted = await inEveryForm(images, 1)
    expect(counted).toHaveLength(FILTERS.length * Object.keys(FORMS).length)
  })

  test('all filters on the same state', { timeout: 90_000 }, async () => {
    await inEveryForm(
      FILTERS.map((name) => image(name, name)),
      2,
    )
  })

  test('cooperative programs, whose next program is not there, go on in the chain', async () => {
    const images = ['cooperative', 'cooperative-silent', 'jump-empty', 'cooperative'].map((source, at) =>
      entryImage(compileSource(source), source.replaceAll('-', '_'), { instance: `c${at}` }),
    )
    const counted = await inEveryForm([...images, own('maps', 'after')])
    for (const last of counted.filter((_, at) => at % 5 === 4)) expect(last['pass']).toBeGreaterThan(0)
  })
})
