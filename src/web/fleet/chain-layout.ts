import { entryKey } from '../../domain/generation.ts'
import { type CounterName, type Hook, packetsOf, type VerdictCounts } from '../../domain/hook.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Observed, ObservedChain } from '../../domain/node.ts'

export type ObservedEntry = ObservedChain['entries'][number]

/** An interface with the chains on it, by hook. */
export interface DrawnInterface {
  readonly name: string
  readonly ifindex: number
  readonly netns: string
  readonly chains: ReadonlyMap<Hook, ObservedChain>
}

/** What is drawn of a report, and how many entries are not: a node may say any number. */
export interface Drawing {
  readonly interfaces: readonly DrawnInterface[]
  readonly leftOut: number
}

/** Puts chains where packets meet them: by interface, in the order of their names, then by hook. */
export function drawingOf(chains: readonly ObservedChain[]): Drawing {
  const sorted = [...chains].sort(
    (a, b) => byText(a.interface, b.interface) || byText(a.netns, b.netns) || a.ifindex - b.ifindex,
  )
  const interfaces = new Map<string, DrawnInterface & { chains: Map<Hook, ObservedChain> }>()
  let room: number = LIMITS.picture_entries
  let leftOut = 0
  for (const chain of sorted) {
    const entries = chain.entries.slice(0, room)
    leftOut += chain.entries.length - entries.length
    if (room === 0) continue
    // an interface costs room, too, be it without entries
    room = Math.max(0, room - Math.max(1, entries.length))
    const key = siteKey(chain)
    const { interface: name, ifindex, netns } = chain
    const there = interfaces.get(key) ?? { name, ifindex, netns, chains: new Map<Hook, ObservedChain>() }
    there.chains.set(chain.hook, { ...chain, entries })
    interfaces.set(key, there)
  }
  return { interfaces: [...interfaces.values()], leftOut }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const siteKey = ({ netns, ifindex, interface: on }: ObservedChain): string =>
  JSON.stringify([netns, ifindex, on])

/** Where packets that do not go on along the chain end: nowhere, elsewhere, or where nobody meant them to. */
export type Leaving = 'dropped' | 'away' | 'odd'

const LEAVING: Readonly<Record<CounterName, Leaving>> = {
  ...{ aborted: 'dropped', drop: 'dropped', shot: 'dropped' },
  ...{ pass: 'away', ok: 'away', next: 'away', tx: 'away', redirect: 'away' },
  ...{ stolen: 'away', queued: 'away', trap: 'away', other: 'odd', missing: 'odd' },
}

/** How a verdict that ends a chain is meant. */
export const leavingBy = (verdict: CounterName): Leaving => LEAVING[verdict]

/** The packets of an entry: those that reached it, those that go on behind it, and those that leave the chain there. */
export interface Flow {
  readonly reached: number
  readonly onward: number
  readonly leaving: Readonly<Record<Leaving, number>>
}

/** Verdicts of `counts` that occurred, in their usual order. */
export const occurred = (counts: VerdictCounts): [CounterName, number][] =>
  (Object.entries(counts) as [CounterName, number][]).filter(([, packets]) => packets > 0)

/**
 * Where the packets of an entry go. One whose next entry was absent was counted by its verdict and as `missing`: it left the chain
 * all the same.
 */
export function flowOf({ packets, proceed }: Pick<ObservedEntry, 'packets' | 'proceed'>): Flow {
  const missing = packets.missing ?? 0
  const leaving = { dropped: 0, away: 0, odd: missing }
  let onward = -missing
  for (const [verdict, count] of occurred(packets)) {
    if (verdict === 'missing') continue
    if (proceed.includes(verdict)) onward += count
    else leaving[LEAVING[verdict]] += count
  }
  return { reached: packetsOf(packets), onward: Math.max(0, onward), leaving }
}

/** Names an entry of a report: place, hook and what it is. */
export const entryPlace = (chain: ObservedChain, entry: ObservedEntry): string =>
  `${siteKey(chain)} ${chain.hook} ${entryKey(entry)}`

/** Packets a second by verdict, for each entry by its {@link entryPlace}. */
export type Rates = ReadonlyMap<string, VerdictCounts>

/**
 * Rates between two reports of a node, by the node's own clock. Entries that are not in both have none, nor have those whose
 * counters went back: they were counted anew.
 */
export function ratesBetween(before: Observed, after: Observed): Rates {
  const seconds = (Date.parse(after.at) - Date.parse(before.at)) / 1000
  const rates = new Map<string, VerdictCounts>()
  if (!(seconds > 0)) return rates
  const earlier = new Map(
    before.chains.flatMap((chain) =>
      chain.entries.map((entry) => [entryPlace(chain, entry), entry.total] as const),
    ),
  )
  for (const chain of after.chains)
    for (const entry of chain.entries) {
      const place = entryPlace(chain, entry)
      const then = earlier.get(place)
      if (then === undefined) continue
      const changes = (Object.entries(entry.total) as [CounterName, number][]).map(
        ([verdict, packets]) => [verdict, packets - (then[verdict] ?? 0)] as const,
      )
      if (changes.some(([, change]) => change < 0)) continue
      rates.set(
        place,
        Object.fromEntries(changes.map(([verdict, change]) => [verdict, Math.round(change / seconds)])),
      )
    }
  return rates
}

/** Lines at the end of a verifier's log that only count what it did. */
const COUNTING = /^(processed \d+ insns|verification time|stack depth|func#\d|\s*$)/

/** The last lines of a kernel's log that say why it refused; all of it where it is short. */
export function usefulEnd(log: string, lines: number = LIMITS.picture_log_lines): string[] {
  const all = log.split('\n')
  let end = all.length
  while (end > 0 && COUNTING.test(all[end - 1] ?? '')) end -= 1
  return (end === 0 ? all : all.slice(0, end)).slice(-lines)
}
