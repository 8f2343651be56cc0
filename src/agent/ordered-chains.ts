import { matchesInterface } from '../domain/function.ts'
import type { EntryRecord } from '../domain/generation.ts'
import { HOOKS, type Hook } from '../domain/hook.ts'
import type { RunningFunction, RunningProblem } from '../domain/running.ts'
import type { ChainKernel, ChainSite, NetworkInterface } from '../ports/chain-kernel.ts'
import { partOf, type RunningRecord } from './chain-record.ts'
import type { FunctionChoice } from './function-choices.ts'
import { planChains } from './plan.ts'
import type { PreparedFunction } from './prepare.ts'

/** What orders have on a hook of an interface. */
export interface OrderedChain {
  readonly site: ChainSite
  /** Its functions as they are allowed to run: in that of several ways in which they do. */
  readonly functions: readonly PreparedFunction[]
  /** Its entries, in their order. */
  readonly entries: readonly EntryRecord[]
  /** A function that keeps it as it is, since nothing can be made of it now. */
  readonly heldBy: string | undefined
}

/** The chains that orders have on a node, by key, planned as by an agent; pure. */
export function orderedChains(
  choices: readonly FunctionChoice[],
  running: readonly RunningRecord[],
  interfaces: readonly NetworkInterface[],
  keyOf: ChainKernel['keyOf'],
): Map<string, OrderedChain> {
  const owners = new Map(
    running.map(({ key, generation }) => [key, [...new Set(generation.entries.map((one) => one.function))]]),
  )
  const ended = new Set(
    choices.filter(({ standing }) => standing.kind === 'ended').map(({ standing }) => standing.name),
  )
  const chains = new Map<string, OrderedChain>()
  for (const at of interfaces)
    for (const hook of HOOKS) {
      const key = keyOf(at.ifindex, hook)
      const entries = running.find((one) => one.key === key)?.generation.entries ?? []
      const ready = choices.flatMap((choice) => asItRuns(choice, entries, hook) ?? [])
      const planned = ready.map(
        (one) => ({ kind: 'ready', name: one.name, spec: one.spec, hooks: hooksOf(one) }) as const,
      )
      const plan = planChains(planned, ended, [at], keyOf, owners)
      const held = plan.hold.find(({ site }) => site.key === key)
      const part = held ?? plan.run.find(({ site }) => site.key === key)
      if (part === undefined) continue
      const functions = part.functions.flatMap((name) => ready.find((one) => one.name === name) ?? [])
      chains.set(key, {
        ...{ site: part.site, functions, heldBy: held?.by },
        entries: functions.flatMap((one) => recordsOf(one, hook)),
      })
    }
  return chains
}

/**
 * Of what a function may run, that which runs on a hook now, or what an agent would try first. That nothing of it runs there is
 * no sign of anything: one way to run it without this hook is no excuse.
 */
function asItRuns(
  { standing: { name }, allowed }: FunctionChoice,
  entries: readonly EntryRecord[],
  hook: Hook,
): PreparedFunction | undefined {
  const runs = partOf(name, entries)
  const found = runs === '' ? undefined : allowed.find((one) => partOf(name, recordsOf(one, hook)) === runs)
  return found ?? allowed[0]
}

const recordsOf = ({ entries }: PreparedFunction, hook: Hook): EntryRecord[] =>
  entries.filter(({ image }) => image.hook === hook).map(({ record }) => record)

const hooksOf = ({ entries }: PreparedFunction): Set<Hook> => new Set(entries.map(({ image }) => image.hook))

/** What is to say of a function: whether it runs, where it does, as the newest order has it. Nothing of one that ended. */
export function functionState(
  { standing, allowed, problem }: FunctionChoice,
  chains: Iterable<OrderedChain>,
  interfaces: readonly NetworkInterface[],
): RunningFunction[] {
  const { name, revision, kind } = standing
  if (kind === 'ended') return []
  const told = (code: RunningProblem['code'], message: string): RunningFunction[] => [
    { name, revision, problem: { code, message, ...(problem === undefined ? {} : { cause: problem.code }) } },
  ]
  if (kind === 'held') return told('running_unverified', `its order is not believed now: ${problem?.message}`)
  const used = [...chains].flatMap(({ functions }) => functions.filter((one) => one.name === name))
  const [best] = allowed
  const meant = interfaces.some((at) =>
    standing.spec.interfaces.some(
      (pattern) => pattern === at.name || (!at.defaultRoute && matchesInterface(pattern, at.name)),
    ),
  )
  if (best === undefined && meant)
    return told(
      'running_behind',
      `nothing that is kept lets it run by order ${revision}: ${problem?.message}`,
    )
  const older = used.find((one) => one.revision < revision)
  if (older !== undefined) {
    const why = problem === undefined ? '' : `: ${problem.message}`
    return told(
      'running_behind',
      `it runs by order ${older.revision}, and order ${revision} was accepted${why}`,
    )
  }
  if (used.some((one) => one !== best && one.withdrawn !== undefined))
    return told(
      'running_behind',
      'what is revoked of it was withdrawn, where the order has something else run',
    )
  return [{ name, revision, problem: undefined }]
}
