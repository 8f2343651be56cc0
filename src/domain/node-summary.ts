import { z } from 'zod'
import { AttachMode, Hook, packetsOf } from './hook.ts'
import { LIMITS } from './limits.ts'
import { Name } from './names.ts'
import { NodeFacts, type NodeView, type Observed, ObservedFunction } from './node.ts'

/** What lists of nodes show of a report; small, whatever a node says. */
export const NodeSummary = z.strictObject({
  agent: z.string(),
  functions: z.array(
    z.strictObject({ name: Name, revision: z.int().min(0), state: ObservedFunction.shape.state }),
  ),
  /** The first of its chains; `packets` are those that reached the first entry. */
  chains: z.array(
    z.strictObject({
      interface: z.string(),
      hook: Hook,
      mode: AttachMode,
      entries: z.int().min(0),
      packets: z.int().min(0),
    }),
  ),
  /** How many chains it has in all. */
  chainCount: z.int().min(0),
  /** Errors of functions and of the node itself. */
  errors: z.int().min(0),
  /** The first of them. */
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
})
export type NodeSummary = z.infer<typeof NodeSummary>

/** A node as lists show it. */
export const NodeOverview = z.strictObject({
  id: z.string(),
  facts: NodeFacts,
  lastSeenAt: z.iso.datetime().optional(),
  summary: NodeSummary.optional(),
})
export type NodeOverview = z.infer<typeof NodeOverview>

const clipped = (text: string): string => text.slice(0, LIMITS.summary_chars)

/** Sums up a report. */
export function summaryOf({ agent, functions, chains, errors }: Observed): NodeSummary {
  const failures = [...functions.flatMap(({ error }) => error ?? []), ...errors]
  const [first] = failures
  return {
    agent,
    functions: functions.map(({ name, revision, state }) => ({ name, revision, state })),
    chains: chains.slice(0, LIMITS.summary_chains).map(({ interface: on, hook, mode, entries }) => ({
      interface: clipped(on),
      hook,
      mode,
      entries: entries.length,
      packets: packetsOf(entries[0]?.total ?? {}),
    })),
    chainCount: chains.length,
    errors: failures.length,
    ...(first === undefined
      ? {}
      : { error: { code: first.code, message: first.message.slice(0, LIMITS.picture_chars) } }),
  }
}

/** How nodes are, the ones to look after first. */
export const NODE_STATES = ['trouble', 'silent', 'waiting', 'never', 'running', 'idle'] as const
export type NodeStateKind = (typeof NODE_STATES)[number]

/** How a node is; `silent_s`: how long nothing was heard of it, where that is too long. */
export interface NodeState {
  readonly kind: NodeStateKind
  readonly silent_s?: number
}

/**
 * How a node is at `now`: it never reported; it is silent, so that what it last said may have changed; something failed; chains
 * run; it has functions, none of which has found an interface; or nothing was ordered of it.
 */
export function nodeState(
  { lastSeenAt, summary }: Pick<NodeOverview, 'lastSeenAt' | 'summary'>,
  now: Date,
): NodeState {
  if (summary === undefined) return { kind: 'never' }
  const silent_s = lastSeenAt === undefined ? 0 : Math.floor((now.getTime() - Date.parse(lastSeenAt)) / 1000)
  if (silent_s >= LIMITS.node_silent_s) return { kind: 'silent', silent_s }
  if (summary.errors > 0) return { kind: 'trouble' }
  if (summary.chainCount > 0) return { kind: 'running' }
  return { kind: summary.functions.some(({ state }) => state !== 'removed') ? 'waiting' : 'idle' }
}

/** A node with its whole report, as lists show it. */
export const overviewOf = ({ id, facts, lastSeenAt, observed }: NodeView): NodeOverview => ({
  id,
  facts,
  ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
  ...(observed === undefined ? {} : { summary: summaryOf(observed) }),
})
