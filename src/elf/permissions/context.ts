import type { Hook } from '../../domain/hook.ts'
import type { Permission } from '../../domain/permission.ts'
import { ANYTHING, join, NOTHING, NUMBER, orNull, POINTS, pointer, type Value } from './value.ts'

/** Fields of a context that are more than numbers, by their byte offset, with their bytes and what they hold. */
type Fields = readonly (readonly [offset: number, size: number, value: Value])[]

/** struct xdp_md, linux/bpf.h; its end is no address that can be written through. */
const XDP: Fields = [
  [0, 4, pointer(POINTS.packet)],
  [8, 4, pointer(POINTS.metadata)],
]
const XDP_BYTES = 24
/** struct __sk_buff, linux/bpf.h. */
const SKB: Fields = [
  [76, 4, pointer(POINTS.packet)],
  [140, 4, pointer(POINTS.metadata)],
  [144, 8, pointer(POINTS.other)], // flow_keys, of the flow dissector
  [168, 8, orNull(POINTS.data)], // sk
]
const SKB_BYTES = 192
/** Offset of `sk` in struct __sk_buff. */
const SOCKET_AT = 168

/** What `size` bytes at `offset` of a hook's context hold; undefined where the kernel decides at what offset. */
export function contextField(hook: Hook, offset: number | undefined, size: number): Value {
  const [fields, bytes] = hook === 'xdp' ? [XDP, XDP_BYTES] : [SKB, SKB_BYTES]
  if (offset === undefined || offset < 0 || offset + size > bytes) return ANYTHING
  const met = fields.filter(([at, length]) => at < offset + size && offset < at + length)
  return met.length === 0 ? NUMBER : met.reduce((all, [, , value]) => join(all, value), NOTHING)
}

/** Whether `sk` is read. */
export const readsSocket = (hook: Hook, offset: number | undefined): boolean =>
  hook !== 'xdp' && (offset === undefined || (offset >= SOCKET_AT && offset < SOCKET_AT + 8))

/** Verdicts by number that need a permission (enum xdp_action; TC_ACT_*, linux/pkt_cls.h). */
const XDP_VERDICTS: ReadonlyMap<bigint, Permission | undefined> = new Map([
  [2n, undefined],
  [3n, 'transmit'],
  [4n, 'redirect'],
])
const TC_VERDICTS: ReadonlyMap<bigint, Permission> = new Map([
  [2n, 'drop'], // shot
  [4n, 'drop'], // stolen
  [5n, 'drop'], // queued
  [7n, 'redirect'],
  [8n, 'drop'], // trap
])

/**
 * What the verdicts that a program may return need. XDP drops what it has no name for (bpf_warn_invalid_xdp_action); TC goes
 * on after it (tcx_action_code, net/core/dev.c; cls_bpf_exec_opcode, net/sched/cls_bpf.c).
 */
export function verdictPermissions(hook: Hook, { numbers, pointers, places }: Value): Permission[] {
  const constant = numbers !== undefined && numbers.length > 0 && pointers === 0 && places?.length === 0
  if (!constant) return hook === 'xdp' ? ['drop', 'transmit', 'redirect'] : ['drop', 'redirect']
  const verdicts = new Set(numbers.map((number) => BigInt.asUintN(32, number)))
  const needed = [...verdicts].flatMap((verdict): Permission[] => {
    if (hook !== 'xdp') return [TC_VERDICTS.get(verdict) ?? []].flat()
    return XDP_VERDICTS.has(verdict) ? [XDP_VERDICTS.get(verdict) ?? []].flat() : ['drop']
  })
  return [...new Set(needed)]
}
