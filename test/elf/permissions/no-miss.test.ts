import { afterAll, describe, expect, test } from 'vitest'
import type { Permission } from '../../../src/domain/permission.ts'
import { readObject } from '../../../src/elf/bpf-object.ts'
import { PROGRAMS, titleOf, UNCHAINABLE } from '../../kernel/programs.ts'
import { compileBpf } from '../../support/compile-bpf.ts'
import { byProgram, CORPUS, RULES } from './expected.ts'
import { foundIn } from './found.ts'

/** Levels and instruction sets. Without optimisation clang calls helpers by pointers, which no kernel loads. */
const LEVELS = [
  ...[['-O2'], ['-O1'], ['-Os'], ['-O3'], ['-O2', '-mcpu=v1'], ['-O2', '-mcpu=v2'], ['-O2', '-mcpu=v3']],
  ...[
    ['-O1', '-mcpu=v3'],
    ['-Os', '-mcpu=v3'],
    ['-O1', '-fno-inline'],
    ['-O2', '-fno-unroll-loops'],
  ],
]
const UNOPTIMISED = [['-O0'], ['-O0', '-mcpu=v3']]

/**
 * Permissions that are found and that a program does not have, as counted when this was written with clang 14. They come from
 * values that depend on one another: a result that is tested in one register and returned from another, a sum over a loop.
 * Other compilers may give fewer; more is a loss of precision.
 */
const FALSE_POSITIVES = { rules: 24, corpus: 0 }

const counted = { objects: 0, programs: 0, rules: 0, corpus: 0 }
const falsely: string[] = []

/** Fails for a permission that is missed, and counts those that are found for nothing. */
function compare(
  where: 'rules' | 'corpus',
  title: string,
  found: readonly Permission[],
  can: readonly Permission[],
): void {
  counted.programs++
  expect([title, can.filter((permission) => !found.includes(permission))]).toEqual([title, []])
  const extra = found.filter((permission) => !can.includes(permission))
  counted[where] += extra.length
  if (extra.length > 0) falsely.push(`${title}: ${extra.join(' ')}`)
}

describe.each(Object.entries(RULES))('nothing is missed of %s', (source, table) => {
  const levels = source === 'verdicts' ? [...LEVELS, ...UNOPTIMISED] : LEVELS
  test.each(levels.map((flags) => [flags.join(' '), flags] as const))('with %s', (level, flags) => {
    const bytes = compileBpf(`test/elf/permissions/sources/${source}.bpf.c`, { flags })
    counted.objects++
    const programs = readObject(bytes).programs.map(({ name }) => name)
    expect([...byProgram(table).keys()].sort()).toEqual(programs.sort())
    for (const [entry, can] of byProgram(table)) {
      const found = foundIn(bytes, entry, source === 'skb' ? 'tc-ingress' : 'xdp')
      compare('rules', `${source} ${entry} ${level}`, found, can)
    }
  })
})

describe('nothing is missed of programs that kernels run', () => {
  const known = byProgram(CORPUS)
  test.each([...PROGRAMS, ...UNCHAINABLE].map((each) => [titleOf(each), each] as const))(
    '%s',
    (title, { source, entry, hook, flags = [] }) => {
      const can = known.get(entry)
      if (can === undefined) throw new Error(`${entry} is not in the table`)
      const bytes = compileBpf(`test/kernel/sources/${source}.bpf.c`, { flags })
      counted.objects++
      compare('corpus', title, foundIn(bytes, entry, hook), can)
    },
  )
})

afterAll(() => {
  console.log(`${counted.programs} programs of ${counted.objects} objects; found for nothing:`, falsely)
})

test('on more than sixty objects, with few false findings', () => {
  expect(counted.objects).toBeGreaterThanOrEqual(60)
  expect(counted.rules).toBeLessThanOrEqual(FALSE_POSITIVES.rules)
  expect(counted.corpus).toBeLessThanOrEqual(FALSE_POSITIVES.corpus)
})
