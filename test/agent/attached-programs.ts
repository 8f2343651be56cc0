import { attr } from '../../src/kernel/bpf-attr.ts'
import { bpf, interfaceIndex } from '../../src/kernel/libc.ts'
import { inNetns } from '../../src/kernel/netns.ts'
import { tcFilters } from '../../src/kernel/tc-filters.ts'
import { tcxSupported } from '../../src/kernel/tcx-hook.ts'
import type { LinkEnd } from '../../tools/lab/namespaces.ts'
import { xdpProgramOn } from './fleet.ts'

/** BPF_PROG_QUERY, BPF_TCX_INGRESS and BPF_TCX_EGRESS, linux/bpf.h. */
const [BPF_PROG_QUERY, TCX] = [16, [46, 47]] as const
const MOST = 64

/** Ids of all programs on an interface, whoever attached them: XDP, TCX and filters, as the kernel says. */
export function attachedTo(end: LinkEnd): number[] {
  const tc = inNetns(end.namespace.path, () => {
    const ifindex = interfaceIndex(end.interface)
    const filters = (['tc-ingress', 'tc-egress'] as const).flatMap((hook) => tcFilters(ifindex, hook))
    const listed = tcxSupported() ? TCX.flatMap((list) => programsIn(list, ifindex)) : []
    // a chain of filters is listed besides those that are in it, as one without a program
    const ids = filters.map(({ programId }) => programId).filter((id) => id !== 0)
    return [...listed, ...ids]
  })
  const xdp = xdpProgramOn(end)
  return [...(xdp === undefined ? [] : [xdp]), ...tc]
}

function programsIn(attachType: number, ifindex: number): number[] {
  const programs = Buffer.alloc(4 * MOST)
  const request = attr(64, [
    [0, 'u32', ifindex],
    [4, 'u32', attachType],
    [16, 'pointer', programs],
    [24, 'u32', MOST],
  ])
  const result = bpf(BPF_PROG_QUERY, request)
  if (result < 0) throw new Error(`BPF_PROG_QUERY failed by errno ${-result}`)
  return Array.from({ length: request.readUInt32LE(24) }, (_, place) => programs.readUInt32LE(4 * place))
}
