import type { NodeState, NodeStateKind } from '../../domain/node-summary.ts'
import { type Html, html } from '../html.ts'
import { lasting } from '../text.ts'

/** How nodes are, in a word or two. */
export const STATE_WORDS: Readonly<Record<NodeStateKind, string>> = {
  trouble: 'trouble',
  silent: 'silent',
  waiting: 'waiting for an interface',
  never: 'never reported',
  running: 'running',
  idle: 'nothing ordered',
}

/** How a node is, in words. */
export const stateText = ({ kind, silent_s }: NodeState): string =>
  silent_s === undefined ? STATE_WORDS[kind] : `silent for ${lasting(silent_s)}`

/** How a node is, with a mark that does not speak by colour alone. */
export const stateTag = (state: NodeState): Html =>
  html`<span class="state ${state.kind}"><span class="mark" aria-hidden="true"></span>${stateText(state)}</span>`

/** States of a function on a node. */
const FUNCTION_MARKS = {
  running: 'running',
  waiting: 'waiting',
  refused: 'trouble',
  removed: 'idle',
} as const

/** How a function fares on a node. */
export const functionTag = (state: keyof typeof FUNCTION_MARKS): Html =>
  html`<span class="state ${FUNCTION_MARKS[state]}"><span class="mark" aria-hidden="true"></span>${state}</span>`

/** The list of nodes that have these labels. */
export const nodesWith = (labels: Readonly<Record<string, string>>): string => {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(labels)) query.append('label', `${key}=${value}`)
  return query.size === 0 ? '/nodes' : `/nodes?${query.toString()}`
}

/** Labels of a node or a selector, each a way to the nodes that have it. */
export const labelList = (labels: Readonly<Record<string, string>>): Html =>
  html`<ul class="labels">${Object.entries(labels).map(
    ([key, value]) => html`<li><a href="${nodesWith({ [key]: value })}"><bdi>${key}=${value}</bdi></a></li>`,
  )}</ul>`

/** The parts of the fleet's pages. */
export const fleetTabs = (here: 'nodes' | 'functions'): Html =>
  html`<nav class="tabs" aria-label="Fleet"><a href="/nodes"${here === 'nodes' && html` aria-current="page"`}>Nodes</a><a href="/functions"${here === 'functions' && html` aria-current="page"`}>Functions</a></nav>`
