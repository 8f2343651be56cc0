import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { seededRandom } from '../../tools/fuzz/random.ts'
import { expectRefusal } from '../elf/codes.ts'
import { needs } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource } from './chain-entries.ts'
import { corpus, forTc } from './corpus.ts'
import { bpfDescriptors } from './descriptors.ts'
import { arrayTargets, loadOriginal } from './load-original.ts'
import { mapContent } from './map-content.ts'
import { stayOnOneCpu } from './one-cpu.ts'
import { PROGRAMS, type TestProgram, titleOf, UNCHAINABLE } from './programs.ts'
import { whyRefused } from './refused-originals.ts'
import { runOn } from './test-run.ts'

/** A differential test verifies each program many times over. */
const MOST_WALKED = 20_000
/** BPF_MAP_TYPE_PROG_ARRAY, linux/bpf.h. */
const MAP_TYPE_PROG_ARRAY = 3
const ALL = [...PROGRAMS, ...UNCHAINABLE]
/** A kernel that has such functions at all says so. */
const DEVICE_BOUND = /device-bound/
const SUFFIX = '.bpf.c'

const named = <T extends TestProgram>(programs: readonly T[]): [string, T][] =>
  programs.map((program) => [titleOf(program), program])
const textOf = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8')

const objects = new Map<TestProgram, Buffer>()
function compiled(program: TestProgram): Buffer {
  const { source, flags = [] } = program
  const bytes = objects.get(program) ?? compileSource(source, { flags })
  objects.set(program, bytes)
  return bytes
}

describe('the table of test programs', () => {
  test('names no program twice, and every source that no other test names', () => {
    expect(new Set(ALL.map(titleOf)).size).toBe(ALL.length)
    const listed = new Set(ALL.map(({ source }) => source))
    const here = readdirSync(new URL('.', import.meta.url))
    const tests = here.filter((file) => file.endsWith('.test.ts')).map((file) => textOf(file))
    const sources = readdirSync(new URL('sources', import.meta.url)).filter((file) => file.endsWith(SUFFIX))
    for (const name of sources.map((file) => file.slice(0, -SUFFIX.length)))
      if (!listed.has(name))
        expect([name, tests.some((text) => text.includes(`'${name}'`))]).toEqual([name, true])
  })

  test.each(named(ALL))('%s is as its object says', (_, program) => {
    const bytes = compiled(program)
    const object = readObject(bytes)
    const entry = object.programs.find(({ name }) => name === program.entry)
    expect(entry?.section).toBe(program.hook === 'tc-ingress' ? 'tc' : program.frags ? 'xdp.frags' : 'xdp')
    expect(arrayTargets(bytes).length > 0).toBe(program.traits.includes('tail-calls'))
    expect(object.maps.some(({ type }) => type === MAP_TYPE_PROG_ARRAY)).toBe(
      program.traits.includes('tail-calls') || program.traits.includes('array-of-its-own'),
    )
  })
})

describeAsRoot('every test program loads by itself', () => {
  beforeAll(() => {
    const [first] = PROGRAMS
    if (first === undefined) throw new Error('there are no programs')
    loadOriginal(compiled(first), first)[Symbol.dispose]() // what libbpf opens once
  })

  test.for(named(PROGRAMS))('%s', ([_, program], context) => {
    needs(program.entry, whyRefused(program), context)
    const before = bpfDescriptors()
    {
      using original = loadOriginal(compiled(program), program)
      expect(original.walked).toBeLessThan(MOST_WALKED)
      const deepest = Math.max(...original.stackBytes)
      expect(deepest >= 300).toBe(program.traits.includes('deep-stack'))
    }
    expect(bpfDescriptors()).toEqual(before)
  })

  test.for(named(UNCHAINABLE))('%s, if it can', ([_, program], context) => {
    const why = whyRefused(program)
    if (program.loads) needs(program.entry, why, context)
    else if (why !== undefined && !DEVICE_BOUND.test(why)) needs(program.entry, why, context)
    const load = (): void => loadOriginal(compiled(program), program)[Symbol.dispose]()
    if (program.loads) expect(load).not.toThrow()
    else expectRefusal(load, 'verifier_refused', DEVICE_BOUND)
  })
})

type Run = Readonly<Record<'effect' | 'bytes' | 'context', string> & { verdict: number }>

/** struct __sk_buff with fields set that vary from frame to frame. */
function skbContext(order: number): Buffer {
  const context = Buffer.alloc(192)
  context.writeUInt32LE(order % 5, 8) // mark
  context.writeUInt32LE(order % 3, 48) // cb[0]
  context.writeBigUInt64LE(BigInt(order % 4) * 1000n, 152) // tstamp
  return context
}

/** Verdict, bytes and context of each frame in turn, and what the maps hold afterwards. */
function behaviour(program: TestProgram, frames: readonly Buffer[]): { runs: Run[]; maps: unknown } {
  using original = loadOriginal(compiled(program), program)
  const runs = frames.map((bytes, order) => {
    const given = program.hook === 'xdp' ? { bytes } : { bytes, context: skbContext(order) }
    const { verdict, packet } = runOn(original.program, program.hook, given)
    const effect = packet.bytes.equals(bytes)
      ? 'none'
      : packet.bytes.length === bytes.length
        ? 'written'
        : 'moved'
    return { verdict, effect, bytes: packet.bytes.toString('hex'), context: packet.context.toString('hex') }
  })
  return { runs, maps: [...original.maps].map(([name, number]) => [name, mapContent({ number })]) }
}

describeAsRoot('what a test program does depends on packets and its maps alone', () => {
  beforeAll(stayOnOneCpu)
  const SEED = 77
  const frames = corpus(seededRandom(SEED, 0))
  const framesFor = ({ hook, frags }: TestProgram): Buffer[] =>
    hook === 'tc-ingress' ? forTc(frames) : frags ? corpus(seededRandom(SEED, 1), { most: 9000 }) : frames

  test.for(named(PROGRAMS))(
    '%s does the same twice, and not the same to every packet',
    ([_, program], context) => {
      needs(program.entry, whyRefused(program), context)
      const once = behaviour(program, framesFor(program))
      expect(behaviour(program, framesFor(program))).toEqual(once)
      const verdicts = new Set(once.runs.map(({ verdict }) => verdict))
      const effects = new Set(once.runs.map(({ effect }) => effect))
      if (program.source !== 'many-maps') expect(verdicts.size + effects.size).toBeGreaterThan(2)
    },
  )
})
