import type { VerdictCounts } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ErrorView, NodeView, Observed, ObservedChain, WithdrawnInstance } from '../domain/node.ts'
import type { Io } from './io.ts'
import { fitsTerminal, renderTable } from './table.ts'
import { bold, durationText, printable, red } from './terminal.ts'

/** Lines of a kernel's log that are shown: the last ones say why. */
const LOG_LINES = 5

/** A node's report under its name. */
interface NodeStatus {
  readonly name: string
  readonly observed: Observed | undefined
  /** When the node was last heard of; by the registry's clock where that is known. */
  readonly heardAt: Date | undefined
  /** After so long without a word it is worth one. */
  readonly silentAfter_s: number
}

/** The status of a node as the registry tells it. */
export const statusOf = ({ facts, observed, lastSeenAt }: NodeView): NodeStatus => ({
  name: facts.name,
  observed,
  heardAt: lastSeenAt === undefined ? undefined : new Date(lastSeenAt),
  silentAfter_s: LIMITS.node_silent_s,
})

/** The status of this host as its agent wrote it. */
export const hostStatus = (observed: Observed): NodeStatus => ({
  name: 'this host',
  observed,
  heardAt: new Date(observed.at),
  silentAfter_s: LIMITS.agent_silent_s,
})

/** What runs on every node, an entry a line, and below what stands in the way of what does not run. */
export function renderStatus(io: Io, nodes: readonly NodeStatus[], now: Date): string {
  const troubles = nodes.flatMap((node) => [...silence(io, node, now), ...troublesOf(io, node)])
  const chains = nodes.flatMap(({ name, observed }) =>
    (observed?.chains ?? []).map((chain) => ({ name, chain })),
  )
  return [chains.length === 0 ? 'nothing runs' : renderChains(io, chains), ...troubles].join('\n')
}

interface NodeChain {
  readonly name: string
  readonly chain: ObservedChain
}

const WHERE = ['node', 'interface', 'hook'] as const
const ENTRY = ['function', 'pos', 'instance', 'release', 'entry', 'form', 'packets'] as const
/** What is left out of entries, the more the narrower the terminal: releases and packets are what one looks for. */
const SPARED: readonly (readonly string[])[] = [
  [],
  ['entry'],
  ['entry', 'form'],
  ['entry', 'form', 'instance'],
]
const INDENT = '  '

/** One table; on a terminal that is too narrow for it, each chain under a heading. */
function renderChains(io: Io, chains: readonly NodeChain[]): string {
  const rows = chains.flatMap(({ name, chain }) =>
    entryRows(chain).map((row) => [...whereOf(name, chain), ...row]),
  )
  const head = [...WHERE, ...ENTRY]
  if (fitsTerminal(io, head, rows)) return renderTable(io, head, rows)
  const all = chains.flatMap(({ chain }) => entryRows(chain))
  const kept = (spared: readonly string[], row: readonly string[]): string[] =>
    row.filter((_, column) => !spared.includes(ENTRY[column] ?? ''))
  const fits = (spared: readonly string[]): boolean =>
    fitsTerminal(
      io,
      kept(spared, ENTRY),
      all.map((row) => kept(spared, row)),
      INDENT.length,
    )
  const spared = SPARED.find(fits) ?? SPARED.at(-1) ?? []
  const table = renderTable(
    { ...io, columns: io.columns === undefined ? undefined : io.columns - INDENT.length },
    kept(spared, ENTRY),
    all.map((row) => kept(spared, row)),
  ).split('\n')
  const lines = [`${INDENT}${table[0] ?? ''}`]
  let next = 1
  for (const { name, chain } of chains) {
    lines.push(bold(io, printable(whereOf(name, chain).join(' '))))
    for (const _ of chain.entries) lines.push(`${INDENT}${table[next++] ?? ''}`)
  }
  return lines.join('\n')
}

const whereOf = (name: string, { interface: on, hook, mode }: ObservedChain): string[] => [
  name,
  on,
  mode === 'native' || mode === 'tcx' ? hook : `${hook} (${mode})`,
]

const entryRows = (chain: ObservedChain): string[][] =>
  chain.entries.map((entry) => [
    entryFunction(chain, entry.function),
    String(entry.position),
    entry.instance,
    entry.release,
    entry.entry,
    entry.form,
    packetsText(entry.total),
  ])

function entryFunction({ functions }: ObservedChain, name: string): string {
  const revision = functions.find((part) => part.name === name)?.revision
  return revision === undefined ? name : `${name} r${revision}`
}

/** Verdicts that occurred, by their numbers. */
function packetsText(packets: VerdictCounts): string {
  const counted = Object.entries(packets).filter(([, count]) => count > 0)
  return counted.map(([verdict, count]) => `${verdict} ${count}`).join(' ') || 'none'
}

/** A word where the report is old: the chain goes on without its agent, but its numbers here do not. */
function silence(io: Io, { name, heardAt, silentAfter_s }: NodeStatus, now: Date): string[] {
  const seconds = heardAt === undefined ? 0 : Math.floor((now.getTime() - heardAt.getTime()) / 1000)
  if (seconds < silentAfter_s) return []
  return [
    `${red(io, printable(name))}: not heard of for ${durationText(seconds)}: its agent does not run or cannot report; this is its last report`,
  ]
}

function troublesOf(io: Io, { name, observed }: NodeStatus): string[] {
  if (observed === undefined) return [`${printable(name)}: no report yet`]
  const lines = observed.functions.flatMap((fn) => {
    const withdrawn = (fn.withdrawn ?? []).map((one) => withdrawnText(io, name, fn.name, one, observed))
    if (fn.error !== undefined)
      return [errorText(io, `${name}: function ${fn.name} ${fn.state}`, fn.error), ...withdrawn]
    return fn.state === 'running' || fn.state === 'removed'
      ? withdrawn
      : [`${printable(`${name}: function ${fn.name}`)} waits: this node has no interface that it names`]
  })
  return [...lines, ...observed.errors.map((error) => errorText(io, name, error))]
}

/** What became of an instance of which a release is revoked. */
function withdrawnText(
  io: Io,
  node: string,
  fn: string,
  { instance, release, action }: WithdrawnInstance,
  { chains }: Observed,
): string {
  const entries = chains.flatMap((chain) => chain.entries)
  const now = entries.find((one) => one.function === fn && one.instance === instance)?.release
  const does = {
    previous: `runs ${now ?? 'an older release'}`,
    detach: 'has left its chains',
    drop: 'drops every packet on its hooks',
  }[action]
  return `${red(io, printable(`${node}: function ${fn}`))}: ${printable(`${instance} ${does}: ${release} is revoked`)}`
}

/** One line, the end of the kernel's log where there is one, and the remedy. */
function errorText(io: Io, where: string, { code, message, remedy, log }: ErrorView): string {
  const lines = log === undefined ? [] : log.trimEnd().split('\n').slice(-LOG_LINES)
  return [
    `${red(io, printable(where))}: ${printable(message)} [${printable(code)}]`,
    ...lines.map((line) => `  | ${printable(line)}`),
    `  ${printable(remedy)}`,
  ].join('\n')
}
