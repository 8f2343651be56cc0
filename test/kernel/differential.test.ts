import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { noPackets, packetsOf, XDP_COUNTERS, XDP_VERDICTS, type XdpVerdict } from '../../src/domain/hook.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, pinName, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { xdpChains } from '../../src/kernel/xdp-chains.ts'
import type { ChainKernel, EntryImage } from '../../src/ports/chain-kernel.ts'
import { pick, type Random, seededRandom } from '../../tools/fuzz/random.ts'
import { buildStarter } from '../programs/starter-program.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'
import { corpus } from './corpus.ts'
import { mapContent } from './map-content.ts'
import { stayOnOneCpu } from './one-cpu.ts'
import { loadSequence } from './sequence.ts'

const BPFFS = '/sys/fs/bpf'
const AGENT = `test-${process.pid}-differential`
const ROOT = join(BPFFS, 'hookline', AGENT)
const KEY = '1-1-xdp'
const [CHAINS, FRAGS_CHAINS, LONGEST] = [40, 8, 8]
const SEED = 20_261

/** Programs of test/kernel/sources; the file's name is the entry's. */
const OWN = [
  ...['verdict', 'calls', 'rewrite', 'head', 'tail', 'maps'],
  ...['globals', 'stack', 'exits', 'loop', 'lock', 'global'],
] as const
/** The starter catalog. One packet a second and no burst to speak of: within a test time adds no token. */
const STARTERS = {
  counter: {},
  scrub: {},
  ratelimit: { cfg_rate: 1, cfg_burst: 2 },
} as const

/** An object and how it is used in any chain. */
interface Candidate {
  readonly bytes: Buffer
  readonly entry: string
  readonly variables: Readonly<Record<string, number>>
}

describeAsRoot('a fused chain does what its entries do one after the other', () => {
  let chains: ChainKernel
  const own = new Map<string, Candidate>()
  const ownFrags = new Map<string, Candidate>()
  const starters = new Map<string, Candidate>()
  let generation = 0

  beforeAll(() => {
    stayOnOneCpu()
    ensureBpffs(BPFFS)
    chains = xdpChains(BPFFS, AGENT, undefined)
    for (const entry of OWN) {
      const build = (flags: readonly string[]): Candidate => ({
        bytes: compileSource(entry, { flags }),
        entry,
        variables: {},
      })
      own.set(entry, build([]))
      ownFrags.set(entry, build(['-DSECTION="xdp.frags"']))
    }
    for (const [name, variables] of Object.entries(STARTERS)) {
      const { dir, manifest, remove } = buildStarter(name)
      const [program] = manifest.programs
      if (program === undefined) throw new Error(`${name} has no program`)
      starters.set(name, {
        bytes: readFileSync(join(dir, program.object)),
        entry: program.entry,
        variables,
      })
      remove()
    }
  })
  afterAll(() => {
    removeTree(ROOT)
    removeIfEmpty(join(BPFFS, 'hookline'))
  })

  const candidate = (name: string): Candidate => {
    const found = own.get(name) ?? starters.get(name)
    if (found === undefined) throw new Error(`no program ${name}`)
    return found
  }
  const use = ({ bytes, entry, variables }: Candidate, how: EntryUse): EntryImage =>
    entryImage(bytes, entry, { variables, ...how })

  /** Runs both on the frames and compares verdict, bytes, counters and all state maps; gives the last entry's packets. */
  function compare(images: readonly EntryImage[], frames: readonly Buffer[]): number {
    generation += 1
    chains.build(KEY, generation, images)
    using sequence = loadSequence(images)
    using program = requirePin(join(ROOT, KEY, `gen-${generation}`, 'program'))
    const chain = images.map(({ entry, proceed }) => `${entry}(${proceed.join()})`).join(' ')
    for (const frame of frames) {
      const expected = sequence.run(frame)
      const { verdict, packet } = testRun(program, frame)
      expect([chain, verdict, packet.toString('hex')]).toEqual([
        chain,
        expected.verdict,
        expected.packet.toString('hex'),
      ])
    }
    expect([chain, chains.counters(KEY, generation, images.length)]).toEqual([chain, sequence.counts])
    for (const [key, number] of sequence.state) {
      using pinned = requirePin(join(ROOT, 'maps', pinName(key)))
      const [ours, theirs] = [mapContent(pinned), mapContent({ number })]
      // a bucket's value is a time
      if (key.includes('/rl_buckets-'))
        expect([chain, key, Object.keys(ours)]).toEqual([chain, key, Object.keys(theirs)])
      else expect([chain, key, ours]).toEqual([chain, key, theirs])
    }
    chains.discard(KEY, generation)
    chains.collectMaps(new Set())
    return packetsOf(sequence.counts.at(-1) ?? noPackets())
  }

  /** A chain by chance: now and then an instance occurs twice, and then shares its maps with itself. */
  function randomChain(random: Random, from: ReadonlyMap<string, Candidate>): EntryImage[] {
    return Array.from({ length: 1 + random(LONGEST) }, (_, position) => {
      const [name, chosen] = pick(random, [...from])
      const shared = random(4) === 0
      const others = XDP_VERDICTS.filter(() => random(5) === 0)
      const proceed: XdpVerdict[] = random(10) === 0 ? others : [...new Set([...others, 'pass' as const])]
      return use(chosen, { instance: shared ? name : `${name}-${position}`, proceed })
    })
  }

  test.each([...OWN, ...Object.keys(STARTERS)])('%s alone, and twice on its own state', (name) => {
    const frames = corpus(seededRandom(SEED, generation))
    compare([use(candidate(name), {})], frames)
    compare([use(candidate(name), { proceed: XDP_VERDICTS }), use(candidate(name), {})], frames)
  })

  test(`${CHAINS} chains by chance of one to ${LONGEST} entries`, () => {
    let reached = 0
    for (let at = 0; at < CHAINS; at++) {
      const random = seededRandom(SEED, at)
      reached += compare(randomChain(random, new Map([...own, ...starters])), corpus(random))
    }
    expect(reached).toBeGreaterThan(CHAINS * 5) // the chains are not over before they begin
  })

  test(`${FRAGS_CHAINS} chains by chance of programs that take multi-buffer packets`, () => {
    for (let at = 0; at < FRAGS_CHAINS; at++) {
      const random = seededRandom(SEED, 1000 + at)
      const images = randomChain(random, ownFrags)
      expect(images.every(({ frags }) => frags)).toBe(true)
      compare(images, corpus(random))
    }
  })

  test('any number that a program returns is counted, the unknown ones together', () => {
    const frame = Buffer.alloc(60)
    const frames = Array.from({ length: 256 }, (_, first) => {
      const copy = Buffer.from(frame)
      copy.writeUInt8(first, 0)
      return copy
    })
    const masks: XdpVerdict[][] = [[], ['aborted'], ['redirect'], ['drop', 'tx'], [...XDP_VERDICTS]]
    for (const proceed of masks) {
      const images = [
        use(candidate('verdict'), { instance: 'first', proceed }),
        use(candidate('verdict'), { instance: 'second' }),
      ]
      expect(compare(images, frames)).toBe(proceed.length)
    }
    generation += 1
    chains.build(KEY, generation, [use(candidate('verdict'), {})])
    using program = requirePin(join(ROOT, KEY, `gen-${generation}`, 'program'))
    for (const one of frames) testRun(program, one)
    const each = Object.fromEntries(XDP_COUNTERS.map((name) => [name, name === 'other' ? 251 : 1]))
    expect(chains.counters(KEY, generation, 1)).toEqual([each])
  })
})
