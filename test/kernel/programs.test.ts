import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { expectRefusal } from '../elf/codes.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { arrayTargets, loadOriginal } from './load-original.ts'
import { PROGRAMS, type TestProgram, titleOf, UNCHAINABLE } from './programs.ts'

/** A differential test verifies each program many times over. */
const MOST_WALKED = 20_000
/** BPF_MAP_TYPE_PROG_ARRAY, linux/bpf.h. */
const MAP_TYPE_PROG_ARRAY = 3
const ALL = [...PROGRAMS, ...UNCHAINABLE]
/** Refused wherever it is loaded: tests of the verifier's log use it. */
const REFUSED = ['unbounded']

const named = <T extends TestProgram>(programs: readonly T[]): [string, T][] =>
  programs.map((program) => [titleOf(program), program])
const compiled = ({ source, flags = [] }: TestProgram): Buffer => compileSource(source, { flags })

describe('the table of test programs', () => {
  test('names every source, and no program twice', () => {
    const sources = readdirSync(new URL('sources', import.meta.url)).filter((file) => file.endsWith('.bpf.c'))
    const listed = new Set([...ALL.map(({ source }) => source), ...REFUSED])
    expect([...listed].map((name) => `${name}.bpf.c`).sort()).toEqual(sources.sort())
    expect(new Set(ALL.map(titleOf)).size).toBe(ALL.length)
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

  test.each(named(PROGRAMS))('%s', (_, program) => {
    const before = bpfDescriptors()
    {
      using original = loadOriginal(compiled(program), program)
      expect(original.walked).toBeLessThan(MOST_WALKED)
      const deepest = Math.max(...original.stackBytes)
      expect(deepest >= 300).toBe(program.traits.includes('deep-stack'))
    }
    expect(bpfDescriptors()).toEqual(before)
  })

  test.each(named(UNCHAINABLE))('%s, if it can', (_, program) => {
    const load = (): void => loadOriginal(compiled(program), program)[Symbol.dispose]()
    if (program.loads) expect(load).not.toThrow()
    else expectRefusal(load, 'verifier_refused', /device-bound/)
  })
})
