import { DomainError } from '../domain/errors.ts'
import type { Hook } from '../domain/hook.ts'
import type { Attachment } from '../ports/chain-kernel.ts'
import type { HookPoint, InterfaceAt } from './attachment.ts'
import type { Fd } from './fd.ts'
import { libbpf } from './libbpf.ts'
import { KernelError } from './libc.ts'
import { changed, inside, missing } from './link-hook.ts'
import { filterQdisc, type TcFilter, tcFilters } from './tc-filters.ts'

type TcHook = Exclude<Hook, 'xdp'>

/** Where our filter is: behind those that tc(8) and libbpf number by themselves, from 49152 downwards. */
export const CLSACT_PRIORITY = 50_000
/**
 * The two handles of our filter, "HL" and a number. A filter is all that the kernel keeps of us here, so its handle says
 * whether the qdisc under it is ours to remove (`made`) or was there before (`found`).
 */
export const CLSACT_HANDLES = { found: 0x484c_0001, made: 0x484c_0002 } as const
const HANDLES: readonly number[] = Object.values(CLSACT_HANDLES)

/** struct bpf_tc_hook: sz at 0, ifindex at 8, attach_point at 12. struct bpf_tc_opts: sz at 0, prog_fd at 8 and so on. */
const [HOOK_BYTES, OPTIONS_BYTES] = [24, 32] as const
/** enum bpf_tc_attach_point and bpf_tc_flags, bpf/libbpf.h. The qdisc itself is made and removed by naming both. */
const ATTACH_POINT = { 'tc-ingress': 1, 'tc-egress': 2, both: 3 } as const
const BPF_TC_F_REPLACE = 1 << 0
const [ENOENT, EEXIST, ENODEV] = [2, 17, 19] as const

/**
 * A TC hook of an interface by a filter of its clsact qdisc (direct action), for kernels without TCX. There is no link:
 * ours is the filter at our priority and handle whose program `owns` knows; another one there is `hook_busy`. It stays
 * when this process dies, at any moment, since attach and replace are one step each.
 *
 * Between the look at what runs and the replacing the kernel compares nothing: two owners that share priority, handle
 * and programs must not work at a time.
 */
export function clsactHook(
  hook: TcHook,
  at: InterfaceAt & { readonly owns: (programId: number) => boolean },
): HookPoint {
  const { ifindex } = at
  const ours = (): TcFilter | undefined => {
    const filter = occupant(ifindex, hook)
    return filter !== undefined && at.owns(filter.programId) ? filter : undefined
  }
  const read = (): Attachment | undefined => inside(at, () => attachmentOf(ours(), ifindex))
  const attach = (program: Fd): Attachment => {
    const attached = inside(at, () => {
      if (occupant(ifindex, hook) !== undefined) throw busy(ifindex)
      const qdisc = makeQdisc(ifindex, hook)
      try {
        setFilter(ifindex, hook, program, CLSACT_HANDLES[qdisc], 0)
      } catch (error) {
        if (qdisc === 'made') removeQdisc(ifindex)
        throw error
      }
      return attachmentOf(occupant(ifindex, hook), ifindex)
    })
    if (attached === undefined) throw missing(ifindex)
    return attached
  }
  const replace = (program: Fd, oldProgramId: number): Attachment => {
    const running = inside(at, ours)
    if (running?.programId !== oldProgramId) throw changed(ifindex, oldProgramId, running?.programId)
    const attached = inside(at, () => {
      setFilter(ifindex, hook, program, running.handle, BPF_TC_F_REPLACE)
      return attachmentOf(occupant(ifindex, hook), ifindex)
    })
    if (attached === undefined) throw missing(ifindex)
    return attached
  }
  const detach = (): void =>
    void inside(at, () => {
      const running = ours()
      if (running === undefined) return
      removeFilter(ifindex, hook, running.handle)
      if (running.handle === CLSACT_HANDLES.made) removeQdisc(ifindex)
    })
  return { read, attach, replace, detach }
}

/** Whatever is at our priority and one of our handles. */
function occupant(ifindex: number, hook: TcHook): TcFilter | undefined {
  // an ingress qdisc would show its filters as those of egress too
  if (hook === 'tc-egress' && filterQdisc(ifindex) !== 'clsact') return undefined
  return tcFilters(ifindex, hook).find(
    ({ priority, handle }) => priority === CLSACT_PRIORITY && HANDLES.includes(handle),
  )
}

const attachmentOf = (filter: TcFilter | undefined, ifindex: number): Attachment | undefined =>
  filter && { linkId: 0, programId: filter.programId, ifindex, mode: 'clsact' }

const busy = (ifindex: number): DomainError =>
  new DomainError(
    'hook_busy',
    `another filter has priority ${CLSACT_PRIORITY} and our handle on interface ${ifindex}`,
  )

/**
 * Makes sure that there is a qdisc for the hook, and says whose it is. One that a chain in the other direction made is
 * made by us: the last one to leave removes it. One that was left empty by a crash between this and the filter counts as
 * found, and stays.
 */
function makeQdisc(ifindex: number, hook: TcHook): keyof typeof CLSACT_HANDLES {
  const result = libbpf().tcHookCreate(tcHook(ifindex, 'both'))
  if (result === 0) return 'made'
  if (result === -ENODEV) throw missing(ifindex)
  if (result !== -EEXIST) throw new KernelError(`make a clsact qdisc on interface ${ifindex}`, -result)
  if (hook === 'tc-egress' && filterQdisc(ifindex) !== 'clsact')
    throw new DomainError(
      'hook_busy',
      `interface ${ifindex} has an ingress qdisc, which has no egress and leaves no room for clsact`,
    )
  const other = hook === 'tc-ingress' ? 'tc-egress' : 'tc-ingress'
  return occupant(ifindex, other)?.handle === CLSACT_HANDLES.made ? 'made' : 'found'
}

/** Removes the clsact qdisc unless anybody's filter is left in it. */
function removeQdisc(ifindex: number): void {
  if (tcFilters(ifindex, 'tc-ingress').length > 0 || tcFilters(ifindex, 'tc-egress').length > 0) return
  const result = libbpf().tcHookDestroy(tcHook(ifindex, 'both'))
  if (result < 0 && result !== -ENOENT && result !== -ENODEV)
    throw new KernelError(`remove the clsact qdisc of interface ${ifindex}`, -result)
}

function setFilter(ifindex: number, hook: TcHook, program: Fd, handle: number, flags: number): void {
  const result = libbpf().tcAttach(tcHook(ifindex, hook), tcOptions(handle, program.number, flags))
  if (result === -ENODEV) throw missing(ifindex)
  if (result === -EEXIST) throw busy(ifindex)
  if (result < 0) throw new KernelError(`attach to interface ${ifindex}`, -result)
}

function removeFilter(ifindex: number, hook: TcHook, handle: number): void {
  const result = libbpf().tcDetach(tcHook(ifindex, hook), tcOptions(handle, 0, 0))
  if (result < 0 && result !== -ENOENT && result !== -ENODEV)
    throw new KernelError(`detach from interface ${ifindex}`, -result)
}

function tcHook(ifindex: number, point: keyof typeof ATTACH_POINT): Buffer {
  const buffer = Buffer.alloc(HOOK_BYTES)
  buffer.writeBigUInt64LE(BigInt(HOOK_BYTES), 0)
  buffer.writeInt32LE(ifindex, 8)
  buffer.writeUInt32LE(ATTACH_POINT[point], 12)
  return buffer
}

/** prog_fd at 8, flags at 12, prog_id at 16 (an answer), handle at 20, priority at 24. */
function tcOptions(handle: number, programFd: number, flags: number): Buffer {
  const buffer = Buffer.alloc(OPTIONS_BYTES)
  buffer.writeBigUInt64LE(BigInt(OPTIONS_BYTES), 0)
  buffer.writeInt32LE(programFd, 8)
  buffer.writeUInt32LE(flags, 12)
  buffer.writeUInt32LE(handle, 20)
  buffer.writeUInt32LE(CLSACT_PRIORITY, 24)
  return buffer
}
