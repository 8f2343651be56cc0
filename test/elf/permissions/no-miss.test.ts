import { afterAll, describe, expect, test } from 'vitest'
import type { Permission } from '../../../src/domain/permission.ts'
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
 * Permissions found that a program does not have, of all that were looked for, as counted when this was written: values
 * that depend on one another, such as a subprogram's result that is tested in another register, are not told apart. More is a
 * loss of precision; fewer calls for a lower number here.
 */
const FALSE_POSITIVES = { rules: 0, corpus: 0 }

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
    for (const [entry, can] of byProgram(table)) {
      const found = foundIn(bytes, entry, source === 'skb' ? 'tc-ingress' : 'xdp')
      compare('rules', `${source} ${entry} ${level}`, found, can)
    }
  })
})

describe('nothing is missed of programs that kernels run', () => {
  const can = byProgram(CORPUS)
  test.each([...PROGRAMS, ...UNCHAINABLE].map((each) => [titleOf(each), each] as const))(
    '%s',
    (title, each) => {
      for (const level of [['-O2'], ['-O2', '-mcpu=v3']]) {
        const bytes = compileBpf(`test/kernel/sources/${each.source}.bpf.c`, {
          flags: [...(each.flags ?? []), ...level],
        })
        counted.objects++
        compare(
          'corpus',
          `${title} ${level.join(' ')}`,
          foundIn(bytes, each.entry, each.hook),
          can.get(each.entry) ?? [],
        )
      }
    },
  )
})

afterAll(() => {
  console.log(`${counted.programs} programs of ${counted.objects} objects; found for nothing:`, falsely)
})

test('on more than sixty objects, with few false findings', () => {
  expect(counted.objects).toBeGreaterThanOrEqual(60)
  expect({ rules: counted.rules, corpus: counted.corpus }).toEqual(FALSE_POSITIVES)
})
