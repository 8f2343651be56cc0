import { DomainError } from '../domain/errors.ts'
import { type FunctionSpec, matchesInterface } from '../domain/function.ts'
import { HOOKS, type Hook } from '../domain/hook.ts'
import type { ChainSite, NetworkInterface } from '../ports/chain-kernel.ts'

/** A function as the planner sees it: it can be built, or what runs of it goes on as it is. */
export type PlannedFunction =
  | {
      readonly kind: 'ready'
      readonly name: string
      readonly spec: FunctionSpec
      readonly hooks: ReadonlySet<Hook>
    }
  | { readonly kind: 'held'; readonly name: string }

/** What should become of each hook. Hooks that are in neither list are left as they are. */
export interface ChainPlan {
  /** Chains that are to run, with the functions whose entries they have, in order. */
  readonly run: readonly { readonly site: ChainSite; readonly functions: readonly string[] }[]
  /** Chains that must stay as they are, because of a function that cannot be built, and who else has a part in them. */
  readonly hold: readonly {
    readonly site: ChainSite
    readonly by: string | undefined
    readonly functions: readonly string[]
  }[]
  /** Keys of chains that no function wants any more. */
  readonly detach: readonly string[]
  /** Why a function does not get a hook it asked for, by function. */
  readonly problems: ReadonlyMap<string, DomainError>
}

/**
 * Decides what runs on which hook; pure. Functions on one hook are one chain, by priority, then name. A chain that has
 * entries of a function which cannot be built now, or of which nothing is known, is left alone.
 *
 * `running` gives the functions of each chain that runs, by key; undefined for one that nothing is remembered of. Chains in
 * `purge` hold what must not run any more: no function's part in them holds them.
 */
export function planChains(
  functions: readonly PlannedFunction[],
  ended: ReadonlySet<string>,
  interfaces: readonly NetworkInterface[],
  keyOf: (ifindex: number, hook: Hook) => string,
  running: ReadonlyMap<string, readonly string[] | undefined>,
  purge: ReadonlySet<string> = new Set(),
): ChainPlan {
  const problems = new Map<string, DomainError>()
  const ready = functions
    .filter((planned) => planned.kind === 'ready')
    .sort((a, b) => a.spec.priority - b.spec.priority || (a.name < b.name ? -1 : 1))
  const known = new Set([...ended, ...ready.map(({ name }) => name)])
  const holder = (owners: readonly string[] | undefined): { by: string | undefined } | undefined => {
    if (owners === undefined) return { by: undefined }
    const by = owners.find((name) => !known.has(name))
    return by === undefined ? undefined : { by }
  }
  const run: ChainPlan['run'][number][] = []
  const hold: ChainPlan['hold'][number][] = []
  const kept = new Set<string>()
  for (const at of interfaces)
    for (const hook of HOOKS) {
      const key = keyOf(at.ifindex, hook)
      const runsThere = running.get(key) ?? []
      const wanting = ready.filter(
        ({ name, spec, hooks }) =>
          hooks.has(hook) &&
          wants(spec, at, runsThere.includes(name), (problem) => problems.set(name, problem)),
      )
      const allowGeneric = wanting.every(({ spec }) => spec.allowGeneric)
      const part = { site: { key, hook, at, allowGeneric }, functions: wanting.map(({ name }) => name) }
      const held = running.has(key) && !purge.has(key) ? holder(running.get(key)) : undefined
      if (held !== undefined) hold.push({ ...part, ...held })
      else if (wanting.length > 0) run.push(part)
      if (held !== undefined || wanting.length > 0) kept.add(key)
    }
  const detach = [...running]
    .filter(([key, owners]) => !kept.has(key) && (purge.has(key) || holder(owners) === undefined))
    .map(([key]) => key)
  return { run, hold, detach, problems }
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
