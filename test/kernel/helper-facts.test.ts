import { expect, test } from 'vitest'
import { CALL_KIND, encode, OP } from '../../src/bytecode/instruction.ts'
import { asDomainError } from '../../src/domain/errors.ts'
import type { Hook } from '../../src/domain/hook.ts'
import { isGplOnly } from '../../src/elf/helper-facts.ts'
import { loadProgram } from '../../src/kernel/bpf-program.ts'
import { describeAsRoot } from '../support/needs-root.ts'

/** The last helper that a kernel may still get: the list is closed. */
const HELPERS = 211

/** What the verifier says first of a call of a helper in a program of no known licence. */
function sayOf(hook: Hook, helper: number): string {
  const code = Buffer.concat([
    encode(OP.CALL, 0, CALL_KIND.HELPER, 0, helper),
    encode(OP.MOV64_K, 0, 0, 0, 0),
    encode(OP.EXIT, 0, 0, 0, 0),
  ])
  try {
    loadProgram({ name: 'probe', hook, code, license: 'Proprietary', flags: 0 }).close()
    return 'loaded'
  } catch (thrown) {
    const error = asDomainError(thrown)
    return error.log ?? error.message
  }
}

describeAsRoot('helpers for GPL-compatible programs only', () => {
  test.each(['xdp', 'tc-ingress'] as const)('are those that this kernel refuses others on %s', (hook) => {
    const wrong: string[] = []
    let seen = 0
    for (let helper = 1; helper <= HELPERS; helper++) {
      const said = sayOf(hook, helper)
      if (/unknown func|invalid func|cannot use helper|program of this type/.test(said)) continue
      seen++
      if (/GPL/.test(said) !== isGplOnly(helper)) wrong.push(`${helper}: ${said.slice(0, 200)}`)
    }
    expect(wrong).toEqual([])
    expect(seen).toBeGreaterThan(60)
  })
})
