import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noPackets, packetsOf, type Verdict, verdictsOf } from '../../src/domain/hook.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { pick, type Random, seededRandom } from '../../tools/fuzz/random.ts'
import { codeOf } from '../elf/codes.ts'
import { buildStarter } from '../programs/starter-program.ts'
import { emulated } from '../support/emulated.ts'
import { needs } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'
import { type ComparedChains, comparedChains } from './compared-chains.ts'
import { corpus, forTc } from './corpus.ts'
import { FORMS, mixed } from './layout-forms.ts'
import { stayOnOneCpu } from './one-cpu.ts'
import { PROGRAMS, type TestHook, type TestProgram, titleOf, UNCHAINABLE } from './programs.ts'
import { takenHere, whyRefused } from './refused-originals.ts'
import type { Packet } from './test-run.ts'

const SEED = 20_261
/** Chains by chance, and how many of them share state before it begins anew. */
const [XDP_CHAINS, TC_CHAINS, FRAGS_CHAINS, ERA] = [300, 120, 60, 30]
const [LONGEST, PACKETS] = [30, 32]
/** Room for what thirty programs add: a test run's packet has an end. */
const MOST_BYTES = 1600

/** These move the start of an XDP packet; in a chain the headroom that is left shows it, in a test run of its own not. */
const MOVES_START = ['head', 'both-ends']
const READS_HEADROOM = ['kernel-context']
/** It puts bytes before the Ethernet header: the next test run reads another protocol there, in a chain it stays. */
const CHANGES_PROTOCOL = ['tc-head']
const READS_PROTOCOL = ['tc-room', 'tc-fields', 'tc-vlan']
/** What it cuts off the end of a packet; a test run wants the IP header whole. */
const CUT_BYTES = 6

/** The starter catalog. One packet a second and no burst to speak of: within a test time adds no token. */
const STARTERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  counter: {},
  scrub: {},
  ratelimit: { cfg_rate: 1, cfg_burst: 2 },
}

const objects = new Map<string, Buffer>()
function compiled({ source, flags = [] }: TestProgram): Buffer {
  const key = [source, ...flags].join(' ')
  const bytes = objects.get(key) ?? compileSource(source, { flags })
  objects.set(key, bytes)
  return bytes
}
const use = (program: TestProgram, how: EntryUse = {}): EntryImage =>
  entryImage(compiled(program), program.entry, { hook: program.hook, ...how })
const program = (source: string, hook: TestHook = 'xdp'): TestProgram => {
  const found = PROGRAMS.find((each) => each.source === source && each.hook === hook)
  if (found === undefined) throw new Error(`no program ${source}`)
  return found
}
const FRAGS_FLAG = '-DSECTION="xdp.frags"'
const plainFlags = ({ flags = [] }: TestProgram): string[] => flags.filter((flag) => flag !== FRAGS_FLAG)
/** Its place in the table tells programs of one source apart. */
const numberOf = (each: TestProgram): number =>
  PROGRAMS.findIndex((one) => titleOf(one) === titleOf({ ...each, flags: plainFlags(each) }))
/** The same program for packets of several buffers. */
const forFrags = (each: TestProgram): TestProgram =>
  each.frags ? each : { ...each, frags: true, flags: [...(each.flags ?? []), FRAGS_FLAG] }
const named = <T extends TestProgram>(programs: readonly T[]): [string, T][] =>
  programs.map((each) => [titleOf(each), each])

/** Fields that a program can read vary from packet to packet. */
function skbContext(order: number): Buffer {
  const context = Buffer.alloc(192)
  context.writeUInt32LE(order % 5, 8) // mark
  context.writeUInt32LE(order % 3, 48) // cb[0]
  context.writeBigUInt64LE(BigInt(order % 4) * 1000n, 152) // tstamp
  return context
}
const packetsFor = (hook: TestHook, frames: readonly Buffer[]): Packet[] =>
  hook === 'xdp'
    ? frames.map((bytes) => ({ bytes }))
    : frames.map((bytes, order) => ({ bytes, context: skbContext(order) }))

/** Only in the last place: what it leaves in the context is not given from one test run to the next; or as many maps. */
const mustBeLast = ({ traits }: TestProgram): boolean =>
  traits.includes('unseen-context') || traits.includes('many-maps')

describeAsRoot('a chain does what its entries do one after the other', () => {
  beforeAll(stayOnOneCpu)
  let chains: ComparedChains
  beforeAll(() => {
    chains = comparedChains('differential')
  })
  afterAll(() => chains[Symbol.dispose]())

  describe('every program in every form', () => {
    const frames = corpus(seededRandom(SEED, 0), { most: 3000 })
    const jumbo = corpus(seededRandom(SEED, 0), { most: 9000 })
    test.for(named(PROGRAMS))('%s', async ([_, each], context) => {
      needs(each.entry, whyRefused(each), context)
      const { hook, frags } = each
      const all = packetsFor(hook, frags ? jumbo : hook === 'xdp' ? frames : forTc(frames))
      const some = packetsFor(
        hook,
        all.map(({ bytes }) => bytes).filter(({ length }) => length > 70),
      ).filter((_packet, order) => order % 2 === 0)
      const proceed = verdictsOf(hook)
      const neighbour = (source: string): TestProgram =>
        frags ? forFrags(program(source, hook)) : program(source, hook)
      const [before, after] = hook === 'xdp' ? ['calls', 'maps'] : ['tc-calls', 'tc-maps']
      const around = [
        use(neighbour(before), { instance: 'before', proceed }),
        ...(mustBeLast(each) ? [] : [use(each, { proceed }), use(each, { proceed })]),
        use(neighbour(after), { instance: 'after', proceed }),
        ...(mustBeLast(each) ? [use(each)] : []),
      ]
      const done: string[] = []
      for (const [name, form] of Object.entries(FORMS)) {
        const alone = await chains.compare([use(each)], all, form)
        const amid = await chains.compare(around, some, form)
        if ('forms' in alone && 'forms' in amid) done.push(name)
      }
      expect(done).toContain('exit rewrite')
      const large = each.traits.includes('deep-stack') || each.traits.includes('many-maps')
      expect(done.length).toBeGreaterThanOrEqual(large ? 2 : FORM_COUNT)
    })
  })
  const FORM_COUNT = Object.keys(FORMS).length

  /** Entries by chance that can be compared behind each other; now and then an instance occurs twice. */
  function chainOf(random: Random, from: readonly TestProgram[]): TestProgram[] {
    const length = 2 + random(LONGEST - 1)
    const chosen: TestProgram[] = []
    while (chosen.length < length) {
      const next = pick(random, from)
      const last = chosen.length === length - 1
      const sources = chosen.map(({ source }) => source)
      const came = (names: readonly string[]): boolean => names.some((name) => sources.includes(name))
      if (mustBeLast(next) && !last) continue
      if (came(MOVES_START) && READS_HEADROOM.includes(next.source)) continue
      if (came(CHANGES_PROTOCOL) && READS_PROTOCOL.includes(next.source)) continue
      chosen.push(next)
    }
    return chosen
  }
  function imagesOf(random: Random, entries: readonly TestProgram[]): EntryImage[] {
    return entries.map((each) => {
      const all = verdictsOf(each.hook)
      const some = all.filter(() => random(3) === 0)
      const usual: Verdict[] = each.hook === 'xdp' ? ['pass'] : ['ok', 'next']
      const proceed = pick(random, [all, all, all, [...new Set([...usual, ...some])], some])
      return use(each, { instance: `${each.source}-${numberOf(each)}-${random(2)}`, proceed })
    })
  }

  /** Compares as many chains; gives the entries of each form, and the packets that reached the ends of their chains. */
  async function compareMany(
    chains: ComparedChains,
    count: number,
    stream: number,
    from: readonly TestProgram[],
    most: number,
  ): Promise<Map<string, number>> {
    const forms = new Map<string, number>()
    for (let at = 0; at < count; at++) {
      if (at % ERA === 0) chains.forget()
      const random = seededRandom(SEED, stream + at)
      const entries = chainOf(random, from)
      const images = imagesOf(random, entries)
      const hook = entries[0]?.hook ?? 'xdp'
      const cut = entries.filter(({ source }) => source === 'tc-tail').length * CUT_BYTES
      const frames = corpus(random, { most }).filter(
        ({ length }) => hook === 'xdp' || cut === 0 || length >= 60 + cut,
      )
      const order = frames.map((frame) => [random(1 << 20), frame] as const).sort(([a], [b]) => a - b)
      const packets = packetsFor(
        hook,
        (hook === 'xdp' ? order.map(([, frame]) => frame) : forTc(order.map(([, frame]) => frame))).slice(
          0,
          PACKETS,
        ),
      )
      const forced = pick(random, [
        ...Object.values(FORMS),
        mixed(random, 8),
        mixed(random, 30),
        mixed(random, 5),
      ])
      let compared = await chains.compare(images, packets, forced)
      if ('impossible' in compared) compared = await chains.compare(images, packets)
      if ('impossible' in compared) throw new Error(`no layout: ${compared.impossible}`)
      for (const form of compared.forms) forms.set(form, (forms.get(form) ?? 0) + 1)
      const reached = packetsOf(compared.counts.at(-1) ?? noPackets(hook))
      forms.set('reached', (forms.get('reached') ?? 0) + reached)
      expect(compared.counts.every((counts) => counts.missing === 0)).toBe(true)
    }
    return forms
  }

  const expectAll = (forms: ReadonlyMap<string, number>, chainsMade: number): void => {
    expect([...forms.keys()].sort()).toEqual(['called', 'exit-rewrite', 'fused', 'group', 'reached', 'wrap'])
    expect(forms.get('reached')).toBeGreaterThan(chainsMade) // the chains are not over before they begin
  }

  test(`${XDP_CHAINS} chains by chance on XDP`, { timeout: emulated(120_000) }, async () => {
    const from = takenHere(PROGRAMS).filter(({ hook }) => hook === 'xdp')
    expectAll(await compareMany(chains, XDP_CHAINS, 1000, from, MOST_BYTES), XDP_CHAINS)
  })

  test(`${FRAGS_CHAINS} chains by chance for packets of several buffers`, {
    timeout: emulated(60_000),
  }, async () => {
    const from = takenHere(PROGRAMS)
      .filter(({ hook, traits }) => hook === 'xdp' && !traits.includes('shared-object'))
      .filter(({ source }) => ![...MOVES_START, ...READS_HEADROOM].includes(source))
      .map(forFrags)
    expectAll(await compareMany(chains, FRAGS_CHAINS, 2000, from, 9000), FRAGS_CHAINS)
  })

  test.each(['tcx', 'clsact'] as const)(
    `${TC_CHAINS} chains by chance on TC, by %s`,
    { timeout: emulated(120_000) },
    async (tc) => {
      const from = takenHere(PROGRAMS).filter(({ hook }) => hook === 'tc-ingress')
      using chains = comparedChains(`differential-${tc}`, tc)
      const stream = tc === 'tcx' ? 3000 : 4000
      expectAll(await compareMany(chains, TC_CHAINS, stream, from, MOST_BYTES), TC_CHAINS)
    },
  )

  test.each(Object.entries(STARTERS))('the starter %s in every form', async (name, variables) => {
    const { dir, manifest, remove } = buildStarter(name)
    const [one] = manifest.programs
    if (one === undefined) throw new Error(`${name} has no program`)
    const bytes = readFileSync(join(dir, one.object))
    remove()
    using chains = comparedChains('differential-starters', 'tcx', /\/rl_buckets-/) // a bucket's value is a time
    const starter = (proceed: readonly Verdict[]): EntryImage =>
      entryImage(bytes, one.entry, { variables, proceed, instance: 'starter' })
    const packets = packetsFor('xdp', corpus(seededRandom(SEED, 5)))
    for (const form of Object.values(FORMS)) {
      const images = [
        use(program('head')),
        starter(['pass']),
        starter(verdictsOf('xdp')),
        use(program('maps')),
      ]
      const compared = await chains.compare(images, packets, form)
      if ('impossible' in compared) throw new Error(compared.impossible)
      expect(packetsOf(compared.counts.at(-1) ?? {})).toBeGreaterThan(0)
    }
  })

  test.each([
    ['xdp', 'verdict', 251],
    ['tc-ingress', 'tc-verdicts', 249],
  ] as const)(
    'on %s any number that a program returns is counted, the unknown ones together',
    async (hook, source, unknown) => {
      const packets = packetsFor(
        hook,
        Array.from({ length: 256 }, (_, first) => Buffer.alloc(60).fill(first, 0, 1)),
      )
      const one = program(source, hook)
      const all = verdictsOf(hook)
      for (const proceed of [[], [all[0] ?? 'pass'], all.slice(1, 3), all]) {
        const images = [use(one, { instance: 'first', proceed }), use(one, { instance: 'second' })]
        for (const form of Object.values(FORMS)) {
          const compared = await chains.compare(images, packets, form)
          if ('impossible' in compared) throw new Error(compared.impossible)
          const [first, second] = compared.counts
          expect(first).toEqual({
            ...noPackets(hook),
            ...Object.fromEntries(all.map((name) => [name, 1])),
            other: unknown,
          })
          expect(packetsOf(second ?? {})).toBe(proceed.length)
        }
      }
    },
  )

  test.each(named(UNCHAINABLE))('%s is refused by its code', async (_, each) => {
    let code = codeOf(() => use(each))
    if (code === 'accepted')
      code = await chains.compare([use(each)], []).then(
        () => 'accepted',
        (error: Error) => (error.cause as { code?: string }).code ?? 'no code',
      )
    expect(code).toBe(each.code)
  })
})
