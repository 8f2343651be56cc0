import { expect } from 'vitest'
import { z } from 'zod'
import { hookline } from '../cli/hookline.ts'
import type { Fleet, FleetNode } from './fleet.ts'

const Problem = z.object({ code: z.string(), message: z.string(), cause: z.string().optional() })

/** What `hookline verify --running --json` says. */
const Answer = z.object({
  holds: z.boolean(),
  chains: z.array(
    z.object({
      hook: z.string(),
      interface: z.string().optional(),
      generation: z.int().optional(),
      programId: z.int(),
      programs: z.array(z.object({ programId: z.int(), tag: z.string(), madeTag: z.string() })).optional(),
      entries: z.array(
        z.object({
          release: z.string(),
          signers: z.array(z.string()),
          logged: z.object({ index: z.int(), at: z.iso.datetime() }).optional(),
          problem: Problem.optional(),
        }),
      ),
      problems: z.array(Problem),
    }),
  ),
  functions: z.array(z.object({ name: z.string(), revision: z.int(), problem: Problem.optional() })),
  others: z.array(
    z.object({ interface: z.string(), hook: z.string(), programId: z.int(), name: z.string() }),
  ),
})
export type Answer = z.infer<typeof Answer>

const told = ({ code, cause }: z.infer<typeof Problem>): string =>
  cause === undefined ? code : `${code}: ${cause}`

/** What is wrong with chains and their entries, each with its cause. */
export const wrong = ({ chains }: Pick<Answer, 'chains'>): string[] =>
  chains
    .flatMap(({ problems, entries }) => [...problems, ...entries.flatMap(({ problem }) => problem ?? [])])
    .map(told)

/** What is wrong with functions, each with its cause. */
export const wrongFunctions = ({ functions }: Pick<Answer, 'functions'>): string[] =>
  functions.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${told(problem)}`]))

/** Runs the command for a node. */
export const verifyRunning = ({ dir }: Fleet, { state, trust }: FleetNode, ...more: string[]) =>
  hookline(dir, ['verify', '--running', '--state', state, '--trust', trust, ...more])

/** Runs it, and gives its answer when it ended with this code. */
export async function answerOf(
  fleet: Fleet,
  node: FleetNode,
  code: number,
  ...more: string[]
): Promise<Answer> {
  const { stdout, stderr, code: ended } = await verifyRunning(fleet, node, '--json', ...more)
  expect([ended, stderr], stdout).toEqual([code, ''])
  return Answer.parse(JSON.parse(stdout))
}
