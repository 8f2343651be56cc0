import { DomainError } from '../domain/errors.ts'
import { createLink } from './bpf-link.ts'
import { ATTACH_TYPE_XDP } from './bpf-program.ts'
import type { Fd } from './fd.ts'
import { KernelError } from './libc.ts'

/** linux/if_link.h: in the stack, once the packet has its socket buffer; in the driver, before. */
const [XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE] = [1 << 1, 1 << 2] as const
const [EBUSY, EEXIST, EOPNOTSUPP] = [16, 17, 95] as const

/**
 * Attaches a program to an interface of the thread's network namespace. Throws `hook_busy` when another program or link
 * holds the hook, `no_native_xdp`, or KernelError.
 */
export function createXdpLink(program: Fd, ifindex: number, mode: 'native' | 'generic' = 'native'): Fd {
  const flags = mode === 'native' ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE
  try {
    return createLink(program, ifindex, ATTACH_TYPE_XDP, flags)
  } catch (cause) {
    const errno = cause instanceof KernelError ? cause.errno : 0
    if (errno === EBUSY || errno === EEXIST)
      throw new DomainError('hook_busy', `another XDP program is attached to interface ${ifindex}`, { cause })
    if (errno === EOPNOTSUPP && mode === 'native')
      throw new DomainError('no_native_xdp', `the driver of interface ${ifindex} has no native XDP`, {
        cause,
      })
    throw cause
  }
}
