import { DomainError } from '../../src/domain/errors.ts'
import { requireMayLack } from '../support/kernel-features.ts'
import { compileSource } from './chain-entries.ts'
import { loadOriginal } from './load-original.ts'
import { type TestProgram, titleOf } from './programs.ts'

const known = new Map<string, string | undefined>()

/** Why this kernel refuses a program as it is, asked once; undefined when it takes it. */
export function whyRefused(program: TestProgram): string | undefined {
  const title = titleOf(program)
  if (!known.has(title)) known.set(title, askKernel(program))
  return known.get(title)
}

function askKernel(program: TestProgram): string | undefined {
  try {
    loadOriginal(compileSource(program.source, { flags: program.flags ?? [] }), program)[Symbol.dispose]()
    return undefined
  } catch (error) {
    if (error instanceof DomainError) return `the kernel refuses it as it is: ${error.message}`
    throw error
  }
}

/** Those that this kernel takes as they are. Throws when it should take one that it refuses. */
export const takenHere = (programs: readonly TestProgram[]): TestProgram[] =>
  programs.filter((program) => {
    const why = whyRefused(program)
    if (why !== undefined) requireMayLack(program.entry, why)
    return why === undefined
  })
