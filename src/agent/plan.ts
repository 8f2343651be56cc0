import { DomainError } from '../domain/errors.ts'
import { type FunctionSpec, matchesInterface } from '../domain/function.ts'
import type { NetworkInterface } from '../ports/chain-kernel.ts'

/** A function as the planner sees it. `ready`: it can be built. `held`: what runs of it goes on as it is. */
export interface PlannedFunction {
  readonly name: string
  readonly kind: 'ready' | 'held'
  readonly spec?: FunctionSpec
}

/** What should become of each hook. Hooks that are in neither list are left as they are. */
export interface ChainPlan {
  /** Hooks that a function's chain is to run on. */
  readonly run: readonly { readonly function: string; readonly at: NetworkInterface; readonly key: string }[]
  /** Keys of chains that no function wants any more. */
  readonly detach: readonly string[]
  /** Why a function does not get a hook it asked for, by function. */
  readonly problems: ReadonlyMap<string, DomainError>
}

/**
 * Decides which function runs on which hook; pure. One function per hook: who runs there keeps it, a newcomer is
 * refused; of several newcomers the first by priority, then name. A chain whose function is not known is left alone.
 *
 * `running` gives the function of each chain that runs, by key; undefined for one that nothing is remembered of.
 */
export function planChains(
  functions: readonly PlannedFunction[],
  ended: ReadonlySet<string>,
  interfaces: readonly NetworkInterface[],
  keyOf: (ifindex: number) => string,
  running: ReadonlyMap<string, string | undefined>,
): ChainPlan {
  const run: ChainPlan['run'][number][] = []
  const problems = new Map<string, DomainError>()
  const kept = new Set<string>()
  const ready = functions.filter(
    (planned): planned is PlannedFunction & { spec: FunctionSpec } => planned.kind === 'ready',
  )
  const order = [...ready].sort((a, b) => a.spec.priority - b.spec.priority || (a.name < b.name ? -1 : 1))
  for (const at of interfaces) {
    const key = keyOf(at.ifindex)
    const wanting = order.filter(({ name, spec }) =>
      wants(spec, at, running.get(key) === name, (problem) => problems.set(name, problem)),
    )
    const owner = running.get(key)
    const ownerIsHeld =
      running.has(key) &&
      !ready.some(({ name }) => name === owner) &&
      !(owner !== undefined && ended.has(owner))
    const winner = ownerIsHeld ? undefined : (wanting.find(({ name }) => name === owner) ?? wanting[0])
    for (const { name } of wanting)
      if (name !== winner?.name)
        problems.set(
          name,
          new DomainError(
            'hook_conflict',
            `function ${name} is refused on ${at.name}: function ${winner?.name ?? owner ?? '(unknown)'} runs there, and one hook takes one function`,
          ),
        )
    if (winner !== undefined) run.push({ function: winner.name, at, key })
    if (winner !== undefined || ownerIsHeld) kept.add(key)
  }
  const isHeld = (owner: string | undefined): boolean =>
    owner === undefined || (!ended.has(owner) && !ready.some(({ name }) => name === owner))
  const detach = [...running].filter(([key, owner]) => !kept.has(key) && !isHeld(owner)).map(([key]) => key)
  return { run, detach, problems }
}

/**
 * Whether a function asks for an interface. One that carries the default route must be named exactly, so that no pattern
 * locks anybody out; but a chain that runs there since before the route came stays: a route must not take a filter down.
 */
function wants(
  spec: FunctionSpec,
  at: NetworkInterface,
  runsThere: boolean,
  refuse: (problem: DomainError) => void,
): boolean {
  if (spec.interfaces.includes(at.name)) return true
  const pattern = spec.interfaces.find((candidate) => matchesInterface(candidate, at.name))
  if (pattern === undefined) return false
  if (!at.defaultRoute || runsThere) return true
  refuse(
    new DomainError(
      'default_route_interface',
      `function ${spec.name}: "${pattern}" fits ${at.name}, which carries the default route`,
    ),
  )
  return false
}
