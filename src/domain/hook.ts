import { z } from 'zod'

/** Where on a packet's way a chain runs. */
export const Hook = z.enum(['xdp', 'tc-ingress', 'tc-egress'])
export type Hook = z.infer<typeof Hook>
export const HOOKS = Hook.options

/**
 * How a chain is attached: XDP in the driver or in the stack, where a driver has none; TC by TCX, or by the clsact
 * qdisc on a kernel without it.
 */
export const AttachMode = z.enum(['native', 'generic', 'tcx', 'clsact'])
export type AttachMode = z.infer<typeof AttachMode>

/** Verdicts of XDP by value (enum xdp_action, linux/bpf.h). */
export const XDP_VERDICTS = ['aborted', 'drop', 'pass', 'tx', 'redirect'] as const

/** A verdict that an XDP entry may return. */
const XdpVerdict = z.enum(XDP_VERDICTS)

/** Values of TC's verdicts (TC_ACT_*, linux/pkt_cls.h); `next` is TC_ACT_UNSPEC and TCX_NEXT. */
export const TC_VERDICTS = { next: -1, ok: 0, shot: 2, stolen: 4, queued: 5, redirect: 7, trap: 8 } as const

/** A verdict that a TC entry may return. */
const TcVerdict = z.enum(Object.keys(TC_VERDICTS) as (keyof typeof TC_VERDICTS)[])

/** Any verdict a manifest or function may name. */
export const Verdict = z.union([XdpVerdict, TcVerdict])
export type Verdict = z.infer<typeof Verdict>

/** The verdicts that an entry on a hook may return. */
export const verdictsOf = (hook: Hook): readonly Verdict[] =>
  hook === 'xdp' ? XDP_VERDICTS : TcVerdict.options

/** What is wrong with `verdicts` of an entry on a hook: one that it cannot return; undefined when all fit. */
export function strangeVerdict(hook: Hook, verdicts: readonly Verdict[]): string | undefined {
  const stranger = verdicts.find((verdict) => !verdictsOf(hook).includes(verdict))
  return stranger === undefined
    ? undefined
    : `"${stranger}" is no verdict of ${hook}; it has: ${verdictsOf(hook).join(', ')}`
}

/** Verdicts after which a chain goes on when neither function nor manifest says otherwise. */
export const DEFAULT_PROCEED: Readonly<Record<Hook, readonly Verdict[]>> = {
  xdp: ['pass'],
  'tc-ingress': ['ok', 'next'],
  'tc-egress': ['ok', 'next'],
}

/**
 * What packets are counted by behind an entry: its hook's verdicts, `other` for numbers that the hook has no name for,
 * and `missing` for packets whose next entry was unexpectedly absent.
 */
const CounterName = z.enum([...new Set([...XDP_VERDICTS, ...TcVerdict.options, 'other', 'missing'] as const)])
export type CounterName = z.infer<typeof CounterName>

/** Packets by verdict, as counted behind an entry; those of another hook are left out. */
export const VerdictCounts = z.partialRecord(CounterName, z.int().min(0))
export type VerdictCounts = z.infer<typeof VerdictCounts>

/** The counters of a hook's entries, in the order in which they are shown. */
const countersOf = (hook: Hook): readonly CounterName[] => [...verdictsOf(hook), 'other', 'missing']

/** No packets at all. */
export const noPackets = (hook: Hook): VerdictCounts =>
  Object.fromEntries(countersOf(hook).map((name) => [name, 0]))

/** Packets of `a` and `b` together. */
export function addCounts(a: VerdictCounts, b: VerdictCounts): VerdictCounts {
  const sum: VerdictCounts = { ...a }
  for (const [name, packets] of Object.entries(b) as [CounterName, number][])
    sum[name] = (sum[name] ?? 0) + packets
  return sum
}

/** All packets that reached the entry; one whose successor was missing has been counted by its verdict already. */
export const packetsOf = (counts: VerdictCounts): number =>
  Object.entries(counts).reduce((sum, [name, packets]) => (name === 'missing' ? sum : sum + packets), 0)

/** How an entry was made part of its chain, from the fastest on. */
export const EntryForm = z.enum(['fused', 'group', 'called', 'exit-rewrite', 'wrap'])
export type EntryForm = z.infer<typeof EntryForm>
