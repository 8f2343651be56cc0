import { DomainError } from '../domain/errors.ts'
import type { Hook } from '../domain/hook.ts'
import type { HookPoint, InterfaceAt } from './attachment.ts'
import { attr } from './bpf-attr.ts'
import { createLink } from './bpf-link.ts'
import type { Fd } from './fd.ts'
import { bpf, KernelError } from './libc.ts'
import { linkHook } from './link-hook.ts'

/** BPF_PROG_QUERY and enum bpf_attach_type, linux/bpf.h. */
const BPF_PROG_QUERY = 16
const BPF_TCX_INGRESS = 46
const ATTACH_TYPES = { 'tc-ingress': BPF_TCX_INGRESS, 'tc-egress': 47 } as const
/** Links of one list: BPF_MPROG_MAX, of which the last is never used (bpf_mprog_max, linux/bpf_mprog.h). */
const LIST_MOST = 64
const [ENODEV, EINVAL, ERANGE] = [19, 22, 34] as const
/** An index that no interface has: they count up from 1. */
const NO_INTERFACE = 0x7fff_ffff

/** A TC hook of an interface, by a link at the end of its TCX list. The links of others stay as and where they are. */
export function tcxHook(
  hook: Exclude<Hook, 'xdp'>,
  at: InterfaceAt & { readonly linkPath: string },
): HookPoint {
  const attachType = ATTACH_TYPES[hook]
  return linkHook(at, {
    create: (program) => append(program, at.ifindex, attachType),
    modeOf: ({ id }) => (listOn(at.ifindex, attachType).links.includes(id) ? 'tcx' : undefined),
  })
}

function append(program: Fd, ifindex: number, attachType: number): Fd {
  try {
    return createLink(program, ifindex, attachType)
  } catch (cause) {
    if (cause instanceof KernelError && cause.errno === ERANGE)
      throw new DomainError('hook_busy', `no place is left among the TC programs of interface ${ifindex}`, {
        cause,
      })
    throw cause
  }
}

/** Ids of the programs on a TC hook of an interface of the thread's network namespace, in the order in which packets see them. Throws KernelError. */
export const tcxPrograms = (ifindex: number, hook: keyof typeof ATTACH_TYPES): number[] =>
  listOn(ifindex, ATTACH_TYPES[hook]).programs

/** One TCX list of an interface in its order, the ids of its programs and links (0: it has none); empty when the interface is gone. */
function listOn(ifindex: number, attachType: number): { programs: number[]; links: number[] } {
  const [programs, links] = [Buffer.alloc(4 * LIST_MOST), Buffer.alloc(4 * LIST_MOST)]
  const request = attr(64, [
    [0, 'u32', ifindex],
    [4, 'u32', attachType],
    [16, 'pointer', programs],
    [24, 'u32', LIST_MOST],
    [40, 'pointer', links],
  ])
  const result = bpf(BPF_PROG_QUERY, request)
  if (result === -ENODEV) return { programs: [], links: [] }
  if (result < 0) throw new KernelError(`read the TC programs of interface ${ifindex}`, -result)
  const listed = (ids: Buffer): number[] =>
    Array.from({ length: request.readUInt32LE(24) }, (_, place) => ids.readUInt32LE(4 * place))
  return { programs: listed(programs), links: listed(links) }
}

let supported: boolean | undefined

/**
 * Whether this kernel has TCX (since 6.6, or earlier where it was ported back), asked once. It looks for the interface of
 * a query only when it knows the list that is asked for. Throws KernelError, for lack of rights among others.
 */
export function tcxSupported(): boolean {
  if (supported !== undefined) return supported
  const query = attr(64, [
    [0, 'u32', NO_INTERFACE],
    [4, 'u32', BPF_TCX_INGRESS],
  ])
  const result = bpf(BPF_PROG_QUERY, query)
  if (result !== -ENODEV && result !== -EINVAL) throw new KernelError('ask whether there is TCX', -result)
  supported = result === -ENODEV
  return supported
}
