import { z } from 'zod'

/** Where on a packet's way a chain runs. */
export const Hook = z.enum(['xdp', 'tc-ingress', 'tc-egress'])
export type Hook = z.infer<typeof Hook>

/**
 * How a chain is attached: XDP in the driver or in the stack, where a driver has none; TC by TCX, or by the clsact
 * qdisc on a kernel without it.
 */
export const AttachMode = z.enum(['native', 'generic', 'tcx', 'clsact'])
export type AttachMode = z.infer<typeof AttachMode>

/** Verdicts of XDP by value (enum xdp_action, linux/bpf.h). */
export const XDP_VERDICTS = ['aborted', 'drop', 'pass', 'tx', 'redirect'] as const

/** A verdict that an XDP entry may return. */
export const XdpVerdict = z.enum(XDP_VERDICTS)
export type XdpVerdict = z.infer<typeof XdpVerdict>

/** Verdicts of TC by name (TC_ACT_*, linux/pkt_cls.h); `next` is TC_ACT_UNSPEC / TCX_NEXT. */
const TcVerdict = z.enum(['next', 'ok', 'shot', 'stolen', 'queued', 'trap', 'redirect'])

/** Any verdict a manifest or function may name. */
export const Verdict = z.union([XdpVerdict, TcVerdict])
export type Verdict = z.infer<typeof Verdict>

/** Counter slots of an entry: the verdicts of XDP by value, then anything else (which the kernel treats as aborted). */
export const XDP_COUNTERS = [...XDP_VERDICTS, 'other'] as const

/** Packets by verdict, as counted behind an entry. */
export const VerdictCounts = z.strictObject({
  aborted: z.int().min(0),
  drop: z.int().min(0),
  pass: z.int().min(0),
  tx: z.int().min(0),
  redirect: z.int().min(0),
  other: z.int().min(0),
})
export type VerdictCounts = z.infer<typeof VerdictCounts>

/** No packets at all. */
export const noPackets = (): VerdictCounts => ({ aborted: 0, drop: 0, pass: 0, tx: 0, redirect: 0, other: 0 })

/** Packets of `a` and `b` together. */
export function addCounts(a: VerdictCounts, b: VerdictCounts): VerdictCounts {
  const sum = noPackets()
  for (const verdict of XDP_COUNTERS) sum[verdict] = a[verdict] + b[verdict]
  return sum
}

/** All packets that reached the entry. */
export const packetsOf = (counts: VerdictCounts): number =>
  XDP_COUNTERS.reduce((sum, verdict) => sum + counts[verdict], 0)
