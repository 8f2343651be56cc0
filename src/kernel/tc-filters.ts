import { askAll, attribute } from './netlink.ts'

/** linux/rtnetlink.h; struct tcmsg, 20 bytes: ifindex at 4, handle at 8, parent at 12, info at 16. */
const [RTM_NEWQDISC, RTM_GETQDISC, RTM_NEWTFILTER, RTM_GETTFILTER] = [36, 38, 44, 46] as const
const TC_BYTES = 20
const [TCA_KIND, TCA_OPTIONS] = [1, 2] as const
/** linux/pkt_cls.h. */
const TCA_BPF_ID = 11
/** linux/pkt_sched.h: where a clsact or ingress qdisc sits, and the two places of clsact for filters. */
const TC_H_CLSACT = 0xffff_fff1
const PARENT = { 'tc-ingress': 0xffff_fff2, 'tc-egress': 0xffff_fff3 } as const

/** A filter of a qdisc. A classifier shows itself with handle 0 first, and then its filters. */
export interface TcFilter {
  readonly priority: number
  readonly handle: number
  /** Such as `bpf` or `flower`. */
  readonly kind: string
  /** 0 when it is no BPF program. */
  readonly programId: number
}

/**
 * The filters in one direction of an interface of the thread's network namespace, in the order in which packets see
 * them. None without a qdisc or an interface. Throws KernelError.
 */
export function tcFilters(ifindex: number, direction: keyof typeof PARENT): TcFilter[] {
  const request = tcMessage(ifindex, PARENT[direction])
  return askAll(`list the filters of interface ${ifindex}`, RTM_GETTFILTER, request)
    .filter(({ type }) => type === RTM_NEWTFILTER)
    .map(({ body }) => ({
      priority: body.readUInt32LE(16) >>> 16,
      handle: body.readUInt32LE(8),
      kind: textAttribute(TCA_KIND, body),
      programId: numberAttribute(TCA_BPF_ID, attribute(TCA_OPTIONS, body, TC_BYTES)),
    }))
}

/**
 * What sits where filters on all traffic of an interface go: `clsact`, `ingress` (which has no egress), or undefined.
 * The kernel lists the qdiscs of all interfaces; asked for one, it tells everybody who listens. Throws KernelError.
 */
export function filterQdisc(ifindex: number): string | undefined {
  const found = askAll('list qdiscs', RTM_GETQDISC, tcMessage(ifindex, TC_H_CLSACT)).find(
    ({ type, body }) =>
      type === RTM_NEWQDISC && body.readInt32LE(4) === ifindex && body.readUInt32LE(12) === TC_H_CLSACT,
  )
  return found && textAttribute(TCA_KIND, found.body)
}

function tcMessage(ifindex: number, parent: number): Buffer {
  const message = Buffer.alloc(TC_BYTES)
  message.writeInt32LE(ifindex, 4)
  message.writeUInt32LE(parent, 12)
  return message
}

const textAttribute = (type: number, body: Buffer): string =>
  attribute(type, body, TC_BYTES).toString('utf8').replace(/\0.*$/s, '')

function numberAttribute(type: number, options: Buffer): number {
  const value = attribute(type, options)
  return value.length >= 4 ? value.readUInt32LE(0) : 0
}
