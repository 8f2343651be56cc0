import type { Labels } from '../../domain/function.ts'
import { selects } from '../../domain/function.ts'
import {
  NODE_STATES,
  type NodeOverview,
  type NodeState,
  type NodeSummary,
  nodeState,
} from '../../domain/node-summary.ts'

/** A node that a function is for, or that still reports it, and how the function fares there. */
export interface Met {
  readonly node: NodeOverview
  readonly state: NodeState
  /** Whether its labels are those asked for. */
  readonly selected: boolean
  readonly reported: NodeSummary['functions'][number] | undefined
}

/**
 * The nodes that a function is for or that still have it, those to look after first. `selector` is undefined for one that is
 * removed.
 */
export function metNodes(
  nodes: readonly NodeOverview[],
  name: string,
  selector: Labels | undefined,
  now: Date,
): Met[] {
  const rank = ({ reported, state }: Met): number =>
    reported?.state === 'refused' ? -1 : NODE_STATES.indexOf(state.kind)
  return nodes
    .map((node) => ({
      node,
      state: nodeState(node, now),
      selected: selector !== undefined && selects(selector, node.facts.labels),
      reported: node.summary?.functions.find((one) => one.name === name),
    }))
    .filter(({ selected, reported }) => selected || (reported !== undefined && reported.state !== 'removed'))
    .sort((a, b) => rank(a) - rank(b))
}

/** How many nodes a function meets, and how it fares there. */
export interface MetCounts {
  readonly selected: number
  /** Nodes that run its newest revision. */
  readonly current: number
  /** Nodes that run an older one. */
  readonly older: number
  readonly refused: number
  /** Nodes that have no interface for it. */
  readonly waiting: number
  /** Nodes it is for that have said nothing of it. */
  readonly unheard: number
}

/** Counts how revision `revision` of a function fares. */
export function countMet(met: readonly Met[], revision: number): MetCounts {
  const count = (fits: (one: Met) => boolean): number => met.filter(fits).length
  const running = count(({ reported }) => reported?.state === 'running')
  const current = count(({ reported }) => reported?.state === 'running' && reported.revision === revision)
  return {
    selected: count(({ selected }) => selected),
    current,
    older: running - current,
    refused: count(({ reported }) => reported?.state === 'refused'),
    waiting: count(({ reported }) => reported?.state === 'waiting'),
    unheard: count(({ reported }) => reported === undefined || reported.state === 'removed'),
  }
}
