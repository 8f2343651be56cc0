import { DomainError } from '../domain/errors.ts'
import type { HookPoint, InterfaceAt } from './attachment.ts'
import type { Fd } from './fd.ts'
import { KernelError } from './libc.ts'
import { linkHook, missing } from './link-hook.ts'
import { ask, attribute } from './netlink.ts'
import { createXdpLink } from './xdp-link.ts'

/** linux/rtnetlink.h; struct ifinfomsg, 16 bytes, index at 4. */
const RTM_GETLINK = 18
const LINK_BYTES = 16
/** linux/if_link.h: the nest of XDP in a link message, and in it the programs by mode. */
const IFLA_XDP = 43
const [IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID] = [5, 6, 7] as const
const ENODEV = 19

/**
 * The XDP hook of an interface, in native mode; where the driver has none, in generic mode if that is allowed. The
 * kernel runs one program there, so a foreign one is `hook_busy`.
 */
export function xdpHook(
  at: InterfaceAt & { readonly linkPath: string; readonly allowGeneric: boolean },
): HookPoint {
  const { ifindex } = at
  return linkHook(at, {
    create: (program) => {
      // the kernel says EINVAL of an interface that is gone, as of much else
      if (programsOn(ifindex) === undefined) throw missing(ifindex)
      return createNativeFirst(program, ifindex, at.allowGeneric)
    },
    modeOf: ({ programId }) => {
      const programs = programsOn(ifindex)
      if (programs?.native === programId) return 'native'
      return programs?.generic === programId ? 'generic' : undefined
    },
  })
}

function createNativeFirst(program: Fd, ifindex: number, allowGeneric: boolean): Fd {
  try {
    return createXdpLink(program, ifindex, 'native')
  } catch (error) {
    if (allowGeneric && error instanceof DomainError && error.code === 'no_native_xdp')
      return createXdpLink(program, ifindex, 'generic')
    throw error
  }
}

/**
 * Ids of the XDP programs of an interface by mode, 0 for none; undefined when the interface is gone. A link's information
 * does not say its mode: the interface's does (rtnl_xdp_fill, net/core/rtnetlink.c).
 */
export function programsOn(
  ifindex: number,
): { native: number; generic: number; offloaded: number } | undefined {
  const request = Buffer.alloc(LINK_BYTES)
  request.writeInt32LE(ifindex, 4)
  try {
    const body = ask(`read interface ${ifindex}`, RTM_GETLINK, request)
    const xdp = attribute(IFLA_XDP, body, LINK_BYTES)
    return {
      native: idOf(attribute(IFLA_XDP_DRV_PROG_ID, xdp)),
      generic: idOf(attribute(IFLA_XDP_SKB_PROG_ID, xdp)),
      offloaded: idOf(attribute(IFLA_XDP_HW_PROG_ID, xdp)),
    }
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return undefined
    throw error
  }
}

const idOf = (value: Buffer): number => (value.length >= 4 ? value.readUInt32LE(0) : 0)
