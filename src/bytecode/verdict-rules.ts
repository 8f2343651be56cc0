import { type CounterName, type Hook, TC_VERDICTS, type Verdict, XDP_VERDICTS } from '../domain/hook.ts'

/**
 * How a hook's verdicts are counted and where a chain ends. Verdict `v` is counted in slot `v + bias`; those above
 * `lastSlot` in `otherSlot`.
 */
export interface VerdictRules {
  readonly bias: number
  readonly lastSlot: number
  readonly otherSlot: number
  /** Packets whose successor was unexpectedly absent. */
  readonly missingSlot: number
  /** Slots of 8 bytes that each entry has, a power of two. */
  readonly slots: number
  /** Verdict by which nothing passes. */
  readonly drop: number
  /** Verdict after which whatever comes behind the chain goes on. */
  readonly pass: number
  /** What the last entry's verdict becomes when it is one to proceed on; undefined: it stays. */
  readonly end: number | undefined
  /** Bits by slot: verdicts that are exchanged for {@link drop} when the chain is left. */
  readonly consumed: number
}

/** enum xdp_action, linux/bpf.h. */
const XDP: VerdictRules = {
  bias: 0,
  lastSlot: 4,
  otherSlot: 5,
  missingSlot: 7,
  slots: 8,
  drop: 1,
  pass: 2,
  end: undefined,
  consumed: 0,
}

/** TC_ACT_*, linux/pkt_cls.h: -1 (next) to 8 (trap). */
const CLSACT: VerdictRules = {
  bias: 1,
  lastSlot: 9,
  otherSlot: 10,
  missingSlot: 15,
  slots: 16,
  drop: 2,
  pass: -1,
  end: -1,
  consumed: 0,
}

/**
 * TCX takes stolen and trap for next (tcx_action_code, net/core/dev.c): a packet that a program took away would come back,
 * so they leave the chain as a drop. Queued goes on under clsact too.
 */
const TCX: VerdictRules = {
  ...CLSACT,
  consumed: (['stolen', 'trap'] as const).reduce(
    (mask, verdict) => mask | (1 << (TC_VERDICTS[verdict] + CLSACT.bias)),
    0,
  ),
}

/** The rules of a hook; on TC they depend on how it is attached. */
export const rulesOf = (hook: Hook, tc: 'tcx' | 'clsact'): VerdictRules => {
  if (hook === 'xdp') return XDP
  return tc === 'tcx' ? TCX : CLSACT
}

/** Bytes of an entry's counters. */
export const counterBytes = (rules: VerdictRules): number => rules.slots * 8

/** Bit `v + bias` set: the chain goes on after verdict `v`. Verdicts of another hook set nothing. */
export const proceedMask = (hook: Hook, rules: VerdictRules, proceed: readonly Verdict[]): number =>
  proceed.reduce((mask, verdict) => {
    const value = verdictValue(hook, verdict)
    return value === undefined ? mask : mask | (1 << (value + rules.bias))
  }, 0)

function verdictValue(hook: Hook, verdict: Verdict): number | undefined {
  if (hook !== 'xdp') return Object.hasOwn(TC_VERDICTS, verdict) ? TC_VERDICTS[verdict as 'ok'] : undefined
  const value = XDP_VERDICTS.indexOf(verdict as 'pass')
  return value < 0 ? undefined : value
}

/** The name under which a slot's packets are shown. */
export function counterName(hook: Hook, rules: VerdictRules, slot: number): CounterName {
  if (slot === rules.missingSlot) return 'missing'
  const value = slot - rules.bias
  if (hook === 'xdp') return XDP_VERDICTS[value] ?? 'other'
  return (
    (Object.keys(TC_VERDICTS) as (keyof typeof TC_VERDICTS)[]).find((name) => TC_VERDICTS[name] === value) ??
    'other'
  )
}
