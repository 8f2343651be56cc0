import { LIMITS } from '../../domain/limits.ts'
import { Name } from '../../domain/names.ts'
import {
  NODE_STATES,
  type NodeOverview,
  type NodeState,
  type NodeStateKind,
  nodeState,
} from '../../domain/node-summary.ts'

/** What a list of nodes is asked for. Labels hold together, states are alternatives. */
export interface Asked {
  readonly q: string
  /** `key=value`. */
  readonly labels: readonly string[]
  readonly states: readonly NodeStateKind[]
  /** Nodes that report this function. */
  readonly fn: string | undefined
  /** From 1 on. */
  readonly page: number
}

/** What an address asks for; what does not fit counts as not there. */
export function askedOf(query: URLSearchParams): Asked {
  const page = Number(query.get('page') ?? '1')
  const fn = Name.safeParse(query.get('function'))
  return {
    q: (query.get('q') ?? '').slice(0, LIMITS.search_chars),
    labels: [...new Set(query.getAll('label'))]
      .filter((label) => label.includes('=') && label.length <= LIMITS.search_chars)
      .slice(0, LIMITS.search_filters),
    states: NODE_STATES.filter((state) => query.has('state', state)),
    fn: fn.success ? fn.data : undefined,
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  }
}

/** The address of a list. */
export function addressOf({ q, labels, states, fn, page }: Asked): string {
  const query = new URLSearchParams()
  if (q !== '') query.set('q', q)
  for (const label of labels) query.append('label', label)
  for (const state of states) query.append('state', state)
  if (fn !== undefined) query.set('function', fn)
  if (page !== 1) query.set('page', String(page))
  return query.size === 0 ? '/nodes' : `/nodes?${query.toString()}`
}

/** The same list with a filter more, or without it where it is there; from its first page on. */
export function withFilter(asked: Asked, name: 'labels' | 'states', value: string): Asked {
  const had: readonly string[] = asked[name]
  const has = had.includes(value) ? had.filter((one) => one !== value) : [...had, value]
  return { ...asked, [name]: has, page: 1 }
}

/** A node and how it is. */
export interface Listed {
  readonly node: NodeOverview
  readonly state: NodeState
}

/** The nodes that fit all but the states asked for, those to look after first, then by name. */
export function selectNodes(nodes: readonly NodeOverview[], asked: Asked, now: Date): Listed[] {
  const words = asked.q.toLowerCase().split(/\s+/).filter(Boolean).slice(0, LIMITS.search_words)
  const wanted = asked.labels.map((label) => {
    const at = label.indexOf('=')
    return [label.slice(0, at), label.slice(at + 1)] as const
  })
  const fits = (node: NodeOverview): boolean => {
    const { labels } = node.facts
    // a label may be called as what every object inherits
    if (!wanted.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)) return false
    if (asked.fn !== undefined && !(node.summary?.functions ?? []).some(({ name }) => name === asked.fn))
      return false
    if (words.length === 0) return true
    const text = searchText(node)
    return words.every((word) => text.includes(word))
  }
  const rank = (state: NodeState): number => NODE_STATES.indexOf(state.kind)
  return nodes
    .filter(fits)
    .map((node) => ({ node, state: nodeState(node, now) }))
    .sort((a, b) => rank(a.state) - rank(b.state)) // nodes come by name, and the sort is stable
}

const searchText = ({ facts, summary }: NodeOverview): string =>
  [
    ...[facts.name, facts.kernel, facts.arch],
    ...Object.entries(facts.labels).map(([key, value]) => `${key}=${value}`),
    ...(summary?.chains ?? []).map((chain) => chain.interface),
    summary?.error?.message ?? '',
    summary?.error?.code ?? '',
  ]
    .join('\n')
    .toLowerCase()

/** How many nodes are how. */
export function countStates(nodes: readonly Listed[]): Map<NodeStateKind, number> {
  const counts = new Map<NodeStateKind, number>()
  for (const { state } of nodes) counts.set(state.kind, (counts.get(state.kind) ?? 0) + 1)
  return counts
}
